"""Hit rate and NDCG of held-out answers, at the level of items.

Two situations have one formula. A target that ties with G - 1 other items, all behind P items, stands in a random order
at P + 1 to P + G; and a target whose ID is shared by G items, behind lists' IDs of P items, may be any of the G
(CollisionGenRec, arXiv 2605.25330: a hit counted by ID alone overstates by up to a factor of two). Then
HR@K = E / G and NDCG@K = sum_{i = 1..E} 1 / log2(P + i + 1) / G, with E = min(G, max(0, K - P)).

Items that a user has seen are not counted where they are masked: they stand nowhere, and one that is the target is a miss.
Shapes: Q cases, K list lengths, N items, B entries of a list (-1 is none), T places of a history (-1 is no item).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.recommend.sequences import PAD, Items

KS = (1, 3, 5, 10, 20)
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Hits(NamedTuple):
    """What each case earns at each list length."""

    hr_QK: Floats
    ndcg_QK: Floats


class Places(NamedTuple):
    """Where a target stands: behind `before_Q` items, as one of `size_Q` in no order; size 0: nowhere, a miss."""

    before_Q: Items
    size_Q: Items


def expected_hits(places: Places, ks: tuple[int, ...] = KS) -> Hits:
    """The formula above. Raises `ValueError` for places below 0 and list lengths below 1."""
    before_Q, size_Q = places
    if min(ks, default=0) < 1 or (before_Q < 0).any() or (size_Q < 0).any():
        raise ValueError(f"lists of length {ks} and places are counted from 1 and 0")
    most = max(ks)
    # gains[n]: the sum of the discounts of the first n places.
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(most) + 2))])
    hr, ndcg, share_Q = [], [], 1 / np.maximum(size_Q, 1)
    for k in ks:
        start_Q, stop_Q = np.minimum(before_Q, k), np.minimum(before_Q + size_Q, k)
        hr.append((stop_Q - start_Q) * share_Q)
        ndcg.append((gains[stop_Q] - gains[start_Q]) * share_Q)
    return Hits(np.stack(hr, axis=1), np.stack(ndcg, axis=1))


def score_places(score_QN: NDArray[np.float32], target_Q: Items, seen_QT: Items | None = None) -> Places:
    """Places of targets among all items by score, those of `seen_QT` left out; a target that is -1 is no known item.

    Raises `ValueError` for scores that are no number and targets that are no item.
    """
    num_items = score_QN.shape[1]
    if np.isnan(score_QN).any():
        raise ValueError(f"{np.isnan(score_QN).any(axis=1).sum()} cases have scores that are no number")
    if len(target_Q) != len(score_QN) or (target_Q >= num_items).any() or (target_Q < PAD).any():
        raise ValueError(f"targets of {len(target_Q)} cases do not fit scores of shape {score_QN.shape}")
    case_Q = np.arange(len(target_Q))
    goal_Q1 = score_QN[case_Q, target_Q][:, None]
    is_above_QN, is_equal_QN = score_QN > goal_Q1, score_QN == goal_Q1
    is_miss_Q = target_Q == PAD
    if seen_QT is not None:
        case, place = np.nonzero(seen_QT != PAD)
        is_above_QN[case, seen_QT[case, place]] = False
        is_equal_QN[case, seen_QT[case, place]] = False
        is_miss_Q = is_miss_Q | (seen_QT == target_Q[:, None]).any(axis=1)
    size_Q = np.where(is_miss_Q, 0, is_equal_QN.sum(axis=1))
    return Places(is_above_QN.sum(axis=1).astype(np.int64), size_Q.astype(np.int64))


def list_places(item_QB: Items, target_Q: Items, seen_QT: Items | None = None) -> Places:
    """Places of targets in ranked lists; an item that stands twice counts once, a seen or missing one not at all."""
    is_seen_QB = (
        np.zeros(item_QB.shape, bool) if seen_QT is None else (item_QB[:, :, None] == seen_QT[:, None]).any(2)
    )
    size_QB = np.where(is_first(item_QB) & ~is_seen_QB, 1, 0)
    return _places(item_QB, size_QB, target_Q)


def group_places(
    group_QB: Items, target_Q: Items, group_N: Items, seen_QT: Items | None = None
) -> tuple[Places, Places]:
    """Places of targets in ranked lists of groups (of items that share an ID): of the item, and of its group.

    group_N is the group of each item, numbered from 0; in a list -1 is an ID that no item has. A group counts as many
    items as the user has not seen; one of none is not in the list. At the level of groups each of the others is one.
    Raises `ValueError` for groups and targets that are none.
    """
    num_groups = int(group_N.max(initial=-1)) + 1
    if group_QB.size and (group_QB.min() < PAD or group_QB.max() >= num_groups):
        raise ValueError(f"lists name groups {group_QB.min()} to {group_QB.max()}; there are {num_groups}")
    if target_Q.size and (target_Q.min() < PAD or target_Q.max() >= len(group_N)):
        raise ValueError(f"targets name items {target_Q.min()} to {target_Q.max()}; there are {len(group_N)}")
    known_N1 = np.append(group_N, PAD)  # so that item -1 is of group -1
    size_QB = np.append(np.bincount(group_N, minlength=num_groups), 0)[group_QB]
    target_group_Q, is_miss_Q = known_N1[target_Q], target_Q == PAD
    if seen_QT is not None:
        seen_group_QT = np.where(is_first(seen_QT), known_N1[seen_QT], PAD)
        size_QB = size_QB - (group_QB[:, :, None] == seen_group_QT[:, None]).sum(axis=2)
        is_miss_Q = is_miss_Q | (seen_QT == target_Q[:, None]).any(axis=1)
    size_QB = np.where(is_first(group_QB), size_QB, 0)
    target_group_Q = np.where(is_miss_Q, PAD, target_group_Q)
    ones_QB = np.minimum(size_QB, 1)
    return _places(group_QB, size_QB, target_group_Q), _places(group_QB, ones_QB, target_group_Q)


def is_first(entry_QB: Items) -> Bools:
    """Which entries of a row are not -1 and do not stand before in it."""
    is_same_QBB = entry_QB[:, :, None] == entry_QB[:, None]
    return (entry_QB != PAD) & ~np.tril(is_same_QBB, -1).any(axis=2)


def _places(entry_QB: Items, size_QB: Items, target_Q: Items) -> Places:
    is_target_QB = (entry_QB == target_Q[:, None]) & (target_Q[:, None] != PAD)
    size_Q = np.where(is_target_QB, size_QB, 0).sum(axis=1)
    before_QB = np.cumsum(size_QB, axis=1) - size_QB
    at_Q = np.where(is_target_QB & (size_QB > 0), before_QB, 0).sum(axis=1)
    return Places(at_Q.astype(np.int64), size_Q.astype(np.int64))


def valid_shares(is_valid_QB: Bools, ks: tuple[int, ...] = KS) -> Floats:
    """share_QK: of the first K entries of each list those that are IDs of items; entries that are not there are not."""
    valid = np.cumsum(is_valid_QB, axis=1)
    num_entries = is_valid_QB.shape[1]
    return np.stack([valid[:, min(k, num_entries) - 1] / k for k in ks], axis=1)
