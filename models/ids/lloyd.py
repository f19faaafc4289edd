"""K-means of many wide float32 rows: in memory, or in one look at rows that do not fit (mini-batches).

In: x_ND float32, how many centroids, a seed. Out: centroids_KD, float32. Distances are taken in float32 as |c|^2 - 2 x.c,
a block of rows at a time; sums go to float64 in the order of the rows, so that threads change no bit. For few rows of
few dimensions models/ids/kmeans.py is exact instead. Shapes: N rows, B rows of a block, K centroids, D dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.ids.blocks import BLOCK_ROWS, Product, Vectors, block, block_starts, in_order
from models.ids.kmeans import farthest_rows

SPAN_ROWS = 64 * BLOCK_ROWS  # rows whose sums a thread keeps in float32 before they go to float64
SEED_ROWS_A_CODE = 16  # k-means++ draws from a sample of so many rows a centroid


class Pass(NamedTuple):
    """One look at all rows: their nearest centroids, what they add up to, and squared distances (not below 0)."""

    index_N: NDArray[np.int32]
    sums_KD: NDArray[np.float64]
    counts_K: NDArray[np.int64]
    distance_N: NDArray[np.float32]


class Clusters(NamedTuple):
    """Centroids and the mean squared distance of the rows to them before the last move."""

    centroids_KD: Vectors
    inertia: float


def assign(x_ND: Vectors, centroids_KD: Vectors) -> Pass:
    """Every row to its nearest centroid, the first of equals."""
    codes_KD = torch.from_numpy(centroids_KD)
    product, norms_K = Product(-2 * codes_KD), codes_KD.square().sum(1)
    index_N, distance_N = np.empty(len(x_ND), np.int32), np.empty(len(x_ND), np.float32)

    def span(start: int) -> tuple[Tensor, NDArray[np.int64]]:
        end, sums_KD = min(start + SPAN_ROWS, len(x_ND)), torch.zeros_like(codes_KD)
        for at in range(start, end, BLOCK_ROWS):
            rows_BD = block(x_ND, at)
            cost_BK = product(rows_BD).add_(norms_K)
            nearest_B = torch.from_numpy(cost_BK.numpy().argmin(axis=1))
            real = min(BLOCK_ROWS, end - at)
            sums_KD.index_add_(0, nearest_B[:real], rows_BD[:real])
            index_N[at : at + real] = nearest_B[:real].numpy()
            distance_B = cost_BK.gather(1, nearest_B[:, None])[:, 0] + rows_BD.square().sum(1)
            distance_N[at : at + real] = distance_B[:real].clamp_min(0).numpy()
        return sums_KD, np.bincount(index_N[start:end], minlength=len(codes_KD))

    sums_KD, counts_K = np.zeros(centroids_KD.shape), np.zeros(len(centroids_KD), np.int64)
    for some_KD, some_K in in_order(span, block_starts(len(x_ND), SPAN_ROWS)):
        sums_KD += some_KD.numpy()
        counts_K += some_K
    return Pass(index_N, sums_KD, counts_K, distance_N)


def plus_plus(x_ND: Vectors, count: int, seed: int) -> Vectors:
    """k-means++ seeds from a sample of the rows (Arthur and Vassilvitskii 2007).

    Seeds are different rows; fewer than `count` where the sample holds fewer.
    """
    dice = np.random.default_rng(seed)
    wanted = max(SEED_ROWS_A_CODE * count, 1)
    chosen = np.sort(dice.choice(len(x_ND), wanted, replace=False)) if len(x_ND) > wanted else np.arange(len(x_ND))
    draws = dice.random(count)
    (seeds,) = in_order(lambda rows: _drawn(torch.from_numpy(rows), draws), [np.ascontiguousarray(x_ND[chosen])])
    return x_ND[chosen[seeds]]


def _drawn(rows_MD: Tensor, draws: NDArray[np.float64]) -> list[int]:
    squares_M = rows_MD.square().sum(1)
    seeds, distance_M = [int(draws[0] * len(rows_MD))], np.full(len(rows_MD), np.inf)
    for draw in draws[1:]:
        last = seeds[-1]
        new_M = squares_M + squares_M[last] - 2 * (rows_MD @ rows_MD[last])
        new_M[new_M <= 1e-5 * squares_M[last]] = 0  # a copy of the seed, but for rounding, has no odds
        distance_M = np.minimum(distance_M, new_M.numpy())
        odds_M = np.cumsum(distance_M)
        if odds_M[-1] <= 0:
            break
        seeds.append(min(int(np.searchsorted(odds_M, draw * odds_M[-1], side="right")), len(rows_MD) - 1))
    return seeds


def lloyd(x_ND: Vectors, count: int, seed: int, iterations: int = 20) -> Clusters:
    """Lloyd's iterations from k-means++ seeds; K < `count` only where the rows are fewer or alike.

    A centroid that loses all its rows moves to the row farthest from its own. Raises `ValueError` without rows.
    """
    if len(x_ND) == 0 or count < 1:
        raise ValueError(f"k-means needs at least one row and one centroid; there are {len(x_ND)} rows, {count} centroids")
    centroids_KD = plus_plus(x_ND, count, seed)
    inertia, before_N = 0.0, np.empty(0, np.int32)
    for _ in range(iterations):
        found = assign(x_ND, centroids_KD)
        inertia = float(found.distance_N.mean(dtype=np.float64))
        if np.array_equal(found.index_N, before_N):
            break
        before_N = found.index_N
        centroids_KD = moved(x_ND, centroids_KD, found)
    return Clusters(centroids_KD, inertia)


def moved(x_ND: Vectors, centroids_KD: Vectors, found: Pass) -> Vectors:
    """The means of each centroid's rows; one without rows goes to the row farthest from its centroid."""
    means_KD = np.where(
        found.counts_K[:, None] > 0, found.sums_KD / np.maximum(found.counts_K, 1)[:, None], centroids_KD
    ).astype(np.float32)
    empty_M = np.flatnonzero(found.counts_K == 0)
    if len(empty_M):
        far_M = farthest_rows(torch.from_numpy(x_ND), torch.from_numpy(found.distance_N), len(empty_M)).numpy()
        means_KD[empty_M[: len(far_M)]] = x_ND[far_M]
    return means_KD


def refine(blocks: Iterable[Vectors], centroids_KD: Vectors, transform: Callable[[Vectors], Vectors]) -> Clusters:
    """Mini-batch k-means (Sculley 2010, with whole blocks as batches): each centroid becomes the running mean of the rows
    that came to it, the given centroid counting as one row.

    `transform` makes of a block what is clustered (its residuals). Memory holds one block and the centroids.
    """
    means_KD, seen_K = centroids_KD.astype(np.float64), np.ones(len(centroids_KD))
    total, rows = 0.0, 0
    for x_ND in blocks:
        found = assign(transform(x_ND), means_KD.astype(np.float32))
        seen_K += found.counts_K
        means_KD += (found.sums_KD - found.counts_K[:, None] * means_KD) / seen_K[:, None]
        total, rows = total + float(found.distance_N.sum(dtype=np.float64)), rows + len(x_ND)
    return Clusters(means_KD.astype(np.float32), total / max(rows, 1))
