"""Building the catalogue trie: one sort of the catalogue's IDs, then one pass over the sorted rows a level.

In: codes_NL, rank_N (a note's rank among the notes of its codes) and the size of every level's vocabulary. Out: the `Trie`
and the order in which it holds the notes. A state is where a sorted row differs from the row before it in one of its first
codes, as in STATIC (arXiv 2602.22647); there is no loop over notes or states.

Shapes: N notes, L levels, S states of a level, C children, K codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ids.trie import Codes, DenseLevel, Level, PackedLevel, Trie

DENSE_LEVELS = 2  # as in STATIC: below, a state has few children, and a table of all codes would be empty
DENSE_ENTRIES = 1 << 22  # a larger table (K = 8192 at the second level) costs more memory than it saves time
MAX_NOTES = 2**31 - 2  # places are 32-bit numbers
WORD_BITS = 63


class Built(NamedTuple):
    """order_N: the row of the note at each of the trie's note places."""

    trie: Trie
    order_N: NDArray[np.int64]


def build(codes_NL: Codes, rank_N: Codes, sizes: Sequence[int]) -> Built:
    """The trie of a catalogue. The same notes in any order make the same trie, and the same notes at its places.

    Raises `ValueError` for no notes, a code outside its level, or two notes of the same codes and rank.
    """
    _require(codes_NL, rank_N, sizes)
    order_N = _order(codes_NL, rank_N, sizes)
    levels: list[Level] = []
    first_S = np.zeros(1, dtype=np.int64)  # the first note under each state
    is_new_N = np.zeros(len(order_N), dtype=bool)  # the first note under a state of the next length
    is_new_N[0] = True
    for depth, size in enumerate(sizes):
        code_N = codes_NL[order_N, depth]
        is_new_N[1:] |= code_N[1:] != code_N[:-1]
        first_C = np.flatnonzero(is_new_N)
        indptr_S1 = np.append(np.cumsum(is_new_N, dtype=np.int32)[first_S] - 1, len(first_C)).astype(np.int32)
        level = PackedLevel(indptr_S1, code_N[first_C].astype(_code_type(size)))
        is_dense = depth < DENSE_LEVELS and prod(map(int, sizes[: depth + 1])) <= DENSE_ENTRIES
        levels.append(_dense(level, size) if is_dense else level)
        first_S = first_C
    _require_ranks(codes_NL, rank_N, order_N, is_new_N)
    return Built(Trie(tuple(map(int, sizes)), tuple(levels), np.append(first_S, len(order_N)).astype(np.int32)), order_N)


def _dense(level: PackedLevel, size: int) -> DenseLevel:
    num_states = len(level.indptr_S1) - 1
    next_SK = np.full((num_states, size), -1, dtype=np.int32)
    parent_C = np.repeat(np.arange(num_states), np.diff(level.indptr_S1))
    next_SK[parent_C, level.code_C] = np.arange(len(level.code_C), dtype=np.int32)
    return DenseLevel(next_SK)


def _code_type(size: int) -> type[np.integer[Any]]:
    """The smallest that torch gathers from, too."""
    return np.uint8 if size <= 1 << 8 else np.int16 if size <= 1 << 15 else np.int32


def _order(codes_NL: Codes, rank_N: Codes, sizes: Sequence[int]) -> NDArray[np.int64]:
    """The rows by codes and rank. Columns are packed into words, one for most catalogues: one sort of whole numbers."""
    widths = [(int(size) - 1).bit_length() for size in sizes] + [int(rank_N.max()).bit_length()]
    words: list[NDArray[np.int64]] = []
    room = 0
    for column_N, width in zip([*codes_NL.T, rank_N], widths, strict=True):
        if not words or width > room:
            words.append(column_N.astype(np.int64))
            room = WORD_BITS - width
        else:
            words[-1] <<= width
            words[-1] |= column_N.astype(np.int64)
            room -= width
    return np.argsort(words[0], kind="stable") if len(words) == 1 else np.lexsort(words[::-1])


def _require(codes_NL: Codes, rank_N: Codes, sizes: Sequence[int]) -> None:
    if codes_NL.ndim != 2 or codes_NL.size == 0:
        raise ValueError(f"a trie needs notes x levels, at least one of each; the shape of the codes is {codes_NL.shape}")
    num_notes, num_levels = codes_NL.shape
    if len(sizes) != num_levels or rank_N.shape != (num_notes,):
        raise ValueError(
            f"codes of {num_notes} notes and {num_levels} levels need as many ranks and level sizes; the shape of the ranks "
            f"is {rank_N.shape}, and there are {len(sizes)} sizes"
        )
    if not all(np.issubdtype(array.dtype, np.integer) for array in (codes_NL, rank_N)):
        raise ValueError(f"codes and ranks must be whole numbers; they are {codes_NL.dtype} and {rank_N.dtype}")
    if num_notes > MAX_NOTES or min(sizes) < 1 or rank_N.min() < 0:
        raise ValueError(f"at most {MAX_NOTES} notes, sizes from 1 and ranks from 0 make a trie")
    for level, size in enumerate(sizes):
        low, high = int(codes_NL[:, level].min()), int(codes_NL[:, level].max())
        if low < 0 or high >= size:
            raise ValueError(f"codes of level {level} run from {low} to {high}, outside a vocabulary of {size}")


def _require_ranks(codes_NL: Codes, rank_N: Codes, order_N: NDArray[np.int64], is_new_N: NDArray[np.bool_]) -> None:
    """Two notes of one place would be ordered by how the rows happened to lie."""
    rank_N = rank_N[order_N]
    for place in np.flatnonzero(~is_new_N[1:] & (rank_N[1:] == rank_N[:-1]))[:1]:
        one, other = sorted(order_N[place : place + 2].tolist())
        raise ValueError(
            f"rows {one} and {other} have the same codes {codes_NL[one].tolist()} and the same rank {rank_N[place]}: "
            "give every note of an ID a rank of its own"
        )
