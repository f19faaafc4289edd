"""What stands in every patch of a picture by plain measurement: its edges by direction and its mean colours.

A tower that has a thousand labels and no more finds outlines late and badly, though a linear classifier of histograms of
oriented gradients (Dalal & Triggs, CVPR 2005) has no trouble with the same pictures. So it is also asked to tell these
histograms, patch by patch: they cost nothing and every picture has as many of them as patches (as targets: MaskFeat,
arXiv 2112.09133, section 3). Shapes: B pictures, P patches in rows, F measurements.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

DIRECTIONS = 8  # of an edge, half a turn around
NUM_FORMS = DIRECTIONS + 3
WEIGHT = 3.0  # of the loss beside that of labels
_EVEN = 1e-2  # the least deviation that is divided by: what hardly changes from patch to patch teaches nothing


def forms(pixels_B: Tensor, patch: int) -> Tensor:
    """The measurements (B, P, F) of pictures (B, 3, side, side): edges, as roots of their mean strength, and colours."""
    grey_B = pixels_B.mean(1)
    across, down = grey_B[:, 1:-1, 2:] - grey_B[:, 1:-1, :-2], grey_B[:, 2:, 1:-1] - grey_B[:, :-2, 1:-1]
    turn = (torch.atan2(down, across) % math.pi) * (DIRECTIONS / math.pi)
    bin_B1 = turn.long().remainder(DIRECTIONS)[:, None]
    strength_B1 = (across.square() + down.square()).sqrt()[:, None]
    edges = torch.zeros(len(pixels_B), DIRECTIONS, *grey_B.shape[1:]).to(pixels_B)
    edges[:, :, 1:-1, 1:-1].scatter_(1, bin_B1, strength_B1)
    pooled = [nn.functional.avg_pool2d(edges, patch).sqrt(), nn.functional.avg_pool2d(pixels_B, patch)]
    return torch.cat(pooled, 1).flatten(2).transpose(1, 2)


def form_loss(told_BPF: Tensor, pixels_B: Tensor, patch: int) -> Tensor:
    """How far what is told of patches is from their measurements, each in units of its deviation among these pictures."""
    true_BPF = forms(pixels_B, patch)
    mean_F, deviation_F = true_BPF.mean((0, 1)), true_BPF.std((0, 1)).clamp(min=_EVEN)
    return (told_BPF - (true_BPF - mean_F) / deviation_F).square().mean()
