"""IDs that come from numbers."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.collaborative import co_occurrence
from models.ids.numeric import Config, collaborative_ids, digits, from_tensors, random_ids, sequential_ids

FOUR = Config(levels=3, codes=4, children=2)


def test_a_number_in_digits_of_base_four() -> None:
    assert digits(np.array([0, 6, 63]), 3, 4).tolist() == [[0, 0, 0], [0, 1, 2], [3, 3, 3]]
    with pytest.raises(ValueError, match="3 codes of 4 hold numbers 0 to 63, not 64"):
        digits(np.array([64]), 3, 4)


def test_items_are_counted_as_histories_first_name_them_and_the_others_follow() -> None:
    found = sequential_ids(np.array([2, 0, 2, 3]), 5, FOUR).codes_NL
    assert found.tolist() == [[0, 0, 1], [0, 0, 3], [0, 0, 0], [0, 0, 2], [0, 1, 0]]


def test_random_ids_differ_and_follow_from_the_seed() -> None:
    found = random_ids(64, FOUR, seed=1).codes_NL
    assert len(np.unique(found, axis=0)) == 64
    assert np.array_equal(found, random_ids(64, FOUR, seed=1).codes_NL)
    with pytest.raises(ValueError, match="65 items do not fit into 64 IDs"):
        random_ids(65, FOUR, seed=1)


def test_items_consumed_together_share_the_first_code_of_the_collaborative_index() -> None:
    # Three circles of readers, linked by one user each; a cluster is cut once more below.
    users, items = np.repeat([0, 1, 2, 3], [6, 6, 2, 0]), np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5, 6])
    found = collaborative_ids(co_occurrence(users, items, 12), FOUR, seed=1).codes_NL
    assert np.bincount(found[:, 0]).tolist() == [6, 6]
    assert len(set(found[:5, 0].tolist())) == len(set(found[7:, 0].tolist())) == 1
    assert len(np.unique(found, axis=0)) == 12


def test_a_list_of_ids_refuses_vectors_and_survives_its_tensors() -> None:
    fitted = random_ids(5, FOUR, seed=1)
    again = from_tensors(fitted.tokenizer.tensors())
    assert np.array_equal(again.codes_NL, fitted.codes_NL)
    assert (again.levels, again.codes, again.input_dim) == (3, 4, 0)
    vector, code = np.zeros((1, 2), dtype=np.float32), np.zeros((1, 3), dtype=np.int32)
    for refused in (
        lambda: again.encode(vector),
        lambda: again.last_costs(vector, code),
        lambda: again.reconstruct(code),
    ):
        with pytest.raises(ValueError, match="a new note cannot have one before they are made again"):
            refused()
