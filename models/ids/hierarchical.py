"""Hierarchical k-means with clusters of about equal size: ColaRec's identifiers (arXiv 2403.18480, section 3.2).

In: the text vectors x_ND, and where known item_NE, what clusters are made of (collaborative vectors, or text and those
side by side). Out: `Fitted`; its tokenizer goes down the tree by text. Every cluster of more than one content is parted
into `children` ones of at most the average size, rounded up; in the last one every content has a code.
Shapes: N rows, M contents, E and D dimensions, C children, L levels, K codes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ids.fixed_point import Floats, Ints, checked, distances, group_means, seeds, to_fixed, unit_of
from models.ids.growth import contents_of, grow
from models.ids.tokenizer import Fitted, Vectors


@dataclass(frozen=True)
class Config:
    """`children` is 32 in ColaRec, with 3 levels; None is as many as there are codes."""

    input_dim: int
    levels: int = 3
    codes: int = 256
    children: int | None = None
    iterations: int = 10


def fit(x_ND: Vectors, config: Config, seed: int, item_NE: NDArray[np.floating] | None = None) -> Fitted:
    """Clusters of item_NE (of the text where it is None). Raises `ValueError` as `contents_of` does, for item vectors
    of other rows, for fewer than two levels, and for more children than codes.
    """
    contents = contents_of(x_ND, config.input_dim, config.codes)
    children = config.codes if config.children is None else config.children
    if config.levels < 2 or not 2 <= children <= config.codes:
        raise ValueError(
            f"a tree has 2 levels or more and 2 to {config.codes} children, not {config.levels}, {children}"
        )
    if item_NE is not None and len(item_NE) != len(x_ND):
        raise ValueError(
            f"there are {len(item_NE)} item vectors and {len(x_ND)} text vectors: give each row both"
        )
    rows_ME = contents.fixed_MD
    if item_NE is not None:
        fixed_NE = to_fixed(checked(item_NE), unit_of(item_NE))
        rows_ME = group_means(fixed_NE, contents.content_N, len(contents.hash_M))
    group_M, groups = np.zeros(len(rows_ME), dtype=np.int64), []
    for level in range(config.levels - 1):
        group_M = parted(rows_ME, group_M, children, seed + level, config.iterations)
        groups.append(group_M)
    tokenizer, codes_ML = grow(contents, groups, config.codes, seed)
    return Fitted(tokenizer, codes_ML[contents.content_N].astype(np.int32), {})


def parted(rows_ME: Floats, group_M: Ints, children: int, seed: int, iterations: int = 10) -> Ints:
    """part_M: each group in at most `children` clusters of about equal size, numbered through."""
    part_M, total = np.empty(len(group_M), dtype=np.int64), 0
    for members in np.split(np.argsort(group_M, kind="stable"), np.cumsum(np.bincount(group_M))[:-1]):
        if len(members) <= children:
            part_M[members] = total + np.arange(len(members))
        else:
            part_M[members] = total + constrained(rows_ME[members], children, seed, iterations)
        total += min(children, len(members))
    return part_M


def constrained(rows_NE: Floats, count: int, seed: int, iterations: int = 10) -> Ints:
    """cluster_N of k-means in which none has more than ceil(N / count) rows (whole numbers in, exact)."""
    cap = -(-len(rows_NE) // count)
    centroids_CE = seeds(rows_NE, count, seed)
    if len(centroids_CE) < count:  # fewer different rows: places repeat, their rows spread over them
        centroids_CE = centroids_CE[np.arange(count) % len(centroids_CE)]
    cluster_N = capped(distances(rows_NE, centroids_CE), cap)
    for _ in range(iterations):
        centroids_CE = group_means(rows_NE, cluster_N, count)
        moved_N = capped(distances(rows_NE, centroids_CE), cap)
        if np.array_equal(moved_N, cluster_N):
            break
        cluster_N = moved_N
    return cluster_N


def capped(cost_NC: Floats, cap: int) -> Ints:
    """choice_N with at most `cap` rows each: all ask for their cheapest with room, the cheapest askers get it, the others
    ask again. Raises `ValueError` where there is not room for all.
    """
    if cost_NC.shape[1] * cap < len(cost_NC):
        raise ValueError(f"{len(cost_NC)} rows do not fit into {cost_NC.shape[1]} clusters of at most {cap}")
    choice_N, room_C = np.full(len(cost_NC), -1, dtype=np.int64), np.full(cost_NC.shape[1], cap)
    while (waiting := np.flatnonzero(choice_N < 0)).size:
        open_BC = np.where(room_C > 0, cost_NC[waiting], np.inf)
        asked = open_BC.argmin(axis=1)
        order = np.lexsort((waiting, open_BC[np.arange(len(waiting)), asked], asked))
        size_C = np.bincount(asked, minlength=len(room_C))
        rank = np.arange(len(order)) - (np.cumsum(size_C) - size_C)[asked[order]]
        granted = order[rank < room_C[asked[order]]]
        choice_N[waiting[granted]] = asked[granted]
        room_C -= np.bincount(asked[granted], minlength=len(room_C))
    return choice_N
