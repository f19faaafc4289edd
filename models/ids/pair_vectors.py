"""Collaborative vectors of notes from their pairs: positive pointwise mutual information, cut down to a few dimensions.

In: pairs_P2 (two item numbers each) with weights_P. Out: vectors_NC, zero for items without pairs. A pair's weight over
what its items' own weights would give by chance, as a logarithm and not below 0, is the matrix of Levy and Goldberg
(2014, section 3.2); its best symmetric factors U |S|^(1/2) (section 3.3) are found by subspace iteration from a seeded start
(Halko, Martinsson and Tropp 2011, algorithm 4.4). Shapes: P pairs, N items, C dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ITERATIONS = 8
SPARE = 8  # further directions that are carried along, so that the last ones asked for settle too


def collaborative_vectors(
    pairs_P2: NDArray[np.integer[Any]], weights_P: NDArray[np.floating[Any]], num_items: int, dim: int, seed: int
) -> NDArray[np.float32]:
    """vectors_NC; the same for the same pairs in whatever order and direction, up to `dim` that the items do not fill.

    Raises `ValueError` where a pair names no item, or a weight is not above 0.
    """
    vectors_NC = np.zeros((num_items, dim), dtype=np.float32)
    if not len(pairs_P2):
        return vectors_NC
    if pairs_P2.min() < 0 or pairs_P2.max() >= num_items:
        raise ValueError(f"pairs name items {pairs_P2.min()} to {pairs_P2.max()}, there are {num_items}")
    if not (np.isfinite(weights_P).all() and (weights_P > 0).all()):
        raise ValueError("a pair's weight is not above 0")
    at_M, inner_P2 = np.unique(pairs_P2, return_inverse=True)
    matrix = information(inner_P2.reshape(-1, 2), weights_P, len(at_M))
    count = min(dim, len(at_M))
    vectors_NC[at_M, :count] = factors(matrix, count, seed).numpy()
    return vectors_NC


def information(pairs_P2: NDArray[np.int64], weights_P: NDArray[np.floating[Any]], num_items: int) -> Tensor:
    """The positive pointwise mutual information of the items, a sparse symmetric matrix."""
    both_Q2 = np.concatenate([pairs_P2, pairs_P2[:, ::-1]])
    key_Q = both_Q2[:, 0] * num_items + both_Q2[:, 1]
    weight_Q = np.concatenate([weights_P, weights_P]).astype(np.float64)
    order_Q = np.lexsort((weight_Q, key_Q))  # equal pairs are summed in one order, whatever order they came in
    key_S, start_S = np.unique(key_Q[order_Q], return_index=True)
    sum_S = np.add.reduceat(weight_Q[order_Q], start_S)
    row_S, column_S = np.divmod(key_S, num_items)
    own_N = np.bincount(row_S, weights=sum_S, minlength=num_items)
    gain_S = np.log(sum_S * own_N.sum() / (own_N[row_S] * own_N[column_S]))
    is_kept_S = gain_S > 0
    places_2S = torch.from_numpy(np.stack([row_S, column_S])[:, is_kept_S])
    values_S = torch.from_numpy(gain_S[is_kept_S])
    size = (num_items, num_items)
    return torch.sparse_coo_tensor(places_2S, values_S, size, is_coalesced=True, check_invariants=True)


def factors(matrix_NN: Tensor, count: int, seed: int) -> Tensor:
    """U |S|^(1/2) of the `count` eigenvectors with the largest eigenvalues by absolute value; each one's sign is such
    that its largest entry is above 0."""
    size = min(len(matrix_NN), count + SPARE)
    dice = torch.Generator().manual_seed(seed)
    basis_NS = torch.randn(len(matrix_NN), size, generator=dice, dtype=torch.float64)
    for _ in range(ITERATIONS):
        basis_NS = torch.linalg.qr(matrix_NN @ basis_NS).Q
    values_S, inner_SS = torch.linalg.eigh(basis_NS.T @ (matrix_NN @ basis_NS))
    best_C = torch.sort(values_S.abs(), descending=True, stable=True).indices[:count]
    vectors_NC = basis_NS @ inner_SS[:, best_C]
    top_C = vectors_NC.abs().argmax(dim=0)
    signs_C = torch.sign(vectors_NC[top_C, torch.arange(count)])
    return (vectors_NC * signs_C * values_S[best_C].abs().sqrt()).float()
