"""Losses that pull quantised latents towards something and away from the rest of the batch.

Shapes: B batch, E latent. All are means over the rows that count, 0 where none does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def collaborative_loss(latent_BE: Tensor, behaviour_BE: Tensor) -> Tensor:
    """LETTER's alignment (arXiv 2405.07314, section 3.2): -log softmax_j <z_i, h_j> at j = i, over the batch.

    Rows whose behaviour is NaN (nobody has met them yet) neither learn nor stand as alternatives.
    """
    known_B = torch.isfinite(behaviour_BE).all(dim=1)
    if int(known_B.sum()) < 2:
        return latent_BE.sum() * 0
    scores = latent_BE[known_B] @ behaviour_BE[known_B].T
    return functional.cross_entropy(scores, torch.arange(len(scores)))


def pair_loss(latent_BE: Tensor, other_BE: Tensor, same_BB: Tensor, temperature: float) -> Tensor:
    """InfoNCE of co-occurring items on their quantised latents (FORGE, arXiv 2509.20904; PLUM, arXiv 2510.07784).

    Row i of both is a pair; the other rows of `other_BE` are its alternatives, but those that `same_BB` marks as itself
    or a partner of it as well.
    """
    if len(latent_BE) < 2:
        return latent_BE.sum() * 0
    scores_BB = functional.normalize(latent_BE, dim=1) @ functional.normalize(other_BE, dim=1).T / temperature
    spared_BB = same_BB & ~torch.eye(len(latent_BE), dtype=torch.bool)
    return functional.cross_entropy(scores_BB.masked_fill(spared_BB, -torch.inf), torch.arange(len(scores_BB)))


def identity_loss(latent_BE: Tensor, z_BE: Tensor, content_B: Tensor, temperature: float) -> Tensor:
    """Each quantised latent must be nearer to the latent it came from than to any other of the batch.

    Cross-entropy over minus squared distances; rows of equal content are no alternatives to each other. This is what asks
    for an ID of one's own: reconstruction alone cares little about items that are nearly alike.
    """
    square_BB = (latent_BE[:, None] - z_BE[None]).square().sum(2) if len(z_BE) <= 64 else _squares(latent_BE, z_BE)
    alike_BB = (content_B[:, None] == content_B[None]) & ~torch.eye(len(z_BE), dtype=torch.bool)
    scores_BB = (-square_BB / temperature).masked_fill(alike_BB, -torch.inf)
    return functional.cross_entropy(scores_BB, torch.arange(len(scores_BB)))


def _squares(a_BE: Tensor, b_BE: Tensor) -> Tensor:
    return a_BE.square().sum(1)[:, None] - 2 * a_BE @ b_BE.T + b_BE.square().sum(1)
