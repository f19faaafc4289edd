"""Which IDs are taken and by how many: semantic IDs as single numbers, so that ten million are sorted in a second.

Shapes: N notes that arrive, M notes that have their IDs for good, L levels, K codes a level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


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


def both_numbered(codes_NL: NDArray[Any], taken_ML: NDArray[Any], num_codes: int) -> tuple[Ids, Ids]:
    """The numbers of the arriving and of the published rows, under one numbering."""
    id_A = numbered(np.concatenate([codes_NL, taken_ML]), num_codes)
    return id_A[: len(codes_NL)], id_A[len(codes_NL) :]


def crowded(codes_NL: NDArray[Any], taken_ML: NDArray[Any], num_codes: int) -> NDArray[np.bool_]:
    """Which arriving notes have no ID of their own: another arriving note or a published one has it too."""
    return crowded_ids(*both_numbered(codes_NL, taken_ML, num_codes))


def crowded_ids(id_N: Ids, taken_id_M: Ids) -> NDArray[np.bool_]:
    """The same for numbers. Only sorted copies are made: ten million notes take 160 MB here."""
    order_N = np.sort(id_N)
    shared = np.unique(order_N[1:][order_N[1:] == order_N[:-1]])
    return member(id_N, shared) | member(id_N, np.sort(taken_id_M))


def member(value_N: Ids, sorted_S: Ids) -> NDArray[np.bool_]:
    """Whether each value is among the sorted ones."""
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
