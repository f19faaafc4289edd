"""Which code each child gets."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.labels import codebook, matched

PLACES = np.array([[0.0], [10.0], [20.0]])


def test_a_code_means_the_same_place_under_different_parents() -> None:
    places_M1 = np.array([[1.0], [19.0], [9.0], [0.0], [21.0]])
    assert matched(places_M1, np.array([0, 0, 1, 1, 1]), PLACES, balance=0.0).tolist() == [0, 2, 1, 0, 2]


def test_children_of_a_parent_never_share_a_code_and_the_sum_of_distances_is_least() -> None:
    # Both want place 0; moving 4 to place 10 costs 36 - 16, moving 1 there 81 - 1.
    assert matched(np.array([[1.0], [4.0], [20.0]]), np.array([0, 0, 1]), PLACES, 0.0).tolist() == [0, 1, 2]


def test_a_code_that_nobody_wants_goes_to_the_nearest_node_whose_own_is_used_twice() -> None:
    places_M1 = np.array([[0.0], [0.0], [4.0], [20.0]])
    assert matched(places_M1, np.arange(4), PLACES, balance=0.0).tolist() == [0, 0, 1, 2]


def test_balance_makes_a_used_code_dearer() -> None:
    places_M1 = np.zeros((9, 1))
    assert np.bincount(matched(places_M1, np.arange(9), PLACES, balance=9.0)).tolist() == [3, 3, 3]


def test_more_children_than_codes_are_an_error() -> None:
    with pytest.raises(ValueError, match="a node has 4 children, more than the 3 codes"):
        matched(np.zeros((4, 1)), np.zeros(4, dtype=np.int64), PLACES, 0.0)


def test_places_repeat_where_fewer_differ_than_codes_are() -> None:
    assert sorted(codebook(np.array([[0.0], [4096.0]]), 4, seed=1)[:, 0].tolist()) == [
        0.0,
        0.0,
        4096.0,
        4096.0,
    ]
