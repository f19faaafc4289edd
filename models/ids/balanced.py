"""Rows to clusters of bounded size at little cost: prices first, then a repair of what the prices leave over.

In: cost_NK, how many rows a cluster may take. Out: index_N. Prices make crowded clusters dear until each draws its share:
they are the dual of an optimal transport with entropy (Cuturi 2013), taken to less and less entropy. What is still too
much is settled by regret: a full cluster keeps the rows that would lose most elsewhere. No random choice, ties to the
lowest index; sums go over spans of rows in their order, so that threads change no bit.

Shapes: N rows, K clusters, S rows of a span.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.ids.blocks import Vectors, block_starts, in_order

SPAN_ROWS = 4096
# Entropy as a part of what a row pays on average above its cheapest cluster.
ENTROPIES = (0.5, 0.2, 0.1, 0.05, 0.02)
ROUNDS = 12  # Sinkhorn's steps at each
MAX_STEP = 1e4  # no share grows or shrinks faster in one step: a cluster that no row sees yet must not become free


def balanced(cost_NK: Vectors, capacity: int, prices_K: NDArray[np.float64] | None = None) -> NDArray[np.int32]:
    """index_N with no cluster above `capacity`. `prices_K` of a similar problem save the search for them.

    Raises `ValueError` where the rows do not fit, or a cost is no number.
    """
    num_rows, clusters = cost_NK.shape
    if num_rows > capacity * clusters:
        raise ValueError(f"{num_rows} rows do not fit into {clusters} clusters of at most {capacity}: raise the capacity")
    if not np.isfinite(cost_NK).all():
        raise ValueError("costs must be finite numbers: look for NaN in the vectors")
    prices_K = prices(cost_NK) if prices_K is None else prices_K
    return _repaired(cost_NK, prices_K.astype(np.float32), capacity)


def prices(cost_NK: Vectors) -> NDArray[np.float64]:
    """prices_K: what to add to each cluster's costs so that every cluster is the cheapest for about as many rows."""
    num_rows, clusters = cost_NK.shape
    if num_rows == 0:
        return np.zeros(clusters)
    above = float((cost_NK.mean(axis=1, dtype=np.float64) - cost_NK.min(axis=1)).mean())
    price_K = torch.zeros(clusters, dtype=torch.float64)
    for entropy in ENTROPIES:
        scale = max(entropy * above / max(np.log2(clusters), 1), 1e-12)
        kernels = list(in_order(_Kernel(cost_NK, price_K.float(), scale), block_starts(num_rows, SPAN_ROWS)))
        share_K = torch.ones(clusters)
        for _ in range(ROUNDS):
            drawn_K = torch.stack(list(in_order(_Drawn(share_K), kernels))).double().sum(0)
            step_K = (num_rows / clusters / drawn_K.clamp_min(1e-30)).clamp(1 / MAX_STEP, MAX_STEP)
            share_K = (share_K.double() * step_K).clamp(1e-30, 1e30).float()
        price_K = price_K - scale * share_K.double().log()
    found: NDArray[np.float64] = (price_K - price_K.mean()).numpy()
    return found


class _Kernel:
    """kernel_SK of a span: how much each cluster attracts each row."""

    def __init__(self, cost_NK: Vectors, price_K: Tensor, scale: float) -> None:
        self.cost_NK, self.price_K, self.scale = cost_NK, price_K, scale

    def __call__(self, start: int) -> Tensor:
        cost_SK = torch.from_numpy(self.cost_NK[start : start + SPAN_ROWS]) + self.price_K
        return (cost_SK.sub_(cost_SK.amin(1, keepdim=True))).mul_(-1 / self.scale).exp_()


class _Drawn:
    """How many rows of a span each cluster draws, where every row is shared out by its kernel times `share_K`."""

    def __init__(self, share_K: Tensor) -> None:
        self.share_K = share_K

    def __call__(self, kernel_SK: Tensor) -> Tensor:
        weight_S = 1 / (kernel_SK @ self.share_K).clamp_min(1e-30)
        drawn_K: Tensor = (weight_S @ kernel_SK) * self.share_K
        return drawn_K


def _repaired(cost_NK: Vectors, price_K: NDArray[np.float32], capacity: int) -> NDArray[np.int32]:
    """In rounds: every row asks the cheapest cluster with room; one asked by too many takes those with most regret."""
    index_N = np.full(len(cost_NK), -1, dtype=np.int32)
    room_K, asking_M = np.full(len(price_K), capacity), np.arange(len(cost_NK))
    while len(asking_M):
        best_M, regret_M = _asked(cost_NK, np.where(room_K > 0, price_K, np.inf).astype(np.float32), asking_M)
        order_M = np.lexsort((asking_M, -regret_M, best_M))
        sorted_M = best_M[order_M]
        place_M = np.arange(len(order_M)) - np.searchsorted(sorted_M, sorted_M)
        taken_M = place_M < room_K[sorted_M]
        index_N[asking_M[order_M[taken_M]]] = sorted_M[taken_M]
        room_K -= np.bincount(sorted_M[taken_M], minlength=len(room_K))
        asking_M = np.sort(asking_M[order_M[~taken_M]])
    return index_N


def _asked(
    cost_NK: Vectors, price_K: NDArray[np.float32], asking_M: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The cheapest cluster of each asking row, and how much dearer its second one is."""

    def span(start: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        cost_SK = cost_NK[asking_M[start : start + SPAN_ROWS]] + price_K
        rows_S, best_S = np.arange(len(cost_SK)), cost_SK.argmin(axis=1)
        least_S = cost_SK[rows_S, best_S]
        cost_SK[rows_S, best_S] = np.inf
        return best_S, cost_SK.min(axis=1) - least_S

    found = list(in_order(span, block_starts(len(asking_M), SPAN_ROWS)))
    return np.concatenate([best for best, _ in found]), np.concatenate([regret for _, regret in found])
