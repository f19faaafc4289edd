"""Codes that spread a batch evenly over a codebook, as in LC-Rec (arXiv 2311.09049, section 3.2): the plan of an optimal
transport with entropy from rows to codes, with the same mass for every code; each row takes its largest share.

Shapes: B batch, K codes.
"""

from __future__ import annotations

import torch
from torch import Tensor

ENTROPY = 0.003  # LC-Rec's, for costs centred and scaled to [-1, 1]; here the kernel is relative to each row's least cost
ROUNDS = 30


def even_codes(cost_BK: Tensor, entropy: float = ENTROPY, rounds: int = ROUNDS) -> Tensor:
    """codes_B, about B / K rows each; the first of equals. Costs that are all alike give every row code 0."""
    above_BK = cost_BK.double() - cost_BK.double().amin(1, keepdim=True)
    half_width = ((cost_BK.max() - cost_BK.min()) / 2).double()
    if half_width <= 0:
        return torch.zeros(len(cost_BK), dtype=torch.long)
    kernel_BK = torch.exp(-above_BK / (entropy * half_width)).clamp_min(1e-100)
    share_K = kernel_BK.new_ones(cost_BK.shape[1])
    for _ in range(rounds):
        weight_B = 1 / (kernel_BK @ share_K)
        share_K = len(cost_BK) / cost_BK.shape[1] / (weight_B @ kernel_BK).clamp_min(1e-100)
    return (kernel_BK * share_K).argmax(dim=1)
