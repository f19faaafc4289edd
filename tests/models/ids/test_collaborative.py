"""What is consumed together."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from models.ids.collaborative import (
    co_occurrence,
    filled_from_text,
    item_vectors,
    mutual_information,
    pair_graph,
)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_both_directions_of_a_pair_are_added_and_an_item_with_itself_is_dropped() -> None:
    found = pair_graph(ints(0, 1, 2), ints(1, 0, 2), np.array([2.0, 1.0, 9.0]), 3).toarray()
    assert found.tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 0]]


def test_a_user_of_n_items_gives_one_nth_to_each_pair_however_often_it_is_consumed() -> None:
    # User 5 has items 0 and 1 (0 twice), user 9 items 0, 1 and 2.
    found = co_occurrence(ints(5, 5, 5, 9, 9, 9), ints(0, 1, 0, 0, 1, 2), 4).toarray()
    third = pytest.approx(1 / 3)
    assert found[0].tolist() == [0, pytest.approx(1 / 2 + 1 / 3), third, 0]
    assert found[2].tolist() == [third, third, 0, 0]
    assert found[3].tolist() == [0, 0, 0, 0]


def test_mutual_information_of_a_pair_worked_by_hand() -> None:
    # Weights 3 for the pair 0-1, 1 for 1-2: the total of both directions is 8, items have 3, 4 and 1.
    graph = pair_graph(ints(0, 1), ints(1, 2), np.array([3.0, 1.0]), 3)
    found = mutual_information(graph).toarray()
    assert found[0, 1] == pytest.approx(np.log(3 * 8 / (3 * 4)))
    assert found[1, 2] == pytest.approx(np.log(1 * 8 / (4 * 1)))
    assert found[0, 2] == 0


def two_groups() -> sp.csr_array:
    return co_occurrence(ints(0, 0, 0, 1, 1, 1), ints(0, 1, 2, 3, 4, 5), 7)


def test_items_consumed_together_have_near_vectors_and_one_without_pairs_has_zeros() -> None:
    found = item_vectors(two_groups(), 2, seed=1)
    assert found[0] @ found[1] == pytest.approx(1.0, abs=1e-6)
    assert found[0] @ found[4] == pytest.approx(0.0, abs=1e-6)
    assert found[6].tolist() == [0, 0]
    assert np.array_equal(found, item_vectors(two_groups(), 2, seed=1))


def test_an_item_without_pairs_gets_what_its_text_lets_expect() -> None:
    item_NE = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    x_ND = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = filled_from_text(item_NE, x_ND, strength=0.01)
    assert found[:3].tolist() == item_NE[:3].tolist()
    assert found[3, 1] > 0.99
    assert np.linalg.norm(found[3]) == pytest.approx(1.0)


def test_bad_pairs_and_too_few_items_are_errors_that_say_so() -> None:
    with pytest.raises(ValueError, match="pairs name items 0 to 3; there are 3"):
        pair_graph(ints(0), ints(3), np.array([1.0]), 3)
    with pytest.raises(ValueError, match="1 scores of pairs are below 0 or not finite, the first is nan"):
        pair_graph(ints(0, 0), ints(1, 2), np.array([1.0, np.nan]), 3)
    with pytest.raises(ValueError, match="7 items cannot have vectors of 7 dimensions"):
        item_vectors(two_groups(), 7, seed=1)
    with pytest.raises(ValueError, match="no item has a collaborative vector"):
        filled_from_text(np.zeros((2, 2)), np.ones((2, 2)))
