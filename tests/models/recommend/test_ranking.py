"""Hits of tied scores, of lists and of shared IDs, worked by hand and by brute force."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import log2

import numpy as np
import pytest

from models.recommend.ranking import (
    Hits,
    Places,
    expected_hits,
    group_places,
    is_first,
    list_places,
    score_places,
    valid_shares,
)
from models.recommend.sequences import padded


def ints(*values: object) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def scores(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_a_target_alone_at_a_place_hits_from_there_on() -> None:
    # First, third, sixth, twenty-first.
    found = expected_hits(Places(ints(0, 2, 5, 20), ints(1, 1, 1, 1)))
    assert found.hr_QK.tolist() == [[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert found.ndcg_QK[1].tolist() == pytest.approx([0, 0.5, 0.5, 0.5, 0.5])
    assert found.ndcg_QK[2].tolist() == pytest.approx([0, 0, 0, 1 / log2(7), 1 / log2(7)])


def test_a_shared_place_is_collision_corrected_as_in_the_paper() -> None:
    # Three items behind eight: two of them are among ten, at places 9 and 10; one among nine; all among 11.
    found = expected_hits(Places(ints(8), ints(3)), (8, 9, 10, 11))
    assert found.hr_QK[0].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    at_9, at_10, at_11 = 1 / log2(10), 1 / log2(11), 1 / log2(12)
    assert found.ndcg_QK[0].tolist() == pytest.approx(
        [0, at_9 / 3, (at_9 + at_10) / 3, (at_9 + at_10 + at_11) / 3]
    )


def test_nowhere_is_a_miss() -> None:
    found = expected_hits(Places(ints(0), ints(0)))
    assert (found.hr_QK.sum(), found.ndcg_QK.sum()) == (0, 0)


def test_ties_are_shared_as_their_orders_would_give_on_average() -> None:
    score_QN, ks = scores([3, 1, 1, 2, 1]), (1, 2, 3, 4, 5)
    found = expected_hits(score_places(score_QN, ints(1)), ks)
    orders = [
        o for o in permutations(range(5)) if all(score_QN[0, a] >= score_QN[0, b] for a, b in pairwise(o))
    ]
    assert len(orders) == 6
    at = [order.index(1) + 1 for order in orders]
    assert found.hr_QK[0].tolist() == pytest.approx([np.mean([p <= k for p in at]) for k in ks])
    assert found.ndcg_QK[0].tolist() == pytest.approx(
        [np.mean([(p <= k) / log2(p + 1) for p in at]) for k in ks]
    )


def test_scores_that_are_all_alike_give_chance() -> None:
    found = expected_hits(score_places(np.zeros((1, 40), dtype=np.float32), ints(7)))
    assert found.hr_QK[0].tolist() == pytest.approx([1 / 40, 3 / 40, 5 / 40, 10 / 40, 20 / 40])


def test_what_was_seen_stands_nowhere_and_is_a_miss_as_target() -> None:
    score_QN = scores(*[[5, 4, 3, 3, 2]] * 4)
    seen_QT = padded([[0, 3], [1], [], [3]], 2)
    found = score_places(score_QN, ints(2, 1, -1, 3), seen_QT)
    assert (found.before_Q[0], found.size_Q.tolist()) == (1, [1, 0, 0, 0])
    assert score_places(score_QN, ints(2, 1, -1, 3)).size_Q.tolist() == [2, 1, 0, 2]


def test_scores_below_everything_are_still_an_order() -> None:
    found = score_places(scores([-np.inf, 1, -np.inf]), ints(0))
    assert (found.before_Q.tolist(), found.size_Q.tolist()) == ([1], [2])


def test_a_list_counts_an_item_once_and_skips_what_was_seen() -> None:
    item_QB = ints([4, 4, 7, -1, 9], [4, 4, 7, -1, 9], [4, 4, 7, -1, 9])
    plain = list_places(item_QB, ints(9, 5, -1))
    assert (plain.before_Q[0], plain.size_Q.tolist()) == (2, [1, 0, 0])
    seen = list_places(item_QB, ints(9, 4, 7), padded([[7, 1], [4], []], 2))
    assert (seen.before_Q.tolist(), seen.size_Q.tolist()) == ([1, 0, 1], [1, 0, 1])


# Items 0 to 5 have the IDs 0, 0, 1, 2, 2, 2.
GROUP_N = ints(0, 0, 1, 2, 2, 2)


def test_a_target_stands_behind_all_items_of_the_ids_before_its_own() -> None:
    item, group = group_places(ints([0, -1, 2, 1], [0, -1, 2, 1]), ints(4, 2), GROUP_N)
    assert (item.before_Q.tolist(), item.size_Q.tolist()) == ([2, 5], [3, 1])
    assert (group.before_Q.tolist(), group.size_Q.tolist()) == ([1, 2], [1, 1])


def test_an_id_counts_the_items_that_were_not_seen_and_one_of_none_is_not_in_the_list() -> None:
    group_QB = ints([0, 2, 1], [0, 2, 1], [0, 2, 1], [0, 2, 1])
    seen_QT = padded([[0, 4, 4], [0, 1], [2], [4]], 3)
    item, group = group_places(group_QB, ints(3, 3, 2, 4), GROUP_N, seen_QT)
    # Items 1 | 3, 5 are left; then 3, 4, 5 alone; the last two targets themselves were seen.
    assert (item.before_Q.tolist(), item.size_Q.tolist()) == ([1, 0, 0, 0], [2, 3, 0, 0])
    assert (group.before_Q.tolist(), group.size_Q.tolist()) == ([1, 0, 0, 0], [1, 1, 0, 0])


def test_an_id_that_is_not_in_the_list_is_a_miss_and_so_is_an_unknown_item() -> None:
    item, group = group_places(ints([0, -1], [0, -1]), ints(2, -1), GROUP_N)
    assert (item.size_Q.tolist(), group.size_Q.tolist()) == ([0, 0], [0, 0])


def test_where_every_item_has_an_id_of_its_own_correction_changes_nothing() -> None:
    dice = np.random.default_rng(1)
    lists = np.stack([dice.permutation(30)[:20] for _ in range(50)])
    target_Q, seen_QT = dice.integers(0, 30, 50), dice.integers(-1, 30, (50, 4))
    item, group = group_places(lists, target_Q, np.arange(30), seen_QT)
    plain = expected_hits(list_places(lists, target_Q, seen_QT))
    assert 0 < plain.hr_QK.mean() < 1
    assert _same(expected_hits(item), plain)
    assert _same(expected_hits(group), plain)


def test_correction_is_the_average_over_orders_inside_the_ids() -> None:
    group_QB, target_Q = ints([2, 0, 1]), ints(1)
    corrected = expected_hits(group_places(group_QB, target_Q, GROUP_N)[0])
    lists = [(*a, *b, 2) for a in permutations((3, 4, 5)) for b in permutations((0, 1))]
    plain = [expected_hits(list_places(ints(list(one)), target_Q)) for one in lists]
    assert corrected.ndcg_QK == pytest.approx(np.mean([hits.ndcg_QK for hits in plain], axis=0))
    assert corrected.hr_QK == pytest.approx(np.mean([hits.hr_QK for hits in plain], axis=0))


def test_the_first_of_equal_entries_counts_and_none_is_none() -> None:
    assert is_first(ints([3, -1, 3, 5, -1])).tolist() == [[True, False, False, True, False]]


def test_the_share_of_valid_ids_is_of_the_list_that_was_asked_for() -> None:
    is_valid_QB = np.array([[True, False, True], [False, False, False]])
    assert valid_shares(is_valid_QB, (1, 2, 6)).tolist() == [[1, 0.5, pytest.approx(2 / 6)], [0, 0, 0]]


def test_bad_figures_are_errors_that_say_so() -> None:
    with pytest.raises(ValueError, match="1 cases have scores that are no number"):
        score_places(scores([1, np.nan], [1, 2]), ints(0, 0))
    with pytest.raises(ValueError, match=r"targets of 1 cases do not fit scores of shape \(1, 2\)"):
        score_places(scores([1, 2]), ints(2))
    with pytest.raises(ValueError, match="lists name groups 0 to 3; there are 3"):
        group_places(ints([0, 3]), ints(0), GROUP_N)
    with pytest.raises(ValueError, match="targets name items 6 to 6; there are 6"):
        group_places(ints([0, 1]), ints(6), GROUP_N)
    with pytest.raises(ValueError, match="counted from 1 and 0"):
        expected_hits(Places(ints(0), ints(1)), (0, 5))


def _same(one: Hits, other: Hits) -> bool:
    return bool(np.allclose(one.hr_QK, other.hr_QK) and np.allclose(one.ndcg_QK, other.ndcg_QK))
