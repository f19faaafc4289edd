"""From what an arm says to what it earns: scores of all items, or ranked lists of items or IDs, against held-out answers.

Shapes: Q cases, T places of a history, N items, B entries of a list, K list lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.recommend.ranking import (
    KS,
    Floats,
    Hits,
    expected_hits,
    group_places,
    list_places,
    score_places,
    valid_shares,
)
from models.recommend.sequences import PAD, Cases, Items

CASES = 512  # whose scores of all items are held at a time
Scores = Callable[[Items], NDArray[np.float32]]


class IdHits(NamedTuple):
    """What lists of IDs earn: by item, where those that share an ID share the hit; by ID; and how many IDs are of items."""

    of_items: Hits
    of_ids: Hits
    valid_QK: Floats


def judge_scores(scores: Scores, cases: Cases, *, exclude_seen: bool, ks: tuple[int, ...] = KS) -> Hits:
    """Of an arm that scores all items of a history, ties shared by expectation; `cases.target_Q` may be -1: a miss."""
    found = []
    for start in range(0, len(cases.target_Q), CASES):
        history_QT = cases.history_QT[start : start + CASES]
        places = score_places(
            scores(history_QT), cases.target_Q[start : start + CASES], history_QT if exclude_seen else None
        )
        found.append(expected_hits(places, ks))
    return _together(found, ks)


def judge_lists(item_QB: Items, cases: Cases, *, exclude_seen: bool, ks: tuple[int, ...] = KS) -> Hits:
    """Of an arm that ranks items. The lists must be as long as the greatest K, or what is not in them is a miss."""
    found = []
    for start in range(0, len(cases.target_Q), CASES):
        part = slice(start, start + CASES)
        seen_QT = cases.history_QT[part] if exclude_seen else None
        found.append(expected_hits(list_places(item_QB[part], cases.target_Q[part], seen_QT), ks))
    return _together(found, ks)


def judge_ids(
    group_QB: Items, group_N: Items, cases: Cases, *, exclude_seen: bool, ks: tuple[int, ...] = KS
) -> IdHits:
    """Of an arm that ranks IDs: group_N is the number of each item's ID, -1 in a list an ID of no item, which takes no
    place in it (a list is drawn longer than it is shown), but counts in `valid_QK`."""
    of_items, of_ids = [], []
    for start in range(0, len(cases.target_Q), CASES):
        part = slice(start, start + CASES)
        seen_QT = cases.history_QT[part] if exclude_seen else None
        item, group = group_places(group_QB[part], cases.target_Q[part], group_N, seen_QT)
        of_items.append(expected_hits(item, ks))
        of_ids.append(expected_hits(group, ks))
    return IdHits(_together(of_items, ks), _together(of_ids, ks), valid_shares(group_QB != PAD, ks))


def _together(parts: list[Hits], ks: tuple[int, ...]) -> Hits:
    if not parts:
        return Hits(np.zeros((0, len(ks))), np.zeros((0, len(ks))))
    return Hits(
        np.concatenate([part.hr_QK for part in parts]), np.concatenate([part.ndcg_QK for part in parts])
    )
