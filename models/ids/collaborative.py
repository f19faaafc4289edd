"""What is consumed together, as a graph of items and as a vector for each.

In: who consumed what, or pairs with scores, as numbers of items. Out: `together_NN`, symmetric, zero on its diagonal;
item vectors from its positive pointwise mutual information and a truncated singular value decomposition (Levy and
Goldberg 2014), with a ridge regression from text for items that nobody consumed.
Shapes: N items, M pairs, E collaborative dimensions, D text dimensions.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def pair_graph(item_M: Ints, other_M: Ints, score_M: Floats, num_items: int) -> sp.csr_array:
    """together_NN of scored pairs; the two directions of a pair are added, a pair of an item with itself is dropped.

    Raises `ValueError` for items outside 0 to N - 1 and for scores that are negative or not finite.
    """
    both_M = np.concatenate([item_M, other_M])
    if both_M.size and (both_M.min() < 0 or both_M.max() >= num_items):
        raise ValueError(f"pairs name items {both_M.min()} to {both_M.max()}; there are {num_items}, from 0")
    wrong_M = ~(np.isfinite(score_M) & (score_M >= 0))
    if wrong_M.any():
        first = int(wrong_M.argmax())
        raise ValueError(
            f"{wrong_M.sum()} scores of pairs are below 0 or not finite, the first is {score_M[first]}"
        )
    keep_M = item_M != other_M
    values = (score_M[keep_M].astype(np.float64), (item_M[keep_M], other_M[keep_M]))
    one_NN = sp.csr_array(values, shape=(num_items, num_items))
    return sp.csr_array(one_NN + one_NN.T)


def co_occurrence(user_M: Ints, item_M: Ints, num_items: int) -> sp.csr_array:
    """together_NN of consumptions: for each user of n different items 1 / n to each pair of them, so that a user weighs
    about as much as the number of items.
    """
    _, user_M = np.unique(user_M, return_inverse=True)
    seen_UN = sp.csr_array(
        (np.ones(len(user_M)), (user_M, item_M)), shape=(int(user_M.max(initial=-1)) + 1, num_items)
    )
    seen_UN.data[:] = 1.0
    share_U = 1.0 / np.maximum(np.asarray(seen_UN.sum(axis=1)).ravel(), 1.0)
    together_NN = sp.csr_array(seen_UN.T @ (sp.diags_array(share_U) @ seen_UN))
    together_NN.setdiag(0)
    together_NN.eliminate_zeros()
    return together_NN


def mutual_information(together_NN: sp.csr_array) -> sp.csr_array:
    """log(p(a, b) / p(a) p(b)) where it is above 0."""
    graph = sp.coo_array(together_NN)
    weight_N = np.asarray(together_NN.sum(axis=1)).ravel()
    row_J, column_J = graph.coords
    with np.errstate(divide="ignore"):
        value_J = np.log(graph.data * weight_N.sum() / (weight_N[row_J] * weight_N[column_J]))
    keep_J = value_J > 0
    return sp.csr_array((value_J[keep_J], (row_J[keep_J], column_J[keep_J])), shape=together_NN.shape)


def item_vectors(together_NN: sp.csr_array, dim: int, seed: int) -> Floats:
    """item_NE of length one, E = `dim`; zeros for an item without pairs.

    Singular vectors are taken with a start from the seed and turned so that the greatest entry of each is positive.
    Raises `ValueError` where there are not more items than dimensions.
    """
    if not 1 <= dim < together_NN.shape[0]:
        raise ValueError(f"{together_NN.shape[0]} items cannot have vectors of {dim} dimensions: take fewer")
    start_N = np.random.Generator(np.random.PCG64(seed)).standard_normal(together_NN.shape[0])
    left_NE, size_E, _ = svds(mutual_information(together_NN), k=dim, v0=start_N)
    order_E = np.argsort(-size_E, kind="stable")
    left_NE, size_E = left_NE[:, order_E], size_E[order_E]
    greatest_E = np.take_along_axis(left_NE, np.abs(left_NE).argmax(axis=0)[None], axis=0)[0]
    item_NE = left_NE * np.where(greatest_E < 0, -1.0, 1.0) * np.sqrt(size_E)
    item_NE[np.asarray(together_NN.sum(axis=1)).ravel() == 0] = 0.0
    length_N = np.sqrt(np.square(item_NE).sum(axis=1, keepdims=True))
    return np.divide(item_NE, length_N, out=np.zeros_like(item_NE), where=length_N > 0)


def filled_from_text(item_NE: Floats, x_ND: NDArray[np.floating], strength: float = 1.0) -> Floats:
    """item_NE whose rows of zeros are what a ridge regression from text expects, scaled to length one.

    Raises `ValueError` where every row is zero: there is nothing to learn from.
    """
    known_N = np.any(item_NE != 0, axis=1)
    if not known_N.any():
        raise ValueError("no item has a collaborative vector: there are no pairs to learn from")
    text_ND = np.concatenate([x_ND.astype(np.float64), np.ones((len(x_ND), 1))], axis=1)
    known_MD = text_ND[known_N]
    square_DD = known_MD.T @ known_MD + strength * np.eye(text_ND.shape[1])
    weights_DE = np.linalg.solve(square_DD, known_MD.T @ item_NE[known_N])
    guess_NE = text_ND @ weights_DE
    length_N = np.sqrt(np.square(guess_NE).sum(axis=1, keepdims=True))
    guess_NE = np.divide(guess_NE, length_N, out=np.zeros_like(guess_NE), where=length_N > 0)
    return np.where(known_N[:, None], item_NE, guess_NE)
