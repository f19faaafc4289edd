"""Cosines summed over a history."""

from __future__ import annotations

import pytest

from models.recommend import item_knn
from models.recommend.item_knn import Config
from models.recommend.sequences import padded, sequences_of

SEQUENCES = sequences_of([[0, 1, 2], [0, 1], [3, 0]])


def test_a_score_is_the_sum_of_the_cosines_with_the_history() -> None:
    fitted = item_knn.fit(SEQUENCES, 5, Config())
    # Users: three of item 0, two of 1, one of 2 and 3. Item 2 shares one user with 0 and with 1.
    found = fitted.scores(padded([[0, 1], [4], []], 3))
    assert found.shape == (3, 5)
    assert found[0, 2] == pytest.approx(1 / 3**0.5 + 1 / 2**0.5)
    assert found[0, 3] == pytest.approx(1 / 3**0.5)
    assert found[1:].tolist() == [[0] * 5] * 2


def test_only_the_nearest_neighbours_are_kept() -> None:
    fitted = item_knn.fit(SEQUENCES, 4, Config(keep=1))
    found = fitted.scores(padded([[0]], 1))[0]
    assert found.tolist() == [0, pytest.approx(2 / 6**0.5), 0, 0]


def test_of_a_long_history_only_the_latest_events_make_pairs() -> None:
    fitted = item_knn.fit(sequences_of([[0, 1, 2]]), 3, Config(longest=2))
    assert fitted.scores(padded([[2]], 1)).tolist() == [[0, 1, 0]]
