"""From scores and lists to hits, over blocks of cases."""

from __future__ import annotations

import numpy as np
import pytest

from models.recommend import judging
from models.recommend.judging import judge_ids, judge_lists, judge_scores
from models.recommend.sequences import Cases, padded

# Item 3 is the best for everybody, then 2, 1, 0.
CASES = Cases(padded([[0], [3], [1, 2]], 2), np.array([3, 2, 0], dtype=np.int64))
ORDER_N = np.array([0, 1, 2, 3], dtype=np.float32)


def by_number(history_QT: np.ndarray) -> np.ndarray:
    return np.tile(ORDER_N, (len(history_QT), 1))


@pytest.fixture(autouse=True)
def _blocks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "CASES", 2)


def test_scores_are_judged_with_and_without_what_was_seen() -> None:
    open_, masked = (judge_scores(by_number, CASES, exclude_seen=e, ks=(1, 2)) for e in (False, True))
    assert open_.hr_QK.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert masked.hr_QK.tolist() == [[1, 1], [1, 1], [0, 1]]


def test_lists_agree_with_the_scores_they_come_from() -> None:
    lists = np.tile(np.array([3, 2, 1, 0]), (3, 1))
    for exclude_seen in (False, True):
        scored = judge_scores(by_number, CASES, exclude_seen=exclude_seen)
        listed = judge_lists(lists, CASES, exclude_seen=exclude_seen)
        assert listed.ndcg_QK.tolist() == scored.ndcg_QK.tolist()


def test_ids_are_judged_by_item_and_by_id_and_their_validity_is_told() -> None:
    group_N = np.array([0, 0, 1, 1])  # items 2 and 3 share an ID, so do 0 and 1
    lists = np.tile(np.array([1, -1, 0]), (3, 1))
    found = judge_ids(lists, group_N, CASES, exclude_seen=False, ks=(1, 3))
    assert found.of_items.hr_QK.tolist() == [[0.5, 1], [0.5, 1], [0, 0.5]]
    assert found.of_ids.hr_QK.tolist() == [[1, 1], [1, 1], [0, 1]]
    assert found.valid_QK.tolist() == [[1, pytest.approx(2 / 3)]] * 3


def test_no_cases_have_no_hits() -> None:
    none = Cases(np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert judge_scores(by_number, none, exclude_seen=True, ks=(1, 5)).hr_QK.shape == (0, 2)
