"""Collisions solved at item level: what becomes of notes that a tokenizer gave one and the same ID.

In: codes_NL of notes that arrive, the codes of notes that are published and must not move (`taken_ML`), and what each
last code would cost a note. Out: their codes, how often each was changed and why. Four policies:

- `none`: codes stay; notes that share an ID are told apart by their rank inside it.
- `extra`: TIGER's extra code (arXiv 2305.05065, section 3.1): that rank, appended as one more code, 0 where it is alone.
- `sinkhorn`: LC-Rec's uniform semantic mapping (arXiv 2311.09049, section 3.2), see `last_transport.py`; equal contents
  and what twenty rounds do not separate stay together.
- `matching`: the fewest changes of last codes that give everybody an ID of their own, after CollisionGenRec's ZCR
  (arXiv 2605.25330), see `matching.py`. Equal contents are separated too: a decoder can name each, though nothing in
  their content tells which is which.

Everything follows from contents, never from the order of rows in a file: `content_N` is the rank of a note's content
hash among those of all notes that arrive (equal contents, equal ranks), and rows of equal content come in the order of
their ids. Shapes: N notes that arrive, M published, R some rows, L levels, K codes a level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ids.last_transport import spread
from models.ids.matching import matched
from models.ids.places import both_numbered, crowded, crowded_ids, ranks
from models.ids.tokenizer import Codes

POLICIES = ("none", "extra", "sinkhorn", "matching")
LastCosts = Callable[[NDArray[np.int64], Codes], NDArray[np.float32]]


class Placed(NamedTuple):
    """The codes of the arriving notes (one more a note under `extra`), and what had to be done.

    `num_colliding` had no ID of their own before; `num_irreducible` of them share it with an arriving note of the same
    content, which no tokenizer can mend; `num_changed` have other codes than the tokenizer gave, `num_overflow` of them
    also before the last; `num_tied` share all their codes with another note still.
    """

    codes_NL: Codes
    num_colliding: int
    num_irreducible: int
    num_changed: int
    num_overflow: int
    num_tied: int


def place(
    policy: str,
    codes_NL: Codes,
    content_N: NDArray[np.int64],
    taken_ML: Codes,
    num_codes: int,
    last_costs: LastCosts,
) -> Placed:
    """Place arriving notes among published ones, which keep their codes.

    `last_costs(rows_R, codes_RL)` gives cost_RK of these rows (indices into N) with these codes before the last, infinite
    where those lead nowhere; it is asked about colliding rows only. Under `extra` published codes have L + 1 columns.
    Raises `ValueError` for an unknown policy, codes outside their codebook, or shapes that do not fit.
    """
    require_fitting(policy, codes_NL, content_N, taken_ML, num_codes)
    levels = codes_NL.shape[1]
    order_N = np.argsort(content_N, kind="stable")
    sorted_NL = codes_NL[order_N]
    id_N, taken_M = both_numbered(sorted_NL, taken_ML[:, :levels], num_codes)
    crowded_N, num_irreducible = crowded_ids(id_N, taken_M), _irreducible(id_N, content_N[order_N])
    del id_N, taken_M

    def costs(rows_R: NDArray[np.int64], codes_RL: Codes) -> NDArray[np.float32]:
        return last_costs(order_N[rows_R], codes_RL)

    match policy:
        case "matching":
            moved_NL, num_overflow = matched(sorted_NL, crowded_N, taken_ML, num_codes, costs)
        case "sinkhorn":
            moved_NL, num_overflow = spread(sorted_NL, taken_ML, num_codes, costs), 0
        case "extra":
            moved_NL, num_overflow = _with_extra(sorted_NL, taken_ML, num_codes), 0
        case _:
            moved_NL, num_overflow = sorted_NL, 0
    num_changed = int((moved_NL[:, :levels] != sorted_NL).any(axis=1).sum())
    num_tied = _tied(moved_NL, taken_ML, num_codes)
    final_NL = moved_NL[np.argsort(order_N)]
    return Placed(final_NL, int(crowded_N.sum()), num_irreducible, num_changed, num_overflow, num_tied)


def require_fitting(
    policy: str, codes_NL: Codes, content_N: NDArray[np.int64], taken_ML: Codes, num_codes: int
) -> None:
    """Raise `ValueError` where the parts do not fit each other."""
    if policy not in POLICIES:
        raise ValueError(f"collision policy {policy!r} is unknown: it may be {', '.join(POLICIES)}")
    if codes_NL.ndim != 2 or codes_NL.shape[1] < 1 or content_N.shape != (len(codes_NL),):
        raise ValueError(f"codes must be notes x levels and contents one a note; shapes {codes_NL.shape}, {content_N.shape}")
    levels = codes_NL.shape[1] + (policy == "extra")
    if taken_ML.ndim != 2 or taken_ML.shape[1] != levels:
        raise ValueError(f"published codes have shape {taken_ML.shape}: under policy {policy!r} they need {levels} columns")
    for name, codes in (("arriving", codes_NL), ("published", taken_ML[:, : codes_NL.shape[1]])):
        if codes.size and (codes.min() < 0 or codes.max() >= num_codes):
            raise ValueError(f"{name} codes run from {codes.min()} to {codes.max()}, outside a codebook of {num_codes}")


def _with_extra(codes_NL: Codes, taken_ML: Codes, num_codes: int) -> Codes:
    """The codes and the rank inside the ID; published notes come first, and gaps that withdrawn ones left stay."""
    levels = codes_NL.shape[1]
    here_N, taken_M = both_numbered(codes_NL, taken_ML[:, :levels], num_codes)
    extra_N = ranks(here_N)
    if len(taken_M):
        order_M = np.lexsort((taken_ML[:, levels], taken_M))
        sorted_M = taken_M[order_M]
        last_N = np.searchsorted(sorted_M, here_N, side="right") - 1
        found_N = (last_N >= 0) & (sorted_M[last_N] == here_N)
        extra_N = extra_N + np.where(found_N, taken_ML[order_M[last_N], levels] + 1, 0)
    return np.concatenate([codes_NL, extra_N[:, None]], axis=1).astype(np.int32)


def _irreducible(id_N: NDArray[np.int64], content_N: NDArray[np.int64]) -> int:
    """How many rows share their ID with a row of their content."""
    order_N = np.lexsort((content_N, id_N))
    same_N = (id_N[order_N][1:] == id_N[order_N][:-1]) & (content_N[order_N][1:] == content_N[order_N][:-1])
    twin_N = np.zeros(len(id_N), dtype=np.bool_)
    twin_N[1:] |= same_N
    twin_N[:-1] |= same_N
    return int(twin_N.sum())


def _tied(codes_NL: Codes, taken_ML: Codes, num_codes: int) -> int:
    largest = max([num_codes - 1, *(int(c.max()) for c in (codes_NL, taken_ML) if c.size)])
    return int(crowded(codes_NL, taken_ML, largest + 1).sum())
