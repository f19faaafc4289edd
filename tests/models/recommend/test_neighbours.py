"""Sparse neighbours, steps and histories."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from models.recommend import neighbours
from models.recommend.neighbours import (
    cosine,
    history_weights,
    last_items,
    latest,
    ranked,
    strongest,
    transitions,
)
from models.recommend.sequences import padded, sequences_of

THREE = sequences_of([[0, 1, 2], [0, 1], [3, 0, 0]])


def test_the_latest_events_of_each_user_are_kept_and_a_user_of_none_stays() -> None:
    found = latest(sequences_of([[1, 2, 3], [], [4]]), 2)
    assert (found.indptr_U1.tolist(), found.item_M.tolist()) == ([0, 2, 2, 3], [2, 3, 4])


def test_a_cosine_is_shared_users_over_the_root_of_both_ones_users() -> None:
    # Item 0 has three users, 1 two, 2 and 3 one; that user 2 met item 0 twice changes nothing.
    found = cosine(THREE, 5, keep=9, shrink=0.0, longest=9).toarray()
    assert found[0].tolist() == pytest.approx([0, 2 / 6**0.5, 1 / 3**0.5, 1 / 3**0.5, 0])
    assert found[2].tolist() == pytest.approx([1 / 3**0.5, 1 / 2**0.5, 0, 0, 0])
    assert found[4].tolist() == [0] * 5
    assert (found == found.T).all()


def test_shrinkage_takes_most_from_what_few_users_stand_for() -> None:
    found = cosine(THREE, 4, keep=9, shrink=1.0, longest=9).toarray()
    assert found[0].tolist() == pytest.approx([0, 2 / (6**0.5 + 1), 1 / (3**0.5 + 1), 1 / (3**0.5 + 1)])


def test_blocks_of_any_size_give_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(3)
    sequences = sequences_of([dice.integers(0, 12, 6).tolist() for _ in range(20)])
    whole = cosine(sequences, 12, keep=4, shrink=0.5, longest=9)
    monkeypatch.setattr(neighbours, "BLOCK_PRODUCTS", 50)
    parts = cosine(sequences, 12, keep=4, shrink=0.5, longest=9)
    assert np.diff(whole.indptr).max() == 4
    assert (whole != parts).nnz == 0


def test_a_step_counts_against_all_steps_from_its_item_and_a_repeat_is_none() -> None:
    # From 0: twice to 1, the 0 after 0 is no step. From 1: once to 2. From 3: once to 0.
    found = transitions(THREE, 4, keep=9, doubt=1.0).toarray()
    assert found.tolist() == [[0, pytest.approx(2 / 3), 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 0], [0.5, 0, 0, 0]]


def test_a_step_does_not_lead_from_one_user_to_the_next() -> None:
    assert transitions(sequences_of([[0], [1]]), 2, keep=9, doubt=0.0).nnz == 0


def test_a_history_weighs_by_age_and_an_item_that_stands_twice_has_both() -> None:
    found = history_weights(padded([[2, 0, 2], [1]], 4), 0.5, 3).toarray()
    assert found.tolist() == [[0.5, 0, 1.25], [0, 1, 0]]


def test_the_last_item_is_the_last_that_is_known() -> None:
    history_QT = np.array([[-1, 0, 1], [2, 1, -1], [-1, -1, -1]])
    assert last_items(history_QT, 3).toarray().tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_the_strongest_entries_stay_in_their_places() -> None:
    matrix = sp.csr_array(np.array([[0.1, 0.5, 0.3], [0.0, 0.2, 0.0]], dtype=np.float32))
    found = strongest(matrix, 2).toarray()
    assert found.tolist() == np.array([[0, 0.5, 0.3], [0, 0.2, 0]], dtype=np.float32).tolist()


def test_a_ranked_row_goes_down_and_ends_in_no_items() -> None:
    matrix = sp.csr_array(np.array([[0.25, 0.0, 0.75], [0.0, 0.0, 0.0]], dtype=np.float32))
    found = ranked(matrix, 3)
    assert found.item_QK.tolist() == [[2, 0, -1], [-1, -1, -1]]
    assert found.score_QK.tolist() == [[0.75, 0.25, 0], [0, 0, 0]]


def test_equal_entries_do_not_stand_in_the_order_of_their_numbers() -> None:
    found = ranked(sp.csr_array(np.ones((1, 200), dtype=np.float32)), 200).item_QK[0]
    assert sorted(found.tolist()) == list(range(200))
    assert abs(np.corrcoef(found, np.arange(200))[0, 1]) < 0.2


@pytest.mark.parametrize("item", [-2, 4])
def test_items_that_there_are_none_of_are_an_error(item: int) -> None:
    with pytest.raises(ValueError, match=r"histories name items .* there are 4, from 0"):
        history_weights(np.array([[0, item]]), 1.0, 4)
    with pytest.raises(ValueError, match="sequences name items"):
        cosine(sequences_of([[0, item]]), 4, keep=9, shrink=0.0, longest=9)
