"""Codes that spread a batch evenly over a codebook, as in LC-Rec (arXiv 2311.09049, section 3.2): Sinkhorn's plan from rows
to codes with the same mass for every code, of which each row takes its largest share. Entropy is lowered in steps
(models/ids/balanced.py): at LC-Rec's 0.003 from the start, a hundred rounds still leave codes without rows.

Shapes: B batch, K codes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.ids.balanced import prices


def even_codes(cost_BK: Tensor) -> Tensor:
    """codes_B, about B / K rows each; the first of equals. Costs that are all alike give every row code 0."""
    price_K = torch.from_numpy(prices(cost_BK.detach().float().numpy()))
    return (cost_BK + price_K.to(cost_BK.dtype)).argmin(dim=1)
