"""Notes that are clicked together lie together; the matrix is worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.pair_vectors import collaborative_vectors, information

TWO_GROUPS = np.array([[0, 1], [1, 2], [2, 0], [4, 5], [5, 6], [6, 4]])


def test_the_information_of_pairs_worked_by_hand() -> None:
    # Pairs 0-1 (weight 2) and 1-2 (weight 1): own weights 2, 3, 1, of 6 in all (each pair counts in both directions).
    # 0-1: log(2 * 6 / (2 * 3)) = log 2. 1-2: log(1 * 6 / (3 * 1)) = log 2.
    matrix_NN = information(np.array([[0, 1], [1, 2]]), np.array([2.0, 1.0]), 3).to_dense().numpy()
    assert matrix_NN == pytest.approx(np.log(2) * np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))


def test_notes_clicked_together_have_like_vectors_and_a_note_without_pairs_has_none() -> None:
    vectors_NC = collaborative_vectors(TWO_GROUPS, np.ones(6), 7, 2, seed=1)
    assert not vectors_NC[3].any()
    directions = vectors_NC / np.maximum(np.linalg.norm(vectors_NC, axis=1, keepdims=True), 1e-9)
    alike = directions @ directions.T
    assert alike[0, 1] == pytest.approx(1, abs=1e-5)
    assert alike[4, 5] == pytest.approx(1, abs=1e-5)
    assert alike[0, 4] == pytest.approx(0, abs=1e-5)


def test_order_and_direction_of_the_pairs_do_not_matter() -> None:
    weights_P = np.array([1.5, 0.25, 3.0, 1.0, 0.1, 2.0])
    first = collaborative_vectors(TWO_GROUPS, weights_P, 7, 3, seed=1)
    again = collaborative_vectors(TWO_GROUPS[::-1, ::-1], weights_P[::-1], 7, 3, seed=1)
    assert np.array_equal(first, again)


def test_no_pairs_make_no_vectors_and_wrong_ones_are_named() -> None:
    assert not collaborative_vectors(np.empty((0, 2), np.int64), np.empty(0), 3, 2, seed=1).any()
    with pytest.raises(ValueError, match="pairs name items 0 to 6, there are 5"):
        collaborative_vectors(TWO_GROUPS, np.ones(6), 5, 2, seed=1)
    with pytest.raises(ValueError, match="weight is not above 0"):
        collaborative_vectors(TWO_GROUPS, np.array([1, 1, 1, 1, 1, np.nan]), 7, 2, seed=1)
