"""Users' histories as two flat arrays, and cases held out of them.

Shapes: U users, M events of all users, Q cases, T places of a padded history, N items. Items are numbered from 0 in an order
that the caller chooses; -1 pads a history on its left, so that the latest item is always at the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PAD = -1
Items = NDArray[np.int64]


class Sequences(NamedTuple):
    """The items of user u, in order of time: item_M[indptr_U1[u] : indptr_U1[u + 1]]."""

    indptr_U1: Items
    item_M: Items

    @property
    def num_users(self) -> int:
        """How many there are, those without any item included."""
        return len(self.indptr_U1) - 1

    @property
    def users(self) -> Items:
        """user_M: whose event it is."""
        return np.repeat(np.arange(self.num_users), np.diff(self.indptr_U1))

    def counts(self, num_items: int) -> Items:
        """How often each item occurs."""
        return np.bincount(self.item_M, minlength=num_items)


class Cases(NamedTuple):
    """What came before (history_QT, padded with -1 on the left) and what was then acted on."""

    history_QT: Items
    target_Q: Items


def sequences_of(histories: list[list[int]]) -> Sequences:
    """From one list a user."""
    lengths = [len(items) for items in histories]
    flat = [item for items in histories for item in items]
    return Sequences(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), np.array(flat, dtype=np.int64)
    )


def padded(histories: list[list[int]], length: int) -> Items:
    """The last `length` items of each, padded on the left: (Q, length)."""
    found = np.full((len(histories), length), PAD, dtype=np.int64)
    for row, items in enumerate(histories):
        last = items[-length:] if length else []
        if last:
            found[row, length - len(last) :] = last
    return found
