"""How a gradient passes a choice that has none: from the quantised vector to the one that was quantised.

Shapes: B batch, E latent. Both functions give `chosen_BE` in the forward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

GRADIENTS = ("straight", "rotation")


def straight_through(z_BE: Tensor, chosen_BE: Tensor) -> Tensor:
    """The gradient as it comes (van den Oord et al. 2017, arXiv 1711.00937, section 3.2)."""
    return z_BE + (chosen_BE - z_BE).detach()


def rotation_trick(z_BE: Tensor, chosen_BE: Tensor) -> Tensor:
    """The gradient turned and scaled as z is to become what was chosen (Fifty et al. 2024, arXiv 2410.06424, section 4).

    With unit vectors a of z, b of the chosen and s = (a + b) / |a + b|, the rotation from a to b takes v to
    v - 2 s s.v + 2 b a.v; it is a constant to the gradient. Where z and the chosen point against each other, or one of
    them is 0, there is no such rotation: those rows go straight through.
    """
    z, chosen = z_BE.detach(), chosen_BE.detach()
    size_B1, wanted_B1 = z.norm(dim=1, keepdim=True), chosen.norm(dim=1, keepdim=True)
    from_BE, to_BE = z / size_B1.clamp_min(1e-12), chosen / wanted_B1.clamp_min(1e-12)
    between_BE = from_BE + to_BE
    width_B1 = between_BE.norm(dim=1, keepdim=True)
    between_BE = between_BE / width_B1.clamp_min(1e-12)
    turned_BE = (
        z_BE
        - 2 * between_BE * (between_BE * z_BE).sum(1, keepdim=True)
        + 2 * to_BE * (from_BE * z_BE).sum(1, keepdim=True)
    ) * (wanted_B1 / size_B1.clamp_min(1e-12))
    has_rotation_B1 = (width_B1 > 1e-3) & (size_B1 > 1e-12) & (wanted_B1 > 1e-12)
    return torch.where(has_rotation_B1, turned_BE, straight_through(z_BE, chosen_BE))
