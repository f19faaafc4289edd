"""K-means with k-means++ seeds, the same centroids for the same rows and seed, whatever duplicates the rows hold.

In: rows_NE (any float type), how many centroids, a seed. Out: centroids_KE, float64, K no more than the different rows.
Shapes: N rows, K centroids, E dimensions. Distances are squared Euclidean and taken in chunks of rows, so that memory
stays at CHUNK x K. Float64 keeps the choice of a centroid clear of rounding; the rows here are latents of 32 dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 8192


class Nearest(NamedTuple):
    """For each row the nearest centroid (the first of equals) and the squared distance to it."""

    index_N: Tensor
    distance_N: Tensor


def squared_distances(rows_NE: Tensor, centroids_KE: Tensor) -> Tensor:
    """Squared Euclidean distances_NK by the expanded square; not below 0."""
    cross_NK = rows_NE @ centroids_KE.T
    return (rows_NE.square().sum(1, keepdim=True) - 2 * cross_NK + centroids_KE.square().sum(1)).clamp_min(0)


def nearest(rows_NE: Tensor, centroids_KE: Tensor) -> Nearest:
    """The nearest centroid of each row."""
    found = [squared_distances(chunk, centroids_KE).min(dim=1) for chunk in torch.split(rows_NE, CHUNK)]
    index_N = torch.cat([f.indices for f in found])
    # The expanded square leaves rounding where a row lies on its centroid; the plain one gives 0 there.
    pairs = zip(torch.split(rows_NE, CHUNK), torch.split(index_N, CHUNK), strict=True)
    return Nearest(index_N, torch.cat([(rows - centroids_KE[i]).square().sum(1) for rows, i in pairs]))


def farthest_rows(rows_NE: Tensor, distance_N: Tensor, count: int) -> Tensor:
    """The indices of up to `count` different rows with the greatest distances above 0, farthest first."""
    order_N = torch.sort(distance_N, descending=True, stable=True).indices
    seen: set[bytes] = set()
    chosen: list[int] = []
    for row in order_N.tolist():
        if len(chosen) == count or distance_N[row] <= 0:
            break
        content = rows_NE[row].detach().numpy().tobytes()
        if content not in seen:
            seen.add(content)
            chosen.append(row)
    return torch.tensor(chosen, dtype=torch.long)


def plus_plus_seeds(rows_NE: Tensor, count: int, seed: int) -> Tensor:
    """k-means++ (Arthur and Vassilvitskii 2007): each seed is drawn with odds in proportion to the squared distance.

    Rows that lie on a seed have no odds, so that seeds differ; there are fewer than `count` where different rows are.
    """
    dice = torch.Generator().manual_seed(seed)
    draws = torch.rand(count, generator=dice, dtype=torch.float64)
    chosen = [int(draws[0] * len(rows_NE))]
    distance_N = (rows_NE - rows_NE[chosen[0]]).square().sum(1)
    for draw in draws[1:]:
        odds_N = distance_N.cumsum(0)
        if odds_N[-1] <= 0:
            break
        row = int(torch.searchsorted(odds_N, draw * odds_N[-1], right=True).clamp_max(len(rows_NE) - 1))
        chosen.append(row)
        distance_N = torch.minimum(distance_N, (rows_NE - rows_NE[row]).square().sum(1))
    return rows_NE[chosen]


def kmeans(rows_NE: Tensor, count: int, seed: int, iterations: int = 30) -> Tensor:
    """Centroids_KE after Lloyd's iterations from k-means++ seeds; K < `count` only where fewer different rows are.

    A centroid that loses all its rows moves to the row farthest from its own. Raises `ValueError` without rows.
    """
    if len(rows_NE) == 0 or count < 1:
        seen = f"there are {len(rows_NE)} rows, {count} centroids"
        raise ValueError(f"k-means needs at least one row and one centroid; {seen}")
    rows_NE = rows_NE.to(torch.float64)
    centroids_KE = plus_plus_seeds(rows_NE, count, seed)
    for _ in range(iterations):
        moved_KE = _means(rows_NE, centroids_KE)
        if torch.equal(moved_KE, centroids_KE):
            break
        centroids_KE = moved_KE
    return centroids_KE


def _means(rows_NE: Tensor, centroids_KE: Tensor) -> Tensor:
    found = nearest(rows_NE, centroids_KE)
    sums_KE = torch.zeros_like(centroids_KE).index_add_(0, found.index_N, rows_NE)
    counts_K = torch.bincount(found.index_N, minlength=len(centroids_KE))
    moved_KE = torch.where(counts_K[:, None] > 0, sums_KE / counts_K.clamp_min(1)[:, None], centroids_KE)
    empty_M = torch.nonzero(counts_K == 0)[:, 0]
    if len(empty_M):
        far_M = farthest_rows(rows_NE, found.distance_N, len(empty_M))
        moved_KE[empty_M[: len(far_M)]] = rows_NE[far_M]
    return moved_KE
