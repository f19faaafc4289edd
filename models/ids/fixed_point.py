"""Vectors as whole numbers, so that every sum over them is exact and no order, batch or number of threads shows.

A coordinate is a multiple of 2^-23 of a power of two that no row's length exceeds. Products of two such vectors stay
below 2^53 and are added without rounding in float64, whoever adds them in whatever order.
Shapes: N rows, K centroids, D dimensions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BITS = 23
_CHUNK = 4096
_HASH_SEED = 0x5EED


def checked(x_ND: NDArray[np.floating], width: int | None = None) -> NDArray[np.floating]:
    """The rows, if they are finite and as wide as due; otherwise `ValueError` with the first row that is wrong."""
    if x_ND.ndim != 2 or (width is not None and x_ND.shape[1] != width):
        due = "rows x dimensions" if width is None else f"rows x {width}"
        raise ValueError(f"vectors must be {due}; their shape is {x_ND.shape}")
    wrong_N = ~np.isfinite(x_ND).all(axis=1)
    if wrong_N.any():
        raise ValueError(
            f"{wrong_N.sum()} of {len(x_ND)} vectors hold NaN or infinity, the first in row {wrong_N.argmax()}"
        )
    return x_ND


def unit_of(x_ND: NDArray[np.floating]) -> float:
    """What one step is worth: 2^-23 of the least power of two above every row's length."""
    longest = float(np.sqrt(np.square(x_ND.astype(np.float64)).sum(axis=1)).max(initial=0.0))
    return float(2.0 ** (np.frexp(longest)[1] - _BITS)) if longest > 0 else 1.0


def to_fixed(x_ND: NDArray[np.floating], unit: float) -> Floats:
    """Whole numbers of steps, kept in float64."""
    return np.rint(x_ND.astype(np.float64) / unit)


def normalized(x_ND: NDArray[np.floating]) -> Floats:
    """Rows of length one; a row of zeros stays as it is."""
    rows_ND = x_ND.astype(np.float64)
    length_N = np.sqrt(np.square(rows_ND).sum(axis=1, keepdims=True))
    return rows_ND / np.where(length_N > 0, length_N, 1.0)


def hashes(fixed_ND: Floats) -> NDArray[np.uint64]:
    """64 bits a row, equal for equal rows: a sum of coordinates times odd numbers, modulo 2^64."""
    dice = np.random.Generator(np.random.PCG64(_HASH_SEED))
    odd_D = dice.integers(0, 2**63, fixed_ND.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        return (fixed_ND.astype(np.int64).view(np.uint64) * odd_D).sum(axis=1, dtype=np.uint64)


def group_means(fixed_ND: Floats, group_N: Ints, count: int) -> Floats:
    """The mean of each group, rounded to whole steps; a group without rows gets zeros."""
    order_N = np.argsort(group_N, kind="stable")
    size_K = np.bincount(group_N, minlength=count)
    filled_K = np.flatnonzero(size_K)
    means_KD = np.zeros((count, fixed_ND.shape[1]))
    starts = (np.cumsum(size_K) - size_K)[filled_K]
    means_KD[filled_K] = np.add.reduceat(fixed_ND[order_N], starts, axis=0) if len(filled_K) else 0.0
    return np.rint(means_KD / np.maximum(size_K, 1)[:, None])


def squares(fixed_ND: Floats) -> Floats:
    """The exact squared length of each row."""
    return np.einsum("nd,nd->n", fixed_ND, fixed_ND)


def distances(fixed_ND: Floats, centroids_KD: Floats, own_N: Floats | None = None) -> Floats:
    """Exact squared distances_NK, in steps squared; `own_N` are the rows' squared lengths where they are known."""
    found_NK = fixed_ND @ centroids_KD.T
    found_NK *= -2.0
    found_NK += (squares(fixed_ND) if own_N is None else own_N)[:, None]
    found_NK += squares(centroids_KD)
    return found_NK


def nearest(fixed_ND: Floats, centroids_KD: Floats) -> tuple[Ints, Floats]:
    """The nearest centroid of each row (the first of equals) and the squared distance to it."""
    index_N, distance_N = np.empty(len(fixed_ND), dtype=np.int64), np.empty(len(fixed_ND))
    for at in range(0, len(fixed_ND), _CHUNK):
        part_BK = distances(fixed_ND[at : at + _CHUNK], centroids_KD)
        index_N[at : at + _CHUNK] = part_BK.argmin(axis=1)
        distance_N[at : at + _CHUNK] = part_BK.min(axis=1)
    return index_N, distance_N


def seeds(fixed_ND: Floats, count: int, seed: int) -> Floats:
    """k-means++ (Arthur and Vassilvitskii 2007); fewer than `count` only where fewer different rows are."""
    draws = np.random.Generator(np.random.PCG64(seed)).random(count)
    chosen, own_N = [int(draws[0] * len(fixed_ND))], squares(fixed_ND)
    distance_N = distances(fixed_ND, fixed_ND[chosen], own_N)[:, 0]
    for draw in draws[1:]:
        # Cumulative sums of whole numbers below 2^53 would be exact; scaled down they are, whatever the rows.
        odds_N = np.cumsum(np.floor(distance_N / 2.0**16))
        if odds_N[-1] <= 0:
            break
        chosen.append(min(int(np.searchsorted(odds_N, draw * odds_N[-1], side="right")), len(fixed_ND) - 1))
        distance_N = np.minimum(distance_N, distances(fixed_ND, fixed_ND[chosen[-1:]], own_N)[:, 0])
    return fixed_ND[chosen]


def lloyd(fixed_ND: Floats, count: int, seed: int, iterations: int = 20) -> Floats:
    """Centroids_KD of plain k-means; one that loses all its rows stays where it was."""
    centroids_KD = seeds(fixed_ND, count, seed)
    for _ in range(iterations):
        index_N, _ = nearest(fixed_ND, centroids_KD)
        size_K = np.bincount(index_N, minlength=len(centroids_KD))
        moved_KD = np.where(size_K[:, None] > 0, group_means(fixed_ND, index_N, len(size_K)), centroids_KD)
        if np.array_equal(moved_KD, centroids_KD):
            break
        centroids_KD = moved_KD
    return centroids_KD
