"""Which IDs are taken and by how many: semantic IDs as single numbers, so that ten million are sorted in a second.

Shapes: N notes that arrive, M notes that have their IDs for good, L levels, K codes a level.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class Book(NamedTuple):
    """IDs of the arriving and the published notes, in one numbering: equal numbers for equal codes.

    `prefix_N` and `taken_prefix_M` number the codes before the last, `grand_N` and `taken_grand_M` those before the last
    two; the order of the numbers is that of the codes.
    """

    id_N: Ids
    prefix_N: Ids
    grand_N: Ids
    taken_id_M: Ids
    taken_prefix_M: Ids
    taken_grand_M: Ids


def numbered(codes_NL: NDArray[Any], num_codes: int) -> Ids:
    """id_N: equal numbers for equal rows, in the order of the rows; no codes at all are all number 0."""
    id_N = np.zeros(len(codes_NL), dtype=np.int64)
    largest = 0
    for codes_N in codes_NL.T:
        if largest >= np.iinfo(np.int64).max // num_codes - 1:
            id_N = np.unique(id_N, return_inverse=True)[1].astype(np.int64)
            largest = len(id_N)
        id_N = id_N * num_codes + codes_N
        largest = largest * num_codes + num_codes - 1
    return id_N


def book_of(codes_NL: NDArray[Any], taken_ML: NDArray[Any], num_codes: int) -> Book:
    """The numbers of both, under one numbering."""
    both = np.concatenate([codes_NL, taken_ML])
    levels, count = codes_NL.shape[1], len(codes_NL)
    whole, prefix = numbered(both, num_codes), numbered(both[:, : levels - 1], num_codes)
    grand = numbered(both[:, : max(levels - 2, 0)], num_codes)
    return Book(whole[:count], prefix[:count], grand[:count], whole[count:], prefix[count:], grand[count:])


def colliding(book: Book) -> NDArray[np.bool_]:
    """Which arriving notes have no ID of their own: another arriving note or a published one has it too."""
    _, inverse_N, counts = np.unique(book.id_N, return_inverse=True, return_counts=True)
    crowded_N: NDArray[np.bool_] = (counts[inverse_N] > 1) | member(book.id_N, np.unique(book.taken_id_M))
    return crowded_N


def member(value_N: Ids, sorted_S: Ids) -> NDArray[np.bool_]:
    """Whether each value is among the sorted, different ones."""
    if not len(sorted_S):
        return np.zeros(len(value_N), dtype=np.bool_)
    at_N = np.minimum(np.searchsorted(sorted_S, value_N), len(sorted_S) - 1)
    found_N: NDArray[np.bool_] = sorted_S[at_N] == value_N
    return found_N


def slices(sorted_N: Ids) -> tuple[Ids, Ids, Ids]:
    """The different values of a sorted array, and where the run of each begins and ends."""
    value_G, start_G = np.unique(sorted_N, return_index=True)
    return value_G, start_G.astype(np.int64), np.append(start_G, len(sorted_N))[1:].astype(np.int64)


def ranks(id_N: Ids) -> NDArray[np.int32]:
    """rank_N: how many rows before a row have its number."""
    order_N = np.argsort(id_N, kind="stable")
    sorted_N = id_N[order_N]
    rank_N = np.empty(len(id_N), dtype=np.int32)
    rank_N[order_N] = np.arange(len(id_N)) - np.searchsorted(sorted_N, sorted_N)
    return rank_N
