"""Soft targets: an answer's neighbours are a little right too, so that notes with few clicks are learned of others' clicks.

In: neighbours by clicks and by content among notes. Out: of every ID the nearest others and their shares, and a loss of
scores at every level. Code after code, what is learned is (1 - weight) * the answer + weight * its neighbours, given the
codes before: neighbours with another prefix drop out, and the rest weighs what it has. Of label smoothing (arXiv
1512.00567, section 7) it differs by where the smoothing goes.

Shapes: N notes, or IDs (leaves, in order of their codes); E neighbours kept, M answers, W children of a node, L levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.recommend import content
from models.recommend.neighbours import ranked

BLOCK_ROWS = 8192  # whose neighbours are put in order at a time


@dataclass(frozen=True)
class Config:
    """By NDCG@10 on the validation answers of Amazon Scientific."""

    by_content: float = 0.4  # of a neighbourhood, where both speak
    sharp: float = 20.0  # of content; decoding's are flatter
    keep: int = 50


class Near(NamedTuple):
    """leaf_NE, the nearest first and -1 where there are fewer; a row of share_NE sums to 1, or is empty."""

    leaf_NE: NDArray[np.int64]
    share_NE: NDArray[np.float32]


def near_leaves(near_NN: sp.csr_array, codes_NL: NDArray[np.integer]) -> sp.csr_array:
    """Neighbours among notes as neighbours among their IDs; a row sums to 1, or is empty."""
    ids_NL, leaf_N = np.unique(codes_NL, axis=0, return_inverse=True)
    ones_N = np.ones(len(leaf_N), dtype=np.float32)
    leaf_of_NN = sp.csr_array((ones_N, (np.arange(len(leaf_N)), leaf_N)), shape=(len(leaf_N), len(ids_NL)))
    return _shares(sp.csr_array(leaf_of_NN.T @ _shares(near_NN) @ leaf_of_NN))


def sharper(near_NN: sp.csr_array, config: Config) -> sp.csr_array:
    """Neighbours by content as if they were made with `config.sharp`: their weights are powers of one another."""
    found = near_NN.copy()
    found.data = found.data ** np.float32(config.sharp / content.Config.sharp)
    return _shares(found)


def strongest_of(near_NN: sp.csr_array, keep: int) -> Near:
    """The `keep` nearest of each row, with all its weight."""
    starts = range(0, max(1, near_NN.shape[0]), BLOCK_ROWS)
    parts = [ranked(near_NN[start : start + BLOCK_ROWS], keep) for start in starts]
    leaf_NE, share_NE = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Near(leaf_NE, share_NE / np.maximum(share_NE.sum(axis=1, keepdims=True), np.float32(1e-30)))


def blend(by_clicks_NN: sp.csr_array, by_content_NN: sp.csr_array | None, config: Config) -> Near:
    """Both neighbourhoods of IDs as one; of an ID that has but one of them, that."""
    if by_content_NN is None:
        return strongest_of(by_clicks_NN, config.keep)
    share = np.float32(config.by_content)
    return strongest_of(sp.csr_array((1 - share) * by_clicks_NN + share * by_content_NN), config.keep)


def _shares(near_NN: sp.csr_array) -> sp.csr_array:
    total_N = np.asarray(near_NN.sum(axis=1)).ravel()
    scale_N = np.divide(1, total_N, out=np.zeros_like(total_N), where=total_N > 0)
    return sp.csr_array(sp.diags_array(scale_N) @ near_NN, dtype=np.float32)


class SoftTargets(nn.Module):
    """Neighbours of the IDs whose `prefix_keys` are given, as targets of this weight. No part of what is kept."""

    leaf_NE: Tensor
    share_NE: Tensor
    node_LN: Tensor

    def __init__(self, near: Near, weight: float, keys: Sequence[Tensor], sizes: Sequence[int]) -> None:
        super().__init__()
        if not 0 <= weight < 1:
            raise ValueError(f"soft targets weigh {weight}: it must be at least 0 and below 1")
        if len(near.leaf_NE) != len(keys[-1]):
            raise ValueError(f"neighbours of {len(near.leaf_NE)} IDs are not those of {len(keys[-1])}")
        self.weight = weight
        found = {
            "leaf_NE": torch.from_numpy(near.leaf_NE).clamp(min=0),
            "share_NE": torch.from_numpy(near.share_NE),
            "node_LN": _paths(keys, sizes),
        }
        for name, value in found.items():
            self.register_buffer(name, value, persistent=False)

    def forward(
        self, level: int, loss_M: Tensor, score_MW: Tensor, start_M: Tensor, before_M: Tensor, leaf_M: Tensor
    ) -> Tensor:
        """loss_M with the neighbours' part, at a level where the children of `before_M` begin at node `start_M`.

        leaf_M are the answers' IDs; an answer at -1 has no neighbours.
        """
        near_ME = self.leaf_NE[leaf_M.clamp(min=0)]
        is_here_ME = (leaf_M >= 0)[:, None].expand_as(near_ME)
        if level:
            is_here_ME = is_here_ME & (self.node_LN[level - 1][near_ME] == before_M[:, None])
        share_ME = self.share_NE[leaf_M.clamp(min=0)] * is_here_ME
        at_ME = (self.node_LN[level][near_ME] - start_M[:, None]).masked_fill(~is_here_ME, 0)
        near_M = (share_ME * (score_MW.logsumexp(1, keepdim=True) - score_MW.gather(1, at_ME))).sum(1)
        hard = 1 - self.weight
        mixed: Tensor = (hard * loss_M + self.weight * near_M) / (hard + self.weight * share_ME.sum(1))
        return mixed


def _paths(keys: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """node_LN: the node of every ID at every level."""
    node_N, found = torch.arange(len(keys[-1])), list[Tensor]()
    for key_N, size in zip(reversed(keys), reversed(sizes), strict=True):
        found.append(node_N)
        node_N = key_N[node_N] // size
    return torch.stack(found[::-1])
