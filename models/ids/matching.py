"""An ID of its own for every note by the fewest changes: bipartite matching inside a prefix group.

After CollisionGenRec's ZCR (arXiv 2605.25330): inside each group of notes with equal codes before the last that holds a
collision, last codes are assigned anew by minimum-cost matching; a cell costs M * 1[code changed] + the squared distance
to the last level's code + a tie-break. With M above the sum of all distances the fewest notes change; so a note alone on
its code keeps it, in every solution, and leaves the matching with its code: only colliding notes are solved.

Extended twice. In append mode published notes never move, their codes are out of reach. And where a group has more notes
than free codes, those that the matching leaves out (the dearest) go to sibling prefixes, which differ in the code before
the last: a note may enter a sibling at the cost of its cheapest free code there, a matching fills the siblings up to
their room, and a second one inside each sibling gives the last codes. Where all siblings are full, notes stay tied.

Costs are taken as multiples of 2^-16 of the group's largest, so that rounding in their last bits decides nothing.
Shapes: N notes that arrive, M published, R rows of a group, F free codes, S siblings with room, K codes a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.ids.places import both_numbered, member, slices
from models.ids.tokenizer import Codes

Rows = NDArray[np.int64]
Costs = Callable[[Rows, Codes], NDArray[np.float32]]

ROWS_A_CALL = 4096  # how many rows' costs are asked for at once: 4 MB at 256 codes
CELLS = 4_000_000  # of one matching; a larger one is solved in slices, in the order of contents
OVERFLOW_ROWS = 64  # that seek a sibling at once
STEPS = 1 << 16
TIES = 1021  # a prime: the tie-break then prefers other pairs in every row and column


def assignment(cost_RF: NDArray[np.floating], changed_RF: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """The rows that get a column and their columns, the fewest changes first, then the least cost, then the tie-break."""
    count = len(cost_RF)
    cost_RF = cost_RF.astype(np.float64) - float(cost_RF.min())
    cost_RF = np.rint(cost_RF * (STEPS / max(float(cost_RF.max()), 1e-30)))
    tie_RF = np.outer(np.arange(1, count + 1), np.arange(1, cost_RF.shape[1] + 1)) % TIES / (TIES * (count + 1.0))
    total_RF = changed_RF * (STEPS * (count + 1.0)) + cost_RF + tie_RF
    rows, columns = linear_sum_assignment(total_RF)
    return rows.astype(np.int64), columns.astype(np.int64)


def matched(
    codes_NL: Codes,
    crowded_N: NDArray[np.bool_],
    taken_ML: Codes,
    num_codes: int,
    costs: Costs,
) -> tuple[Codes, int]:
    """The codes with every collision solved that the space allows, and how many notes changed the code before the last.

    Rows come in the order of their contents; `crowded_N` says which share an ID.
    """
    codes_NL = codes_NL.copy()
    rows_R = np.flatnonzero(crowded_N)
    if not len(rows_R):
        return codes_NL, 0
    prefix_N, taken_prefix_M = both_numbered(codes_NL[:, :-1], taken_ML[:, :-1], num_codes)
    rows_R = rows_R[np.argsort(prefix_N[rows_R], kind="stable")]
    used = _Used(codes_NL, crowded_N, prefix_N, taken_prefix_M, taken_ML, np.unique(prefix_N[rows_R]))
    left: list[Rows] = []
    for members, cost_RK in _by_group(rows_R, prefix_N, codes_NL, costs):
        free_F = np.setdiff1d(np.arange(num_codes), used.codes(prefix_N[members[0]]))
        left.append(fill(members, cost_RK, free_F, codes_NL))
    return codes_NL, _seek_siblings(np.concatenate(left), codes_NL, taken_ML, num_codes, costs)


def fill(members_R: Rows, cost_RK: NDArray[np.float32], free_F: Rows, codes_NL: Codes) -> Rows:
    """Give members of one prefix free last codes, in `codes_NL`; the members that no code is left for."""
    rest = []
    rows_a_slice = max(1, CELLS // max(1, len(free_F)))
    for start in range(0, len(members_R), rows_a_slice):
        part_R, part_RK = members_R[start : start + rows_a_slice], cost_RK[start : start + rows_a_slice]
        if not len(free_F):
            rest.append(part_R)
            continue
        changed_RF = codes_NL[part_R, -1][:, None] != free_F[None, :]
        rows, columns = assignment(part_RK[:, free_F], changed_RF)
        codes_NL[part_R[rows], -1] = free_F[columns]
        rest.append(np.delete(part_R, rows))
        free_F = np.delete(free_F, columns)
    return np.concatenate(rest)


class _Used:
    """The last codes out of reach in each of some prefixes: of published notes, and of arriving ones alone on theirs."""

    def __init__(
        self, codes_NL: Codes, out_N: NDArray[np.bool_], prefix_N: Rows, taken_M: Rows, taken_ML: Codes, wanted: Rows
    ) -> None:
        here_N = ~out_N & member(prefix_N, wanted)
        there_M = member(taken_M, wanted)
        prefix = np.concatenate([prefix_N[here_N], taken_M[there_M]])
        code = np.concatenate([codes_NL[here_N, -1], taken_ML[there_M, -1]])
        order = np.argsort(prefix, kind="stable")
        self.prefix, self.code = prefix[order], code[order]

    def codes(self, prefix: int) -> Rows:
        start, end = np.searchsorted(self.prefix, [prefix, prefix + 1])
        return self.code[start:end].astype(np.int64)


def _by_group(
    rows_R: Rows, prefix_N: Rows, codes_NL: Codes, costs: Costs
) -> Iterator[tuple[Rows, NDArray[np.float32]]]:
    """The rows of each prefix with their costs, which are asked for many groups at once; rows come by prefix."""
    _, start_G, end_G = slices(prefix_N[rows_R])
    first = 0
    while first < len(start_G):
        last = max(int(np.searchsorted(end_G, start_G[first] + ROWS_A_CALL, "right")), first + 1)
        begin, asked_R = start_G[first], rows_R[start_G[first] : end_G[last - 1]]
        cost_RK = costs(asked_R, codes_NL[asked_R])
        for start, end in zip(start_G[first:last], end_G[first:last], strict=True):
            yield rows_R[start:end], cost_RK[start - begin : end - begin]
        first = last


def _seek_siblings(
    left_R: Rows, codes_NL: Codes, taken_ML: Codes, num_codes: int, costs: Costs
) -> int:
    """Move notes that their prefix has no room for to sibling prefixes, in `codes_NL`; how many found one."""
    if not len(left_R) or codes_NL.shape[1] < 2:
        return 0
    grand_N, taken_grand_M = both_numbered(codes_NL[:, :-2], taken_ML[:, :-2], num_codes)
    left_R = np.sort(left_R)
    left_R = left_R[np.argsort(grand_N[left_R], kind="stable")]
    placed_N = np.ones(len(codes_NL), dtype=np.bool_)
    placed_N[left_R] = False
    wanted_G, start_G, end_G = slices(grand_N[left_R])
    here_N, there_M = placed_N & member(grand_N, wanted_G), member(taken_grand_M, wanted_G)
    grand_P = np.concatenate([grand_N[here_N], taken_grand_M[there_M]])
    tails_P2 = np.concatenate([codes_NL[here_N, -2:], taken_ML[there_M, -2:]])
    order_P = np.argsort(grand_P, kind="stable")
    grand_P, tails_P2 = grand_P[order_P], tails_P2[order_P]
    moved = 0
    for grand, start, end in zip(wanted_G, start_G, end_G, strict=True):
        first, last = np.searchsorted(grand_P, [grand, grand + 1])
        used_KK = np.zeros((num_codes, num_codes), dtype=np.bool_)
        used_KK[tails_P2[first:last, 0], tails_P2[first:last, 1]] = True
        for at in range(start, end, OVERFLOW_ROWS):
            moved += _enter(left_R[at : min(at + OVERFLOW_ROWS, end)], codes_NL, used_KK, costs)
    return moved


def _enter(members_R: Rows, codes_NL: Codes, used_KK: NDArray[np.bool_], costs: Costs) -> int:
    """Find siblings for these notes; marks what they take in `used_KK`; how many found one.

    A sibling of infinite cost is one that the tokenizer does not have. Such a branch is opened only for notes that no
    other has room for: an ID of their own under a prefix that says little is better than one that they share.
    """
    sibling_S = np.flatnonzero(~used_KK.all(axis=1))
    if not len(sibling_S):
        return 0
    asked_RS = np.repeat(members_R, len(sibling_S))
    codes_AL = codes_NL[asked_RS]
    codes_AL[:, -2] = np.tile(sibling_S, len(members_R))
    cost_AK = np.concatenate(
        [costs(asked_RS[i : i + ROWS_A_CALL], codes_AL[i : i + ROWS_A_CALL]) for i in range(0, len(asked_RS), ROWS_A_CALL)]
    )
    cost_RSK = cost_AK.reshape(len(members_R), len(sibling_S), -1)
    is_there_S = np.isfinite(cost_RSK).any(axis=2).all(axis=0)
    left_R = _seated(members_R, sibling_S[is_there_S], cost_RSK[:, is_there_S], codes_NL, used_KK)
    new_S = sibling_S[~is_there_S]
    if len(left_R) and len(new_S):
        nothing_RSK = np.zeros((len(left_R), len(new_S), cost_RSK.shape[2]), dtype=np.float32)
        left_R = _seated(left_R, new_S, nothing_RSK, codes_NL, used_KK)
    return len(members_R) - len(left_R)


def _seated(
    members_R: Rows, sibling_S: Rows, cost_RSK: NDArray[np.float32], codes_NL: Codes, used_KK: NDArray[np.bool_]
) -> Rows:
    """Give members places in these siblings, in `codes_NL` and `used_KK`; the members that there is no room for."""
    if not len(sibling_S):
        return members_R
    best_RS = np.where(used_KK[sibling_S], np.inf, cost_RSK).min(axis=2)
    room_S = np.minimum((~used_KK[sibling_S]).sum(axis=1), len(members_R))
    seat_C = np.repeat(np.arange(len(sibling_S)), room_S)
    rows, seats = assignment(best_RS[:, seat_C], np.zeros((len(members_R), len(seat_C)), dtype=np.bool_))
    for chosen in np.unique(seat_C[seats]):
        inside = rows[seat_C[seats] == chosen]
        codes_NL[members_R[inside], -2] = sibling_S[chosen]
        codes_NL[members_R[inside], -1] = -1  # no code of the sibling is theirs already: all cost a change
        fill(members_R[inside], cost_RSK[inside, chosen], np.flatnonzero(~used_KK[sibling_S[chosen]]), codes_NL)
        used_KK[sibling_S[chosen], codes_NL[members_R[inside], -1]] = True
    return np.delete(members_R, rows)
