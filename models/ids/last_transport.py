"""LC-Rec's way out of collisions (arXiv 2311.09049, section 3.2): the last codes of a crowd, by entropic optimal transport.

At most twenty rounds: the notes that share an ID get the last codes that a transport plan prefers which gives every code
the same mass; the codes before the last stay. Two notes of equal cost get equal codes in every round, so equal contents
are never separated, and what is left after the last round stays together. In append mode only arriving notes are
encoded again, and codes that published notes have under the same prefix are no choice.
Shapes: N notes, R of one ID, L levels, K codes a level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.ids.places import both_numbered, crowded_ids, slices
from models.ids.tokenizer import Codes

ROUNDS = 20  # as LC-Rec
EPSILON = 0.003
ITERATIONS = 50
CHUNK = 8192


def transport(cost_RK: NDArray[np.floating], epsilon: float = EPSILON) -> NDArray[np.float64]:
    """log_RK of the plan between rows of mass 1 and codes of mass R / K, for costs centred and scaled to [-1, 1].

    Sinkhorn's iterations in logarithms: at this epsilon plain ones would under- and overflow.
    """
    cost_RK = cost_RK.astype(np.float64)
    middle = (cost_RK.max() + cost_RK.min()) / 2
    reach = max(cost_RK.max() - middle, 1e-12)
    log_RK = -(cost_RK - middle) / reach / epsilon
    code_mass = np.log(log_RK.shape[0] / log_RK.shape[1])
    for _ in range(ITERATIONS):
        log_RK = log_RK - _log_sum(log_RK, 0) + code_mass
        log_RK = log_RK - _log_sum(log_RK, 1)
    return log_RK


def _log_sum(log_RK: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    top = log_RK.max(axis=axis, keepdims=True)
    total: NDArray[np.float64] = top + np.log(np.exp(log_RK - top).sum(axis=axis, keepdims=True))
    return total


def spread(
    codes_NL: Codes,
    taken_ML: Codes,
    num_codes: int,
    costs: Callable[[NDArray[np.int64], Codes], NDArray[np.float32]],
) -> Codes:
    """The codes after at most `ROUNDS` rounds; rows come in the order of their contents."""
    codes_NL = codes_NL.copy()
    prefix_N, taken_prefix_M = both_numbered(codes_NL[:, :-1], taken_ML[:, :-1], num_codes)
    taken_order = np.argsort(taken_prefix_M, kind="stable")
    for _ in range(ROUNDS):
        id_N, taken_M = both_numbered(codes_NL, taken_ML, num_codes)
        rows_R = np.flatnonzero(crowded_ids(id_N, taken_M))
        before = codes_NL[rows_R, -1]
        rows_R = rows_R[np.argsort(id_N[rows_R], kind="stable")]
        _, start_G, end_G = slices(id_N[rows_R])
        for start, end in zip(start_G, end_G, strict=True):
            members = rows_R[start:end]
            here = np.searchsorted(taken_prefix_M, [prefix_N[members[0]]] * 2, sorter=taken_order)
            here[1] = np.searchsorted(taken_prefix_M, prefix_N[members[0]], "right", sorter=taken_order)
            free_F = np.setdiff1d(np.arange(num_codes), taken_ML[taken_order[here[0] : here[1]], -1])
            if len(free_F):
                codes_NL[members, -1] = _reencoded(members, codes_NL, free_F, costs)
        if np.array_equal(before, codes_NL[np.sort(rows_R), -1]):
            break
    return codes_NL


def _reencoded(
    members_R: NDArray[np.int64],
    codes_NL: Codes,
    free_F: NDArray[np.int64],
    costs: Callable[[NDArray[np.int64], Codes], NDArray[np.float32]],
) -> NDArray[np.int64]:
    """The last codes that the plan prefers; a crowd of more than CHUNK is encoded part by part, as in a batch."""
    found = []
    for start in range(0, len(members_R), CHUNK):
        part = members_R[start : start + CHUNK]
        cost_RF = costs(part, codes_NL[part])[:, free_F]
        found.append(free_F[transport(cost_RF).argmax(axis=1)])
    return np.concatenate(found)
