"""Which code each node of a tree gets: different ones under one parent, the same one for the same thing elsewhere.

In: where nodes stand (vectors), the parent of each, a codebook of shared places. Out: label_M. Inside a parent nodes
and codes are matched at the least total squared distance (Hungarian method); a code used more than its share costs
more, so that all are used. Parents come with most children first, ties by their number.
Shapes: M nodes, K codes, D dimensions.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.ids.fixed_point import Floats, Ints, distances, lloyd

CODEBOOK_ROWS = 16_384


def codebook(places_MD: Floats, count: int, seed: int) -> Floats:
    """Shared places_KD: k-means over at most 16,384 places, evenly spread; rows repeat where fewer places differ."""
    step = -(-len(places_MD) // CODEBOOK_ROWS)
    found_KD = lloyd(places_MD[::step], count, seed)
    return found_KD[np.arange(count) % len(found_KD)]


def matched(places_MD: Floats, parent_M: Ints, codebook_KD: Floats, balance: float) -> Ints:
    """label_M: no two children of a parent share one. Raises `ValueError` where a parent has more children than codes.

    `balance` is what a code of twice its share of use costs more, in mean distances of a node to a code.
    """
    count = len(codebook_KD)
    size_P = np.bincount(parent_M)
    if size_P.max() > count:
        raise ValueError(
            f"a node has {size_P.max()} children, more than the {count} codes that tell them apart"
        )
    order_M = np.argsort(parent_M, kind="stable")
    starts = np.cumsum(size_P) - size_P
    label_M, used_K = np.empty(len(parent_M), dtype=np.int64), np.zeros(count)
    for parent in np.argsort(-size_P, kind="stable").tolist():
        rows = order_M[starts[parent] : starts[parent] + size_P[parent]]
        if len(rows) == 0:
            break
        cost_BK = distances(places_MD[rows], codebook_KD)
        fee_K = balance * max(float(np.floor(cost_BK.mean())), 1.0) * used_K * count / max(used_K.sum(), count)
        picked, label = linear_sum_assignment(cost_BK + fee_K)
        label_M[rows[picked]] = label
        used_K[label] += 1
    return _all_used(label_M, places_MD, parent_M, codebook_KD)


def _all_used(label_M: Ints, places_MD: Floats, parent_M: Ints, codebook_KD: Floats) -> Ints:
    """Give each unused code to the nearest node whose own code others use too."""
    count = len(codebook_KD)
    used_K = np.bincount(label_M, minlength=count)
    for code in np.flatnonzero(used_K == 0).tolist():
        free_M = np.flatnonzero(used_K[label_M] > 1)
        if len(free_M) == 0:
            break
        node = free_M[distances(places_MD[free_M], codebook_KD[[code]])[:, 0].argmin()]
        used_K[label_M[node]] -= 1
        used_K[code], label_M[node] = 1, code
    return label_M
