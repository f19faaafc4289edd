"""How well a recommender tells its answers: cross-entropy, where a code competes with the codes of its level alone.

In: logits over the vocabulary and the tokens that should have come. Out: a loss for every token.

A code is never decoded against another word: the beam search takes the log-probabilities of the level's codes. So the
model need not learn that a code is due where one is.

Shapes: B rows, A learned tokens, V tokens of the vocabulary, L levels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.recommend.id_tokens import IdTokens

IGNORED = -100


def answer_loss(logits_BAV: Tensor, label_BA: Tensor, id_tokens: IdTokens) -> Tensor:
    """loss_BA; 0 where the label is `IGNORED`."""
    level_V = levels_of(id_tokens, logits_BAV.shape[-1], logits_BAV.device)
    due_BA = level_V[label_BA.clamp(min=0)]
    is_rival_BAV = (due_BA[..., None] == level_V) | (due_BA < 0)[..., None]
    rivals_BAV = logits_BAV.float().masked_fill(~is_rival_BAV, float("-inf"))
    loss = cross_entropy(rivals_BAV.flatten(0, 1), label_BA.flatten(), ignore_index=IGNORED, reduction="none")
    return loss.view_as(label_BA)


def levels_of(id_tokens: IdTokens, num_tokens: int, device: torch.device | str = "cpu") -> Tensor:
    """level_V: the level whose code a token is; -1 for other words, which compete with all."""
    level_V = torch.full((num_tokens,), -1, dtype=torch.long, device=device)
    for level, size in enumerate(id_tokens.sizes):
        level_V[id_tokens.first_of(level) : id_tokens.first_of(level) + size] = level
    return level_V
