"""Residual quantization of latents with its loss, as TIGER has it (arXiv 2305.05065, section 3.1).

Shapes: B batch, E latent, L levels, K codes a level.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.ids.gradients import rotation_trick, straight_through
from models.ids.kmeans import squared_distances
from models.ids.sinkhorn import even_codes


class Quantized(NamedTuple):
    """The codes, the sum of their vectors with gradients passed straight to z, and the codebook term of the loss."""

    codes_BL: Tensor
    latent_BE: Tensor
    loss: Tensor


def nearest_codes(z_BE: Tensor, codebooks_LKE: Tensor, even_levels: int = 0) -> Tensor:
    """codes_BL: at each level the code nearest to what the levels before left; the first one of equals.

    The last `even_levels` take codes evenly over the batch instead, for training.
    """
    residual_BE, codes = z_BE, []
    for level, codebook_KE in enumerate(codebooks_LKE):
        cost_BK = squared_distances(residual_BE, codebook_KE)
        is_even = level >= len(codebooks_LKE) - even_levels
        codes_B = even_codes(cost_BK) if is_even else cost_BK.argmin(dim=1)
        residual_BE = residual_BE - codebook_KE[codes_B]
        codes.append(codes_B)
    return torch.stack(codes, dim=1)


def code_sum(codes_BL: Tensor, codebooks_LKE: Tensor) -> Tensor:
    """The sum over levels of the chosen code vectors, latent_BE."""
    levels_L = torch.arange(len(codebooks_LKE))
    return codebooks_LKE[levels_L, codes_BL].sum(dim=1)


def quantize(
    z_BE: Tensor, codebooks_LKE: Tensor, commitment: float, gradient: str = "straight", even_levels: int = 0
) -> Quantized:
    """Codes with the loss sum_d |sg(r_d) - e|^2 + commitment |r_d - sg(e)|^2 and a latent that passes gradients to z.

    A level's vectors learn from their own term alone: residuals are taken without the gradient of earlier levels.
    """
    codes_BL = nearest_codes(z_BE.detach(), codebooks_LKE.detach(), even_levels)
    residual_BE, loss, total_BE = z_BE, z_BE.new_zeros(()), torch.zeros_like(z_BE)
    for codebook_KE, codes_B in zip(codebooks_LKE, codes_BL.T, strict=True):
        chosen_BE = codebook_KE[codes_B]
        pull_B = (residual_BE.detach() - chosen_BE).square().sum(1)
        commit_B = (residual_BE - chosen_BE.detach()).square().sum(1)
        loss = loss + (pull_B + commitment * commit_B).mean()
        residual_BE = residual_BE - chosen_BE.detach()
        total_BE = total_BE + chosen_BE
    passed = rotation_trick if gradient == "rotation" else straight_through
    return Quantized(codes_BL, passed(z_BE, total_BE), loss)
