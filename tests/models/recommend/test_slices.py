"""Parts of the held-out answers."""

from __future__ import annotations

import numpy as np

from models.recommend.sequences import Cases, padded
from models.recommend.slices import quarters, slices


def test_quarters_hold_a_quarter_of_the_events_each_and_equal_counts_share_one() -> None:
    # 16 events: eight items of 1 (half of all, the middle one in the first half), one of 8.
    assert quarters(np.array([1] * 8 + [8] + [0])).tolist() == [2] * 8 + [4] + [0]
    # 4 items of 1, 2 of 2, one of 4, one of 4: 16 events, quarters end at 4, 8, 16.
    assert quarters(np.array([1, 1, 1, 1, 2, 2, 4, 4])).tolist() == [1, 1, 1, 1, 2, 2, 4, 4]


def test_answers_are_in_the_parts_of_what_was_known_of_them() -> None:
    count_N = np.array([0, 1, 1, 1, 1, 2, 2, 8])
    history_QT = padded([[5], [5, 6, 7], [5] * 4, [5] * 8], 9)
    cases = Cases(history_QT, np.array([7, 1, 0, -1]))
    found = slices(cases, count_N, ["tea", "tea", "", "", "", "", "", "oil"])
    told = {name: np.flatnonzero(is_in_Q).tolist() for name, is_in_Q in found.items()}
    assert told == {
        "all": [0, 1, 2, 3],
        "warm": [0, 1],
        "cold": [2, 3],
        "popularity: Q1": [1],
        "popularity: Q4": [0],
        "category: tea": [1, 2],
        "category: oil": [0],
        "history: 1 to 3": [0, 1],
        "history: 4 to 7": [2],
        "history: 8 or more": [3],
    }


def test_only_the_most_frequent_categories_are_told() -> None:
    cases = Cases(padded([[0]] * 5, 1), np.array([0, 1, 1, 2, 2]))
    found = slices(cases, np.array([1, 1, 1]), ["a", "c", "b"], categories=2)
    assert [name for name in found if name.startswith("category")] == ["category: b", "category: c"]
