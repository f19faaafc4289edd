"""Whether notes that users take together have IDs that begin alike, measured against the category and against chance.

In: codes_NL of the notes, pairs_P2 of places among them (two different notes each), their weights. Out: for every depth
the weight of the pairs that share their first codes, over the weight of all, beside the share that chance would give.

The same counting over the steps of the category path (`category_codes`) is the control: a path that people wrote is a
prefix code of its own, and a tokenizer that cannot beat it has learned nothing from what users do.

Shapes: N notes, L levels, P pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.ids.health import Codes, prefix_groups

DEPTHS = 3
ROOT_SHARE = 0.95  # of the paths: a step that so many share is their root
Pairs = NDArray[np.integer[Any]]
Weights = NDArray[np.floating[Any]]


class Sharing(NamedTuple):
    """Of pairs by weight: the share whose notes have one prefix, and the share that chance gives."""

    share: float
    chance: float

    @property
    def lift(self) -> float | None:
        """How many times as often as by chance; None where chance gives nothing."""
        return self.share / self.chance if self.chance > 0 else None


def sharing(group_N: Codes, pairs_P2: Pairs, weight_P: Weights | None = None) -> Sharing:
    """How often the two notes of a pair are in one group; a note whose group is negative shares with none.

    Chance draws two different notes, each with odds in proportion to its weight in the pairs: with p_i that share of
    note i and q_g the sum of p in group g, it is (sum of q_g^2 - sum of p_i^2) / (1 - sum of p_i^2), a note without a
    group left out of the first two sums. So popular notes in one group are no merit of the groups.

    Raises `ValueError` where there are no pairs, a pair names no note or one twice, or weights cannot be weights.
    """
    weight_P = _checked(len(group_N), pairs_P2, weight_P)
    left_P, right_P = group_N[pairs_P2[:, 0]], group_N[pairs_P2[:, 1]]
    share = float(weight_P[(left_P == right_P) & (left_P >= 0)].sum() / weight_P.sum())
    weight_N = np.bincount(pairs_P2.ravel(), weights=np.repeat(weight_P, 2), minlength=len(group_N))
    odds_N = weight_N / weight_N.sum()
    grouped = group_N >= 0
    same = float(np.square(np.bincount(group_N[grouped], weights=odds_N[grouped])).sum()) if grouped.any() else 0.0
    twice = float(np.square(odds_N[grouped]).sum())
    return Sharing(share, max(0.0, same - twice) / (1 - float(np.square(odds_N).sum())))


def alignment(
    codes_NL: Codes, pairs_P2: Pairs, weight_P: Weights | None = None, depths: int = DEPTHS
) -> tuple[Sharing, ...]:
    """`sharing` of the first 1, 2, ... codes, as far as there are levels. A first code below 0 means: no ID.

    Raises `ValueError` as `sharing` does, and where codes are not items x levels.
    """
    if codes_NL.ndim != 2 or codes_NL.size == 0:
        raise ValueError(f"codes must be items x levels with at least one of each; their shape is {codes_NL.shape}")
    is_known_N = codes_NL[:, 0] >= 0
    groups = prefix_groups(codes_NL[:, :depths])
    return tuple(sharing(np.where(is_known_N, group_N, -1), pairs_P2, weight_P) for group_N in groups)


def category_codes(paths: pa.Array | pa.ChunkedArray | Sequence[Sequence[str]], levels: int = DEPTHS) -> Codes:
    """codes_NL of category paths: equal numbers for equal steps, -1 where a path has ended.

    A root, that is a leading step that (nearly) all paths share, says nothing and is not counted as a step, as long as
    something is left. A path that has ended is whole at any depth: two notes of one short path share it. A path of
    nothing but the root is no path.
    """
    column = _one_array(paths)
    length_N = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    start_N = column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)[:-1]
    depth = int(length_N.max(initial=0))
    steps_ND = np.full((len(length_N), max(depth, 1)), -1, dtype=np.int64)
    for step in range(depth):
        has_N = length_N > step
        words = column.values.take(pa.array(start_N[has_N] + step))
        steps_ND[has_N, step] = words.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    root = _root_steps(steps_ND)
    found_NL = np.full((len(length_N), levels), -1, dtype=np.int64)
    kept_ND = steps_ND[:, root : root + levels]
    # Under another root a step of the same name is another step.
    kept_ND[:, 0] = np.where(kept_ND[:, 0] >= 0, prefix_groups(steps_ND[:, : root + 1])[-1], -1)
    found_NL[:, : kept_ND.shape[1]] = kept_ND
    return found_NL


def consecutive_pairs(user_E: Codes, place_E: Codes) -> Pairs:
    """pairs_P2 of the different notes that a user took one right after the other; events come in their order.

    Events of one user stand together. A pair that occurs often is there as often: it weighs by that.
    """
    follows = (user_E[1:] == user_E[:-1]) & (place_E[1:] != place_E[:-1])
    return np.stack([place_E[:-1][follows], place_E[1:][follows]], axis=1)


def _root_steps(steps_ND: Codes) -> int:
    """How many leading steps are a root, empty paths aside; 0 where nothing would be left."""
    some_MD = steps_ND[steps_ND[:, 0] >= 0]
    for step in range(steps_ND.shape[1]):
        if not len(some_MD) or np.unique(some_MD[:, step], return_counts=True)[1].max() < ROOT_SHARE * len(some_MD):
            return step
    return 0


def _one_array(paths: pa.Array | pa.ChunkedArray | Sequence[Sequence[str]]) -> pa.ListArray:
    if isinstance(paths, pa.ChunkedArray):
        return paths.combine_chunks()
    return paths if isinstance(paths, pa.Array) else pa.array(list(paths), pa.list_(pa.string()))


def _checked(num_notes: int, pairs_P2: Pairs, weight_P: Weights | None) -> NDArray[np.float64]:
    if pairs_P2.ndim != 2 or pairs_P2.shape[1] != 2 or len(pairs_P2) == 0:
        raise ValueError(f"pairs must be at least one row of two places; their shape is {pairs_P2.shape}")
    if pairs_P2.min() < 0 or pairs_P2.max() >= num_notes:
        raise ValueError(f"pairs name places {pairs_P2.min()} to {pairs_P2.max()}, but there are {num_notes} notes")
    if (pairs_P2[:, 0] == pairs_P2[:, 1]).any():
        raise ValueError("a pair is of two different notes; here is one of a note with itself")
    weights = np.ones(len(pairs_P2)) if weight_P is None else np.asarray(weight_P, dtype=np.float64)
    if weights.shape != (len(pairs_P2),):
        raise ValueError(f"there are weights of shape {weights.shape} for {len(pairs_P2)} pairs: give one a pair")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
        raise ValueError("weights of pairs must be finite and 0 or above, at least one of them above 0")
    return weights
