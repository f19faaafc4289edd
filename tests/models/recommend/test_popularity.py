"""The items of most users."""

from __future__ import annotations

import pytest

from models.recommend import popularity
from models.recommend.sequences import padded, sequences_of


def test_an_item_scores_its_users_whatever_the_history() -> None:
    fitted = popularity.fit(sequences_of([[0, 1, 1], [1], []]), 3)
    assert fitted.scores(padded([[0], []], 2)).tolist() == [[1, 2, 0], [1, 2, 0]]


def test_an_item_outside_the_catalogue_is_an_error() -> None:
    with pytest.raises(ValueError, match="sequences name items 0 to 3; there are 3"):
        popularity.fit(sequences_of([[0, 3]]), 3)
