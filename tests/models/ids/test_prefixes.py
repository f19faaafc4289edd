"""How alike the IDs of notes begin that are taken together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.ids.prefixes import alignment, category_codes, consecutive_pairs, sharing

CODES = np.array([[0, 0], [0, 1], [1, 0], [1, 0]])
PAIRS = np.array([[0, 1], [2, 3], [0, 2]])
WEIGHTS = np.array([1.0, 2.0, 1.0])


def test_shares_and_chance_of_three_pairs_by_hand() -> None:
    first, second = alignment(CODES, PAIRS, WEIGHTS)
    # One code: pairs 0-1 and 2-3 of weight 3 in 4; two codes: pair 2-3 alone.
    assert (first.share, second.share) == (3 / 4, 2 / 4)
    # The notes weigh 2, 1, 3, 2 in 8. Squares: of the notes 18/64, of the groups 34/64 and 30/64.
    assert first.chance == pytest.approx((34 - 18) / (64 - 18))
    assert second.chance == pytest.approx((30 - 18) / (64 - 18))
    assert first.lift == pytest.approx(0.75 * 46 / 16)


def test_chance_is_that_of_two_different_notes_drawn_by_weight() -> None:
    dice = np.random.default_rng(3)
    group, pairs = dice.integers(-1, 4, 12), dice.integers(0, 12, (40, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    weight = dice.uniform(0.1, 2, len(pairs))
    odds = np.bincount(pairs.ravel(), weights=np.repeat(weight, 2), minlength=12)
    both = np.outer(odds, odds) * (1 - np.eye(12))
    same = (group[:, None] == group[None, :]) & (group[:, None] >= 0)
    assert sharing(group, pairs, weight).chance == pytest.approx((both * same).sum() / both.sum())


def test_ids_of_one_code_lift_nothing_and_ids_of_their_own_share_nothing() -> None:
    (same,) = alignment(np.zeros((4, 1), dtype=int), PAIRS)
    assert (same.share, same.chance, same.lift) == pytest.approx((1.0, 1.0, 1.0))
    (own,) = alignment(np.arange(4)[:, None], PAIRS)
    assert (own.share, own.chance, own.lift) == (0.0, 0.0, None)


def test_notes_without_an_id_share_nothing_not_even_with_each_other() -> None:
    (found,) = alignment(np.array([[-1], [-1], [2], [2]]), PAIRS, WEIGHTS)
    assert found.share == 2 / 4


def test_no_more_depths_than_there_are_levels_or_are_asked_for() -> None:
    assert len(alignment(CODES, PAIRS)) == 2
    assert len(alignment(CODES, PAIRS, depths=1)) == 1


@pytest.mark.parametrize(
    ("pairs", "weights", "complaint"),
    [
        ([[0, 4]], None, "but there are 4 notes"),
        ([[-1, 0]], None, "places -1 to 0"),
        ([[1, 1]], None, "a note with itself"),
        ([[0, 1]], [np.nan], "finite"),
        ([[0, 1]], [-1.0], "0 or above"),
        ([[0, 1]], [0.0], "above 0"),
        ([[0, 1]], [1.0, 1.0], "give one a pair"),
        (np.empty((0, 2), dtype=int), None, "at least one row"),
        ([[0, 1, 2]], None, "two places"),
    ],
)
def test_pairs_that_cannot_be_are_an_error(pairs: list[list[int]], weights: list[float] | None, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        alignment(CODES, np.asarray(pairs), None if weights is None else np.asarray(weights))


def test_codes_of_no_level_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one of each"):
        alignment(np.empty((4, 0), dtype=int), PAIRS)


def test_a_category_path_becomes_codes_without_its_root() -> None:
    found = category_codes([["shop", "tents", "small"], ["shop", "tents"], ["shop", "food", "small"], ["shop"], []])
    assert found[0, 0] == found[1, 0] != found[2, 0]
    assert found[0, 1] == found[2, 1] >= 0
    assert found[:, 0].min() == -1
    assert found[1, 1] == -1
    assert (found[3:] == -1).all()
    assert (found[:, 2] == -1).all()


def test_a_root_of_nearly_all_is_a_root_and_another_root_is_not_taken_for_it() -> None:
    found = category_codes([["shop", "tents"], ["shop", "food"]] * 20 + [["other", "tents"]], levels=1)[:, 0]
    assert (found[:40:2] == found[0]).all()
    assert len({found[0], found[1], found[40]}) == 3


def test_paths_that_are_all_alike_are_kept_and_no_paths_give_no_codes() -> None:
    assert (category_codes([["a", "b"], ["a", "b"]], levels=2) >= 0).all()
    assert (category_codes([[], []], levels=2) == -1).all()
    assert category_codes([], levels=2).shape == (0, 2)


def test_codes_of_paths_agree_with_comparing_the_paths() -> None:
    dice = np.random.default_rng(4)
    paths = [[f"w{w}" for w in dice.integers(0, 3, dice.integers(1, 4))] for _ in range(40)]
    column = pa.chunked_array([pa.array(paths[:9]), pa.array(paths[9:])])
    codes = category_codes(column.slice(2), levels=3)
    for depth in (1, 2, 3):
        for i, left in enumerate(paths[2:]):
            for j, right in enumerate(paths[2:]):
                assert (codes[i, :depth] == codes[j, :depth]).all() == (left[:depth] == right[:depth])


def test_consecutive_events_of_one_user_are_pairs() -> None:
    # User 7 takes 1, 1, 2 and user 8 takes 2, 1: a repetition is no pair, nor is what two users did.
    assert consecutive_pairs(np.array([7, 7, 7, 8, 8]), np.array([1, 1, 2, 2, 1])).tolist() == [[1, 2], [2, 1]]
