"""The same picture as it might have been taken: mirrored, moved, scaled, partly covered; its colours stay as they are.

A tower that learns from a few thousand pictures knows them by heart after some rounds, unless no look is like the last.
The changes are the usual ones (random resized crops and flips; random erasing, Zhong et al. 2017, arXiv 1708.04896,
section 3); colours are never touched, because a colour is what tags are about. Shapes: B pictures, (B, 3, side, side).
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE, STRETCH, SHIFT = (0.85, 1.1), (0.95, 1.05), 0.1  # of the side
COVERED = 0.25  # of the side: an average grey square, in every second picture


def looks(pixels_B: Tensor, dice: torch.Generator | None = None) -> Tensor:
    """Another look at every picture, drawn from `dice` (torch's own where there are none)."""
    count, side = len(pixels_B), pixels_B.shape[-1]

    def drawn(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=dice) * (high - low) + low

    scale, mirrored = drawn(*SCALE), torch.where(drawn(0, 1) < 0.5, -1.0, 1.0)
    place_B = torch.zeros(count, 2, 3)
    place_B[:, 0, 0], place_B[:, 1, 1] = scale * mirrored, scale * drawn(*STRETCH)
    place_B[:, 0, 2], place_B[:, 1, 2] = drawn(-SHIFT, SHIFT), drawn(-SHIFT, SHIFT)
    grid = torch.nn.functional.affine_grid(place_B, list(pixels_B.shape), align_corners=False)
    moved_B = torch.nn.functional.grid_sample(
        pixels_B, grid.to(pixels_B), padding_mode="border", align_corners=False
    )
    size = int(side * COVERED)
    corners_B = torch.rand(count, 2, generator=dice) * (side - size)
    is_covered = drawn(0, 1) < 0.5
    for picture, (top, left), covered in zip(moved_B, corners_B.long().tolist(), is_covered.tolist(), strict=True):
        if covered:
            picture[:, top : top + size, left : left + size] = 0.0
    return moved_B
