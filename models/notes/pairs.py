"""Co-occurrence of notes: who clicked A and later B, weighed by how much each user clicks (NoteLLM, section 3.2).

In: users' clicks, as arrays. Out: for every note A its `top` notes B by s(A -> B), the sum of 1 / N_u over the users
u whose first click of A is strictly earlier than their first click of B; N_u is the number of notes u clicked.

The sum over all A at once is a sparse matrix product (Gustavson's row-by-row algorithm, as SciPy has it): row A of
the left matrix holds 1 / N_u at every place where A stands in a user's list, row "place" of the right one is the rest
of that list. The rest of a list is a slice of the lists themselves, so no pair is ever written down.

Shapes: U users, P places in lists, M places where an A stands, D distinct notes, X pairs, Y candidates, R results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array

from models.notes.click_lists import (
    TIED,
    Int32s,
    Ints,
    Lists,
    block_of,
    later_and_end,
    stable_order,
    starts_of,
)

SCORE_UNITS = 1_000_000_000  # scores are rounded to 9 decimals: equal sums in any order of addition are equal scores
RESULTS_AT_ONCE = 1 << 20  # upper bound of pairs (A, B) held at once, except where one A alone has more


class Encoded(NamedTuple):
    """Some lists of a block with notes as codes, places in `notes_E`, and where an A of the block stands in them.

    B is any of `codes_P[later_M:end_M]`, each with `weight_M`.
    """

    notes_E: Ints
    codes_P: Int32s
    a_M: Int32s
    later_M: Int32s
    end_M: Int32s
    weight_M: npt.NDArray[np.complex128]


class Places(NamedTuple):
    """Encoded lists put together: codes are places among all notes of the block, A ascend."""

    codes_P: Int32s
    a_M: Int32s
    later_M: Int32s
    end_M: Int32s
    weight_M: npt.NDArray[np.complex128]


class Related(NamedTuple):
    """The kept pairs as codes, by A and rank."""

    a_R: Ints
    b_R: Ints
    score_R: npt.NDArray[np.float64]
    rank_R: Int32s
    num_users_R: Ints


def weights(num_notes_X: npt.NDArray[np.integer], high: float) -> npt.NDArray[np.complex128]:
    """1 / N_u in the real part, one user in the imaginary part, so that one product sums the score and the users.

    1 / N_u is rounded to a multiple of 2^-f, f = 52 - ceil(log2(high)): doubles then add such numbers exactly up to
    2 * high, so the order of addition cannot show. Scores above `high` are dropped, and the error of one that is kept
    is at most high * N * 2^-(f+1): 1.1e-10 for 30 and N = 1,000.
    """
    unit = 2.0 ** (52 - math.ceil(math.log2(high)))
    return np.asarray(np.rint(unit / num_notes_X) / unit + 1j, np.complex128)


def encoded(lists: Lists, block: int, num_blocks: int, high: float) -> Encoded:
    """Lists of one block, 4 bytes a place instead of 8, and where its A stand."""
    dictionary = pa.array(lists.notes_P & ~TIED).dictionary_encode()
    notes_E, codes_P = dictionary.dictionary.to_numpy(), dictionary.indices.to_numpy()
    later_P, end_P = later_and_end(lists)
    is_a_E = block_of(notes_E, num_blocks) == block
    place_M = np.flatnonzero(is_a_E[codes_P] & (later_P < end_P))
    weight_M = weights(np.repeat(lists.num_notes_U, lists.lengths_U)[place_M], high)
    later_M, end_M = later_P[place_M].astype(np.int32), end_P[place_M].astype(np.int32)
    return Encoded(notes_E, codes_P, codes_P[place_M], later_M, end_M, weight_M)


def joined(parts: Sequence[Encoded], notes_D: Ints) -> Places:
    """The parts as one, with codes that are places in `notes_D`: the distinct notes of the block, ascending."""
    code_E = [np.searchsorted(notes_D, part.notes_E).astype(np.int32) for part in parts]
    offsets = starts_of(np.array([len(part.codes_P) for part in parts])).astype(np.int32)
    a_M = np.concatenate([code[part.a_M] for code, part in zip(code_E, parts, strict=True)])
    order_M = stable_order(a_M.astype(np.int64))
    return Places(
        np.concatenate([code[part.codes_P] for code, part in zip(code_E, parts, strict=True)]),
        a_M[order_M],
        np.concatenate([part.later_M + offset for part, offset in zip(parts, offsets, strict=False)])[order_M],
        np.concatenate([part.end_M + offset for part, offset in zip(parts, offsets, strict=False)])[order_M],
        np.concatenate([part.weight_M for part in parts])[order_M],
    )


def related_notes(parts: Sequence[Places], num_notes: int, *, low: float, high: float, top: int) -> Iterator[Related]:
    """The `top` related notes of every A, for bounded ranges of A at a time; several parts add up.

    Of equal scores the smaller code comes first. Raises `ValueError` where codes and scores do not fit one word.
    """
    code_bits = num_notes.bit_length()
    if int(high * SCORE_UNITS).bit_length() + code_bits > 62:
        raise ValueError(f"parameter high is {high}: with {num_notes} notes in a block it must be lower")
    num_pairs_D = np.zeros(num_notes, np.int64)
    for part in parts:
        num_pairs_D += np.bincount(part.a_M, part.end_M - part.later_M, num_notes).astype(np.int64)
    results_D = np.cumsum(np.minimum(num_pairs_D, num_notes))
    ones_P = np.ones(max(len(part.codes_P) for part in parts), np.complex128)
    first = 0
    while first < num_notes and results_D[-1] > (done := int(results_D[first - 1]) if first else 0):
        last = max(first + 1, int(np.searchsorted(results_D, done + RESULTS_AT_ONCE, side="right")))
        sums = sum_of_parts(parts, first, last, num_notes, ones_P)
        if int(sums.data.imag.sum()) != int(num_pairs_D[first:last].sum()):
            raise ArithmeticError("the sparse product lost pairs: this release of SciPy multiplies differently")
        yield best(sums, first, low=low, high=high, top=top)
        first = last


def sum_of_parts(
    parts: Sequence[Places], first: int, last: int, num_notes: int, ones_P: npt.NDArray[np.complex128]
) -> csr_array:
    """Scores and users of all pairs whose A has a code of first..last-1 [last - first, num_notes]."""
    total: csr_array | None = None
    for part in parts:
        bounds = np.searchsorted(part.a_M, np.arange(first, last + 1)).astype(np.int32)
        chosen = slice(int(bounds[0]), int(bounds[-1]))
        num_places = chosen.stop - chosen.start
        # Rows 1, 3, 5, ... are the slices [later, end); the rows between bridge them and are never referred to.
        ends = np.zeros(2 * num_places + 2, np.int32)
        ends[1:-1:2], ends[2:-1:2] = part.later_M[chosen], part.end_M[chosen]
        ends[-1] = len(part.codes_P)
        num_rows = 2 * num_places + 1
        rest = csr_array((ones_P[: len(part.codes_P)], part.codes_P, ends), shape=(num_rows, num_notes))
        odd = np.arange(1, num_rows, 2, dtype=np.int32)
        stands = csr_array((part.weight_M[chosen], odd, bounds - bounds[0]), shape=(last - first, num_rows))
        product = stands @ rest
        total = product if total is None else total + product
    return total


def best(sums: csr_array, first: int, *, low: float, high: float, top: int) -> Related:
    """The `top` pairs of each row with low <= score <= high, ranked by score, then by code."""
    code_bits = sums.shape[1].bit_length()
    units_X = np.rint(sums.data.real * SCORE_UNITS).astype(np.int64)
    is_kept_X = (units_X >= round(low * SCORE_UNITS)) & (units_X <= round(high * SCORE_UNITS))
    # One number that orders a row's pairs wholly: the score, then the smaller code.
    key_X = np.where(is_kept_X, (units_X << code_bits) | ((1 << code_bits) - 1 - sums.indices), -1)
    num_X = np.diff(sums.indptr)
    is_candidate_X = (key_X >= np.repeat(_at_least(key_X, sums.indptr, top), num_X)) & is_kept_X
    place_Y = np.flatnonzero(is_candidate_X)
    row_Y = np.repeat(np.arange(len(num_X)), num_X)[is_candidate_X]
    order_Y = np.argsort(-key_X[place_Y])
    order_Y = order_Y[stable_order(row_Y[order_Y])]
    place_Y = place_Y[order_Y]
    rank_Y = np.arange(len(row_Y)) - np.searchsorted(row_Y, row_Y) + 1
    place_R, row_R = place_Y[rank_Y <= top], row_Y[rank_Y <= top]
    num_users_R = np.rint(sums.data.imag[place_R]).astype(np.int64)
    b_R, score_R = sums.indices[place_R].astype(np.int64), units_X[place_R] / SCORE_UNITS
    return Related(row_R + first, b_R, score_R, rank_Y[rank_Y <= top].astype(np.int32), num_users_R)


def _at_least(key_X: Ints, indptr: Int32s, top: int) -> Ints:
    """For each row a key that `top` or a few more of its keys reach.

    A long row is divided into 4 * `top` parts; the `top`-th largest of their maxima is reached by `top` keys at least.
    """
    parts = 4 * top
    bound_A = np.full(len(indptr) - 1, -1, np.int64)
    long_B = np.flatnonzero(np.diff(indptr) > parts)
    if len(long_B):
        start_B, num_B = indptr[long_B].astype(np.int64), np.diff(indptr)[long_B].astype(np.int64)
        edges = start_B[:, None] + num_B[:, None] * np.arange(parts + 1) // parts
        maxima = np.maximum.reduceat(np.append(key_X, -1), edges.ravel()).reshape(len(long_B), parts + 1)
        bound_A[long_B] = np.partition(maxima[:, :parts], parts - top, axis=1)[:, parts - top]
    return bound_A
