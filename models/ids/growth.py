"""From nested groups of contents to a tree with codes.

In: contents (different vectors, ordered by hash), for each level but the last the group of each content, groups nested.
Out: the `TreeTokenizer` and codes_ML. Level 1 numbers its groups by size. At level 2 the shared places of codes are
where groups lie among all notes: a community has no place of its own in text space, so its parts are told apart by what
they are about. From level 3 on they are where nodes lie around their parent.
Shapes: N rows, M contents, L levels, K codes, D dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ids.fixed_point import (
    Floats,
    Ints,
    checked,
    group_means,
    hashes,
    lloyd,
    squares,
    to_fixed,
    unit_of,
)
from models.ids.labels import codebook, matched
from models.ids.tokenizer import Vectors
from models.ids.tree import Anchors, Leaves, Level, TreeTokenizer

BALANCE = 0.5
ANCHOR_ROWS = 4
MOST_ANCHORS = 16_384


class Contents(NamedTuple):
    """The different vectors among rows, by ascending hash, and which of them each row is."""

    fixed_MD: Floats
    hash_M: NDArray[np.uint64]
    content_N: Ints
    unit: float


def contents_of(x_ND: Vectors, input_dim: int, codes: int) -> Contents:
    """Raises `ValueError` for rows of another width, NaN, vectors of zeros, or fewer different rows than codes."""
    zeros_N = ~np.any(checked(x_ND, input_dim), axis=1)
    if zeros_N.any():
        raise ValueError(
            f"{zeros_N.sum()} of {len(x_ND)} vectors are all zeros, the first in row {zeros_N.argmax()}"
        )
    unit = unit_of(x_ND)
    fixed_ND = to_fixed(x_ND, unit)
    hash_M, first_M, content_N = np.unique(hashes(fixed_ND), return_index=True, return_inverse=True)
    if len(hash_M) < codes:
        raise ValueError(
            f"{len(hash_M)} different vectors cannot use {codes} codes: take fewer codes or more notes"
        )
    return Contents(fixed_ND[first_M], hash_M, content_N.astype(np.int64), unit)


def grow(contents: Contents, groups: list[Ints], codes: int, seed: int) -> tuple[TreeTokenizer, Ints]:
    """The tree over the groups of each level but the last, with a leaf for each content, and codes_ML.

    Raises `ValueError` where a group is split into more groups than codes. Contents of a last group share codes evenly
    where they are more than codes.
    """
    count = len(contents.fixed_MD)
    node_M, inner, label_ML = np.zeros(count, dtype=np.int64), [], []
    anchors = Anchors(contents.fixed_MD[:0], node_M[:0])
    for at, group_M in enumerate(groups):
        level, node_M = _level(contents.fixed_MD, node_M, group_M, codes, (at, seed))
        inner.append(level)
        label_ML.append(level.code_M[node_M])
        if at == min(1, len(groups) - 1):
            anchors = _anchors(contents.fixed_MD, node_M, seed)
    leaves = _leaves(contents, inner[-1].mean_MD, node_M, codes, seed + len(groups))
    order_M = np.lexsort((contents.hash_M, node_M))
    label_M = np.empty(count, dtype=np.int64)
    label_M[order_M] = leaves.code_M
    return TreeTokenizer(inner, anchors, leaves, contents.unit), np.stack([*label_ML, label_M], axis=1)


def _level(
    fixed_MD: Floats, above_M: Ints, group_M: Ints, codes: int, where: tuple[int, int]
) -> tuple[Level, Ints]:
    """A level's nodes in their order, and the node of each content."""
    at, seed = where
    _, first, raw_M = np.unique(
        np.stack([above_M, group_M], axis=1), axis=0, return_index=True, return_inverse=True
    )
    raw_M = raw_M.reshape(-1)
    parent_G = above_M[first]
    mean_GD = group_means(fixed_MD, raw_M, len(first))
    label_G = _labels(mean_GD, parent_G, raw_M, codes, (at, seed))
    order_G = np.lexsort((label_G, parent_G))
    rank_G = np.empty(len(order_G), dtype=np.int64)
    rank_G[order_G] = np.arange(len(order_G))
    start_P = np.searchsorted(parent_G[order_G], np.arange(above_M.max() + 2))
    return Level(label_G[order_G], start_P, mean_GD[order_G]), rank_G[raw_M]


def _labels(mean_GD: Floats, parent_G: Ints, raw_M: Ints, codes: int, where: tuple[int, int]) -> Ints:
    at, seed = where
    if at == 0:
        if len(mean_GD) > codes:
            raise ValueError(f"the first level has {len(mean_GD)} groups, more than its {codes} codes")
        size_G = np.bincount(raw_M)
        label_G = np.empty(len(size_G), dtype=np.int64)
        label_G[np.argsort(-size_G, kind="stable")] = np.arange(len(size_G))
        return label_G
    if at == 1:
        places_GD = mean_GD - np.rint(mean_GD.mean(axis=0))
    else:
        size_G = np.bincount(raw_M)
        weighted = np.zeros((parent_G.max() + 1, mean_GD.shape[1]))
        np.add.at(weighted, parent_G, mean_GD * size_G[:, None])
        places_GD = mean_GD - np.rint(weighted / np.bincount(parent_G, weights=size_G)[:, None])[parent_G]
    return matched(places_GD, parent_G, codebook(places_GD, codes, seed + at), BALANCE)


def _anchors(fixed_MD: Floats, node_M: Ints, seed: int) -> Anchors:
    """k-means inside each node, an anchor for every four contents (for more where there would be above 16,384)."""
    share = max(ANCHOR_ROWS, -(-len(node_M) // MOST_ANCHORS))
    size_G = np.bincount(node_M)
    mean_GD, found, nodes = group_means(fixed_MD, node_M, len(size_G)), [], []
    for node, members in enumerate(np.split(np.argsort(node_M, kind="stable"), np.cumsum(size_G)[:-1])):
        few = len(members) <= share
        means_AD = (
            mean_GD[[node]]
            if few
            else lloyd(fixed_MD[members], -(-len(members) // share), seed, iterations=10)
        )
        found.append(means_AD)
        nodes.append(np.full(len(means_AD), node))
    return Anchors(np.concatenate(found), np.concatenate(nodes).astype(np.int64))


def _leaves(contents: Contents, mean_GD: Floats, node_M: Ints, codes: int, seed: int) -> Leaves:
    order_M = np.lexsort((contents.hash_M, node_M))
    places_MD = (contents.fixed_MD - mean_GD[node_M])[order_M]
    size_G = np.bincount(node_M)
    start_G = np.concatenate([[0], np.cumsum(size_G)])
    # A group with more contents than codes is matched in turns of so many, each with all codes to itself.
    turn_M = (np.arange(len(order_M)) - start_G[node_M[order_M]]) // codes
    virtual_M = np.unique(np.stack([node_M[order_M], turn_M], axis=1), axis=0, return_inverse=True)[
        1
    ].reshape(-1)
    shared_KD = _even_lengths(codebook(places_MD, codes, seed))
    label_M = matched(places_MD, virtual_M, shared_KD, BALANCE)
    return Leaves(shared_KD, start_G, contents.hash_M[order_M], label_M)


def _even_lengths(places_KD: Floats) -> Floats:
    """All places as far from the parent as the average: otherwise the few near ones would draw most new notes."""
    length_K = np.sqrt(squares(places_KD))
    return np.rint(places_KD * (np.rint(length_K.mean()) / np.maximum(length_K, 1.0))[:, None])
