"""What becomes of IDs from one index to the next, and of the vectors behind them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.ids.churn import Index, churn
from models.ids.reconstruction import explained_share


def index(codes: dict[str, list[int]], rank: list[int] | None = None) -> Index:
    return Index(pa.array(codes, pa.string()), np.array(list(codes.values())), None if rank is None else np.array(rank))


BEFORE = index({"a": [9, 9, 9], "b": [1, 2, 3], "c": [1, 2, 3], "d": [4, 5, 6]})
# b is as it was, c differs in its third code, d in its first; a is gone, e is new.
AFTER = index({"e": [9, 9, 9], "d": [3, 5, 6], "c": [1, 2, 4], "b": [1, 2, 3]})


def test_changed_codes_of_three_notes_by_hand() -> None:
    found = churn(BEFORE, AFTER)
    assert (found.num_kept, found.num_new, found.num_gone) == (3, 1, 1)
    assert found.changed_share == pytest.approx(2 / 3)
    assert found.prefix_changed_shares == pytest.approx((1 / 3, 1 / 3, 2 / 3))


def test_a_rank_that_moved_is_a_changed_id_and_no_changed_code() -> None:
    found = churn(index({"a": [1], "b": [1]}, [0, 1]), index({"a": [1], "b": [1]}, [1, 0]))
    assert (found.changed_share, found.prefix_changed_shares) == (1.0, (0.0,))


def test_an_index_against_itself_has_no_churn() -> None:
    assert churn(AFTER, AFTER) == (4, 0, 0, 0.0, (0.0, 0.0, 0.0))


def test_with_a_level_more_every_id_has_changed_but_not_its_first_codes() -> None:
    found = churn(index({"a": [1, 2]}), index({"a": [1, 2, 0]}))
    assert (found.changed_share, found.prefix_changed_shares) == (1.0, (0.0, 0.0))


def test_indexes_with_no_note_in_common_have_no_shares() -> None:
    assert churn(index({"a": [1]}), index({"b": [1]})) == (0, 1, 1, 0.0, (0.0,))


def test_ids_in_chunks_are_the_same_ids() -> None:
    parts = pa.chunked_array([BEFORE.note_ids.slice(0, 1), BEFORE.note_ids.slice(1)])
    assert churn(BEFORE._replace(note_ids=parts), AFTER) == churn(BEFORE, AFTER)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (Index(pa.array(["a", "a"]), np.zeros((2, 1), dtype=int)), "a note twice"),
        (Index(pa.array(["a"]), np.zeros((2, 1), dtype=int)), "one row of at least one code"),
        (Index(pa.array(["a"]), np.zeros((1, 0), dtype=int)), "one row of at least one code"),
        (Index(pa.array(["a"]), np.zeros((1, 1), dtype=int), np.zeros(2, dtype=int)), "ranks of shape"),
    ],
)
def test_an_index_that_is_none_is_an_error_that_says_which(wrong: Index, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"the earlier index has .*{complaint}"):
        churn(wrong, index({"a": [1]}))
    with pytest.raises(ValueError, match="the later index"):
        churn(index({"a": [1]}), wrong)


def test_explained_variance_of_two_numbers_by_hand() -> None:
    x = np.array([[0.0], [2.0]])
    assert explained_share(x, x) == 1.0
    assert explained_share(x, np.array([[0.0], [1.0]])) == pytest.approx(0.5)
    assert explained_share(x, np.array([[1.0], [1.0]])) == 0.0
    assert explained_share(x, np.array([[2.0], [0.0]])) == -3.0


def test_vectors_that_do_not_vary_leave_nothing_to_explain() -> None:
    assert explained_share(np.full((3, 2), 0.1, dtype=np.float32), np.zeros((3, 2))) is None


def test_vectors_that_cannot_be_explained_are_an_error() -> None:
    with pytest.raises(ValueError, match="NaN"):
        explained_share(np.array([[0.0], [np.nan]]), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="in the shape"):
        explained_share(np.zeros((2, 1)), np.zeros((2, 2)))
