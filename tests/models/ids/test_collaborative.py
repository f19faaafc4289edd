"""What is consumed together."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.collaborative import co_occurrence, pair_graph


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


def test_bad_pairs_are_errors_that_say_so() -> None:
    with pytest.raises(ValueError, match="pairs name items 0 to 3; there are 3"):
        pair_graph(ints(0), ints(3), np.array([1.0]), 3)
    with pytest.raises(ValueError, match="1 scores of pairs are below 0 or not finite, the first is nan"):
        pair_graph(ints(0, 0), ints(1, 2), np.array([1.0, np.nan]), 3)
