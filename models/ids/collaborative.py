"""What is consumed together, as a graph of items.

In: who consumed what, or pairs with scores, as numbers of items. Out: `together_NN`, symmetric, zero on its diagonal.
(Vectors of items are made of it in `models.ids.pair_vectors`.) Shapes: N items, M pairs or events, U users.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

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
