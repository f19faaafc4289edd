"""The lazy recommender as a scorer of the next code: the history once, then a small head a code (`lazy.py`).

Shapes: Q requests, B beams, K codes of a level, W children that a node may have, D width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.recommend.decoders import CodeTokens, Decoder, Prompt
from models.recommend.lazy import Lazy

CHILDREN_A_CALL = (
    2**24
)  # numbers that are held at a time, where each prefix has the vectors of its own children gathered


class LazyState(NamedTuple):
    """hidden_QBD of every beam before its latest code, and node_QB, the node of its prefix then (0: the root)."""

    hidden_QBD: Tensor
    node_QB: Tensor


def lazy_decoder(model: Lazy) -> Decoder:
    """Of a network in evaluation mode.

    A code that leads to a node is scored by the vectors of both, as in training; one that nobody had in training after
    this prefix by its own vector alone, so that notes which came later can be found. What is given are probabilities
    over all codes of a level; the search holds those that its trie allows against each other (`among_allowed`), which is
    the softmax of the training where the trie is that of the training's day.
    """
    return _Lazy(model)


class _Lazy:
    among_allowed = True

    def __init__(self, model: Lazy) -> None:
        self.model = model
        self.id_tokens: CodeTokens = model.id_tokens

    def begin(self, prompt: Prompt) -> tuple[LazyState, Tensor]:
        if self.model.training:
            raise ValueError(
                "the model is in training mode, so that dropout would decide: call model.eval() first"
            )
        hidden_QBD = self.model.last(prompt.token_QT, prompt.mask_QT)[:, None]
        node_QB = torch.zeros(hidden_QBD.shape[:2], dtype=torch.long, device=hidden_QBD.device)
        return LazyState(hidden_QBD, node_QB), self._log_prob(hidden_QBD, node_QB, 0)[:, 0]

    def extend(
        self, state: LazyState, parent_QB: Tensor, code_QB: Tensor, depth: int
    ) -> tuple[LazyState, Tensor]:
        width = state.hidden_QBD.shape[-1]
        hidden_QBD = state.hidden_QBD.gather(1, parent_QB[..., None].expand(-1, -1, width))
        node_QB = self.model.node(depth - 1, state.node_QB.gather(1, parent_QB), code_QB)
        hidden_QBD = self.model.step(depth - 1, hidden_QBD, code_QB, node_QB)
        return LazyState(hidden_QBD, node_QB), self._log_prob(hidden_QBD, node_QB, depth)

    def _log_prob(self, hidden_QBD: Tensor, node_QB: Tensor, level: int) -> Tensor:
        """log_prob_QBK: of all codes, in float32."""
        rows = max(1, CHILDREN_A_CALL // (self.model.widths[level] * hidden_QBD.shape[-1]))
        pairs = zip(hidden_QBD.flatten(0, 1).split(rows), node_QB.flatten().split(rows), strict=True)
        score_MK = torch.cat([self._scores(hidden_MD, node_M, level) for hidden_MD, node_M in pairs])
        return score_MK.log_softmax(-1).unflatten(0, node_QB.shape)

    def _scores(self, hidden_MD: Tensor, node_M: Tensor, level: int) -> Tensor:
        """score_MK: of its own vector for every code, and of the node's beside it where it leads to one."""
        own_MW, code_MW, is_there_MW = self.model.children_of(level, hidden_MD, node_M)
        score_MK = self.model.codes(level, hidden_MD)
        return score_MK.scatter_add(1, code_MW, own_MW.masked_fill(~is_there_MW, 0.0))
