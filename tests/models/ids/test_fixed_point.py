"""Vectors as whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.fixed_point import (
    checked,
    distances,
    group_means,
    hashes,
    lloyd,
    nearest,
    normalized,
    seeds,
    to_fixed,
    unit_of,
)


def drawn(rows: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)


def test_a_step_is_two_to_minus_23_of_the_power_of_two_above_the_longest_row() -> None:
    assert unit_of(np.array([[3.0, 4.0], [0.0, 1.0]])) == 2.0**-20  # length 5, below 8
    assert unit_of(np.zeros((2, 2))) == 1.0
    assert to_fixed(np.array([[0.5, -0.75]]), 0.25).tolist() == [[2.0, -3.0]]


def test_sums_do_not_depend_on_order_or_batch() -> None:
    x_ND = drawn(200, 48)
    fixed_ND = to_fixed(x_ND, unit_of(x_ND))
    whole_NN = distances(fixed_ND, fixed_ND)
    turned = np.random.default_rng(1).permutation(48)
    assert np.array_equal(distances(fixed_ND[:, turned], fixed_ND[:, turned]), whole_NN)
    assert np.array_equal(
        np.concatenate([distances(fixed_ND[[row]], fixed_ND) for row in range(200)]), whole_NN
    )
    assert (np.diag(whole_NN) == 0).all()


def test_means_of_groups_are_rounded_and_an_empty_group_has_zeros() -> None:
    fixed_ND = np.array([[1.0, 2.0], [4.0, 4.0], [2.0, 3.0]])
    assert group_means(fixed_ND, np.array([2, 0, 2]), 3).tolist() == [[4.0, 4.0], [0.0, 0.0], [2.0, 2.0]]


def test_equal_rows_have_equal_hashes_and_other_rows_others() -> None:
    fixed_ND = to_fixed(drawn(500, 8), 2.0**-20)
    assert hashes(fixed_ND)[[3, 7]].tolist() == hashes(fixed_ND[[3, 7]]).tolist()
    assert len(np.unique(hashes(fixed_ND))) == 500
    assert hashes(fixed_ND + np.eye(500, 8))[0] != hashes(fixed_ND)[0]


def test_the_nearest_is_the_first_of_equals() -> None:
    index_N, distance_N = nearest(np.array([[0.0], [5.0]]), np.array([[2.0], [-2.0], [4.0]]))
    assert index_N.tolist() == [0, 2]
    assert distance_N.tolist() == [4.0, 1.0]


def test_two_heaps_get_their_means_and_seeds_are_rows_that_differ() -> None:
    rows_N1 = np.array([[0.0], [2000.0], [100_000.0], [102_000.0]])
    assert sorted(lloyd(rows_N1, 2, seed=3)[:, 0].tolist()) == [1000.0, 101_000.0]
    found = seeds(np.concatenate([rows_N1, rows_N1]), 8, seed=1)
    assert sorted(found[:, 0].tolist()) == sorted(rows_N1[:, 0].tolist())


def test_a_row_of_zeros_stays_when_rows_are_scaled_to_length_one() -> None:
    assert normalized(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_nan_and_a_wrong_width_are_errors_that_say_where() -> None:
    with pytest.raises(ValueError, match="1 of 2 vectors hold NaN or infinity, the first in row 1"):
        checked(np.array([[0.0, 1.0], [np.nan, 0.0]]))
    with pytest.raises(ValueError, match=r"vectors must be rows x 3; their shape is \(1, 2\)"):
        checked(np.zeros((1, 2)), 3)
