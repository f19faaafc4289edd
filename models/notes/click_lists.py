"""Users' click lists: first clicks in order of time, packed into arrays and cut into blocks of notes.

A note is a 63-bit hash of its id in the upper bits of an int64; bit 0 of a place in a list is `TIED`: clicked in the
same microsecond as the place before it. Shapes: C clicks, F first clicks, U users, P places in lists, M places where
an A of a block stands, V lists of a block.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
TIED = 1


class Clicks(NamedTuple):
    """Clicks in any order; a user is two hashes of the user id, `ts_C` is in microseconds."""

    user_C: Ints
    check_C: Int32s
    ts_C: Ints
    note_C: Ints


class Lists(NamedTuple):
    """Users' first clicks in order of time, one list after the other; `num_notes_U` is N_u, cut lists keep it."""

    notes_P: Ints
    lengths_U: Int32s
    num_notes_U: Int32s


def stable_order(key_X: Ints) -> Ints:
    """A stable argsort of non-negative integers: key and place packed into one word, which NumPy sorts with SIMD."""
    bits = len(key_X).bit_length()
    if len(key_X) and int(key_X.max()) >> (63 - bits):
        return np.argsort(key_X, kind="stable")
    packed_X = (key_X << bits) | np.arange(len(key_X))
    packed_X.sort()
    return packed_X & ((1 << bits) - 1)


def starts_of(lengths_U: npt.NDArray[np.integer]) -> Ints:
    """Where each list starts, and after the last one where it ends [U + 1]."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths_U, dtype=np.int64)])


def starts_of_runs(sorted_X: Ints) -> Ints:
    """Where a new value begins."""
    return np.flatnonzero(np.concatenate([np.ones(min(1, len(sorted_X)), np.bool_), sorted_X[1:] != sorted_X[:-1]]))


def gathered(first_X: Ints, length_X: Ints) -> Ints:
    """The indices first, first + 1, ... of each of X slices, one slice after the other."""
    ends_X = np.cumsum(length_X)
    return np.repeat(first_X - (ends_X - length_X), length_X) + np.arange(int(ends_X[-1]) if len(ends_X) else 0)


def _user_numbers(clicks: Clicks) -> Ints:
    """0, 1, 2, ... for the users [C]; two users under one `user_C` are told apart by `check_C`."""
    order_C = np.argsort(clicks.user_C)
    same_C = np.diff(clicks.user_C[order_C]) == 0
    if bool((same_C & (np.diff(clicks.check_C[order_C]) != 0)).any()):
        order_C = np.lexsort((clicks.check_C, clicks.user_C))
        same_C = (np.diff(clicks.user_C[order_C]) == 0) & (np.diff(clicks.check_C[order_C]) == 0)
    number_C = np.empty(len(order_C), np.int64)
    number_C[order_C] = np.concatenate([np.zeros(1, np.int64), np.cumsum(~same_C)])
    return number_C


def first_clicks(clicks: Clicks, at_most: int) -> tuple[Clicks, Ints]:
    """The first click of every user on every note, by user and time, `at_most` of a user; and the users' lengths."""
    number_C = _user_numbers(clicks)
    order_C = stable_order(clicks.ts_C - clicks.ts_C.min())
    order_C = order_C[stable_order(number_C[order_C])]
    notes = pa.array(clicks.note_C).dictionary_encode()
    pair_C = (number_C * len(notes.dictionary) + notes.indices.to_numpy())[order_C]
    by_pair_C = stable_order(pair_C)
    is_first_C = np.zeros(len(pair_C), np.bool_)
    is_first_C[by_pair_C[starts_of_runs(pair_C[by_pair_C])]] = True
    kept_F = order_C[is_first_C]
    lengths_U = np.bincount(number_C[kept_F])
    within_F = np.arange(len(kept_F)) - np.repeat(starts_of(lengths_U)[:-1], lengths_U)
    kept_F = kept_F[within_F < at_most]
    user_C, check_C, ts_C, note_C = clicks
    return Clicks(user_C[kept_F], check_C[kept_F], ts_C[kept_F], note_C[kept_F]), np.minimum(lengths_U, at_most)


def click_lists(some: Iterable[Clicks], max_notes: int, compact_at: int = 5_000_000) -> tuple[Lists, int]:
    """The lists of all users in `some` clicks, and how many were left out for clicking more than `max_notes` notes.

    Whenever more than `compact_at` clicks are held, they are cut down to first clicks and at most `max_notes + 1` of
    a user: a user who clicks without end is known for one, and not held.
    """
    held: list[Clicks] = []
    limit = compact_at
    for clicks in some:
        held.append(clicks)
        if sum(len(part.ts_C) for part in held) > limit:
            held = [first_clicks(_joined(held), max_notes + 1)[0]]
            limit = max(compact_at, 2 * len(held[0].ts_C))
    if not sum(len(part.ts_C) for part in held):
        return Lists(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32)), 0
    firsts, lengths_U = first_clicks(_joined(held), max_notes + 1)
    is_kept_U = lengths_U <= max_notes
    is_tied_F = np.zeros(len(firsts.ts_C), np.bool_)
    is_tied_F[1:] = firsts.ts_C[1:] == firsts.ts_C[:-1]
    is_tied_F[starts_of(lengths_U)[:-1]] = False
    notes_P = (firsts.note_C | (is_tied_F * TIED))[np.repeat(is_kept_U, lengths_U)]
    kept_U = lengths_U[is_kept_U].astype(np.int32)
    return Lists(notes_P, kept_U, kept_U), int((~is_kept_U).sum())


def _joined(parts: list[Clicks]) -> Clicks:
    user_C, check_C, ts_C, note_C = zip(*parts, strict=True)
    return Clicks(np.concatenate(user_C), np.concatenate(check_C), np.concatenate(ts_C), np.concatenate(note_C))


def block_of(note_X: Ints, num_blocks: int) -> Int32s:
    """The block whose task has these notes as A: an equal share of the range of the hash."""
    return (((note_X >> 40) & 0xFFFFFF) * num_blocks >> 24).astype(np.int32)


def num_blocks_for(histogram_N: Ints, max_places: int, max_pairs: int) -> int:
    """The least number of blocks, in steps of a quarter, in which a block is expected to stay within both bounds.

    `histogram_N[n]` is the number of users with n notes. In one of K blocks a list starts at the first note of the
    block; with q = 1 - 1/K that leaves sum over j of (1 - q^j) = n - (K - 1)(1 - q^n) of its n places.
    """
    n = np.arange(len(histogram_N), dtype=np.float64)
    num_pairs = float((histogram_N * n * (n - 1)).sum()) / 2
    blocks = 1
    while True:
        q = 1 - 1 / blocks
        places = float((histogram_N * (n - (blocks - 1) * (1 - q**n))).sum())
        if (places <= max_places and num_pairs / blocks <= max_pairs) or blocks >= 1 << 16:
            return blocks
        blocks = math.ceil(blocks * 1.25)


def place_among(note_X: Ints, few_E: Ints) -> Ints:
    """The place of each note among a few ascending ones, -1 where it is none of them."""
    place_X = np.searchsorted(few_E, note_X).clip(max=len(few_E) - 1)
    return np.where(few_E[place_X] == note_X, place_X, -1)


def without(lists: Lists, dropped: Ints) -> Lists:
    """The lists without some notes (ascending); N_u stays, and clicks in one microsecond stay tied if they remain."""
    if not len(dropped):
        return lists
    is_kept_P = place_among(lists.notes_P & ~TIED, dropped) < 0
    moment_P = np.cumsum((lists.notes_P & TIED) == 0)[is_kept_P]
    is_tied_P = np.zeros(len(moment_P), np.bool_)
    is_tied_P[1:] = moment_P[1:] == moment_P[:-1]
    starts_U = starts_of(lists.lengths_U)
    kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_kept_P)])
    lengths_U = np.diff(kept_before[starts_U]).astype(np.int32)
    return Lists((lists.notes_P[is_kept_P] & ~TIED) | (is_tied_P * TIED), lengths_U, lists.num_notes_U)


def later_and_end(lists: Lists) -> tuple[Ints, Ints]:
    """For every place, where the later clicks of its list begin and end [P] [P]."""
    moments = np.append(np.flatnonzero((lists.notes_P & TIED) == 0), len(lists.notes_P))
    later_P = np.repeat(moments[1:], np.diff(moments))
    return later_P, np.repeat(starts_of(lists.lengths_U)[1:], lists.lengths_U)


def cut(lists: Lists, num_blocks: int) -> Iterator[tuple[int, Lists]]:
    """What each block needs: of every list that has a note of the block, the part from the first such note on."""
    later_P, end_P = later_and_end(lists)
    user_P = np.repeat(np.arange(len(lists.lengths_U)), lists.lengths_U)
    place_M = np.flatnonzero(later_P < end_P)
    block_M = block_of(lists.notes_P[place_M], num_blocks)
    list_M = block_M * np.int64(len(lists.lengths_U)) + user_P[place_M]
    order_M = stable_order(list_M)
    first_V = order_M[starts_of_runs(list_M[order_M])]
    bounds = np.searchsorted(block_M[first_V], np.arange(num_blocks + 1))
    for block in np.flatnonzero(np.diff(bounds)):
        place_V = place_M[first_V[bounds[block] : bounds[block + 1]]]
        length_V = end_P[place_V] - place_V
        notes_P = lists.notes_P[gathered(place_V, length_V)]
        notes_P[starts_of(length_V)[:-1]] &= ~TIED
        yield int(block), Lists(notes_P, length_V.astype(np.int32), lists.num_notes_U[user_P[place_V]])
