"""The floor under every recommender: the items of most users, for everybody.

In: sequences. Out: the same scores for every history. Shapes: N items, Q cases, T places of a history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.recommend.neighbours import check_items
from models.recommend.sequences import Items, Sequences


@dataclass(frozen=True)
class Popularity:
    """num_users_N: how many users acted on each item."""

    num_users_N: NDArray[np.float32]

    def scores(self, history_QT: Items) -> NDArray[np.float32]:
        """score_QN: the number of users, whatever the history."""
        return np.broadcast_to(self.num_users_N, (len(history_QT), len(self.num_users_N)))


def fit(sequences: Sequences, num_items: int) -> Popularity:
    """Count users, so that one who comes back to an item counts once. Raises `ValueError` for items outside 0 to N - 1."""
    check_items(sequences.item_M, num_items, "sequences")
    pairs = np.unique(np.stack([sequences.users, sequences.item_M]), axis=1)
    return Popularity(np.bincount(pairs[1], minlength=num_items).astype(np.float32))
