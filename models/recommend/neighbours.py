"""Items near items as sparse matrices that keep a bounded number of entries a row, and histories as weights on items.

Products are taken in blocks of rows, so that memory follows what is kept, not what was multiplied.
Shapes: U users, M events, N items, Q cases, T places of a history (-1 is no item), K entries kept of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.recommend.sequences import PAD, Items, Sequences

BLOCK_PRODUCTS = 20_000_000  # multiplications of a block: about 0.5 GB where none of them meet


class Ranked(NamedTuple):
    """The best items of each row, best first; -1 and 0 where there are fewer."""

    item_QK: Items
    score_QK: NDArray[np.float32]


def check_items(item: Items, num_items: int, what: str) -> None:
    """Raises `ValueError` for numbers that are neither of an item nor -1."""
    if item.size and (item.min() < PAD or item.max() >= num_items):
        raise ValueError(f"{what} name items {item.min()} to {item.max()}; there are {num_items}, from 0")


def latest(sequences: Sequences, longest: int) -> Sequences:
    """Of each user the last `longest` events: one who has very many would make their square of pairs."""
    lengths_U = np.diff(sequences.indptr_U1)
    from_end_M = np.repeat(sequences.indptr_U1[1:], lengths_U) - np.arange(len(sequences.item_M))
    indptr_U1 = np.concatenate([[0], np.cumsum(np.minimum(lengths_U, longest))]).astype(np.int64)
    return Sequences(indptr_U1, sequences.item_M[from_end_M <= longest])


def cosine(sequences: Sequences, num_items: int, *, keep: int, shrink: float, longest: int) -> sp.csr_array:
    """near_NN: users of both / (sqrt(users of one * users of the other) + shrink), of each item its `keep` nearest.

    `shrink` takes weight from pairs that few users stand for. Raises `ValueError` for items outside 0 to N - 1.
    """
    check_items(sequences.item_M, num_items, "sequences")
    cut = latest(sequences, longest)
    seen_UN = _seen(cut, num_items)
    count_N = np.asarray(seen_UN.sum(axis=0)).ravel()
    seen_NU, length_U = sp.csr_array(seen_UN.T), np.asarray(seen_UN.sum(axis=1)).ravel()
    blocks = [
        _nearest(seen_NU[start:stop] @ seen_UN, start, count_N, keep, shrink)
        for start, stop in _blocks(seen_NU @ length_U)
    ]
    return sp.csr_array(sp.vstack(blocks, format="csr")) if blocks else _empty(num_items)


def _nearest(
    both_BN: sp.csr_array, start: int, count_N: NDArray[np.float32], keep: int, shrink: float
) -> sp.csr_array:
    found = both_BN.tocoo()
    row, item = found.coords
    is_other = row + start != item
    row, item, value = row[is_other], item[is_other], found.data[is_other]
    value = value / (np.sqrt(count_N[row + start] * count_N[item]) + np.float32(shrink))
    return strongest(sp.csr_array((value, (row, item)), shape=both_BN.shape), keep)


def _seen(sequences: Sequences, num_items: int) -> sp.csr_array:
    shape = (sequences.num_users, num_items)
    ones_M = np.ones(len(sequences.item_M), dtype=np.float32)
    seen_UN = sp.csr_array((ones_M, (sequences.users, sequences.item_M)), shape=shape)
    seen_UN.sum_duplicates()
    seen_UN.data[:] = 1.0
    return seen_UN


def _blocks(work_N: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Rows whose work together is about one block's."""
    block_N = (np.cumsum(work_N, dtype=np.float64) // BLOCK_PRODUCTS).astype(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(block_N)) + 1).tolist(), len(work_N)]
    return ((a, b) for a, b in pairwise(edges) if a < b)


def _empty(num_items: int) -> sp.csr_array:
    return sp.csr_array((num_items, num_items), dtype=np.float32)


def transitions(sequences: Sequences, num_items: int, *, keep: int, doubt: float) -> sp.csr_array:
    """next_NN: times that the second came right after the first / (times that anything did + doubt).

    A repeat of the same item is no step. Raises `ValueError` for items outside 0 to N - 1.
    """
    check_items(sequences.item_M, num_items, "sequences")
    user_M, item_M = sequences.users, sequences.item_M
    is_step = (user_M[1:] == user_M[:-1]) & (item_M[1:] != item_M[:-1])
    first, second = item_M[:-1][is_step], item_M[1:][is_step]
    ones = np.ones(len(first), dtype=np.float32)
    next_NN = sp.csr_array((ones, (first, second)), shape=(num_items, num_items))
    next_NN.sum_duplicates()
    total_N = np.maximum(np.bincount(first, minlength=num_items), 1) + doubt
    return strongest(sp.csr_array(sp.diags_array((1 / total_N).astype(np.float32)) @ next_NN), keep)


def history_weights(history_QT: Items, decay: float, num_items: int) -> sp.csr_array:
    """weight_QN: decay ** age of each place, 0 the age of the last; an item that stands twice has the sum of both."""
    check_items(history_QT, num_items, "histories")
    case, place = np.nonzero(history_QT != PAD)
    value = np.float32(decay) ** (history_QT.shape[1] - 1 - place).astype(np.float32)
    shape = (len(history_QT), num_items)
    return sp.csr_array((value.astype(np.float32), (case, history_QT[case, place])), shape=shape)


def last_items(history_QT: Items, num_items: int) -> sp.csr_array:
    """last_QN: 1 at the latest item of each history, a row of nothing where there is none."""
    is_item_QT = history_QT != PAD
    place_Q = history_QT.shape[1] - 1 - is_item_QT[:, ::-1].argmax(axis=1)
    case = np.flatnonzero(is_item_QT.any(axis=1))
    item = history_QT[case, place_Q[case]]
    ones = np.ones(len(case), dtype=np.float32)
    return sp.csr_array((ones, (case, item)), shape=(len(history_QT), num_items))


def without_seen(score_QN: sp.csr_array, history_QT: Items) -> sp.csr_array:
    """The same scores without those of the notes of each history."""
    seen_QN = history_weights(history_QT, 1.0, score_QN.shape[1])
    seen_QN.sum_duplicates()
    seen_QN.data[:] = 1.0
    left_QN = sp.csr_array(score_QN - score_QN.multiply(seen_QN))  # exactly 0 where seen
    left_QN.eliminate_zeros()
    return left_QN


def strongest(matrix: sp.csr_array, keep: int) -> sp.csr_array:
    """Of each row its `keep` greatest entries, equal ones as in `ranked`."""
    matrix.sum_duplicates()
    if np.diff(matrix.indptr).max(initial=0) <= keep:
        return matrix
    row, _, at = _order(matrix, keep)
    return sp.csr_array((matrix.data[at], (row, matrix.indices[at])), shape=matrix.shape)


def ranked(matrix: sp.csr_array, keep: int) -> Ranked:
    """The greatest entries of each row as two dense arrays.

    Equal ones stand in an order that has nothing to do with their numbers: those of many data sets follow the events
    that a figure is then measured on.
    """
    item_QK = np.full((matrix.shape[0], keep), PAD, dtype=np.int64)
    score_QK = np.zeros((matrix.shape[0], keep), dtype=np.float32)
    row, place, at = _order(matrix, keep)
    item_QK[row, place], score_QK[row, place] = matrix.indices[at], matrix.data[at]
    return Ranked(item_QK, score_QK)


def _order(matrix: sp.csr_array, keep: int) -> tuple[Items, Items, Items]:
    """Row, place in the row and place in `data` of what is kept."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    shuffled = matrix.indices.astype(np.uint64) * np.uint64(2_654_435_761) % np.uint64(1 << 32)
    at = np.lexsort((shuffled, -matrix.data, row))
    place = np.arange(len(at)) - matrix.indptr[row[at]]
    kept = place < keep
    return row[at][kept], place[kept], at[kept]
