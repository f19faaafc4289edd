"""Counts and content as one scorer."""

from __future__ import annotations

import numpy as np
import pytest

from models.recommend import content, markov_knn
from models.recommend.sequences import padded, sequences_of
from models.recommend.voices import Voices, shares_of

# 1 came after 0; 2 and 3 were never acted on, 4 was once, alone. By content 0, 2 and 3 are twins, 1 and 4 have no vector.
COUNTS = markov_knn.fit(
    sequences_of([[0, 1], [0, 1], [4]]), 5, markov_knn.Config(decay=0.5, mix=1.0, doubt=0.0, shrink=0.0)
)
VECTORS = np.array([[1, 0], [0, 0], [1, 0], [1, 0], [0, 0]], dtype=np.float32)
VOICES = Voices(COUNTS, content.fit(VECTORS, content.Config()), 0.2)


def test_each_voice_is_a_distribution_and_has_its_share() -> None:
    # Counts speak of 1 alone; content of 2 and 3 alike.
    assert VOICES.scores(padded([[0]], 2))[0] == pytest.approx([0, 0.8, 0.1, 0.1, 0], abs=1e-5)


def test_where_one_has_nothing_to_say_the_other_has_all() -> None:
    found = VOICES.scores(padded([[2], [1]], 2))
    assert found[0] == pytest.approx([0.5, 0, 0, 0.5, 0], abs=1e-5)  # nobody acted on 2
    assert found[1] == pytest.approx(
        [1, 0, 0, 0, 0], abs=1e-5
    )  # 1 has no vector; both who acted on it did on 0


def test_the_shares_are_of_what_is_left_without_the_history() -> None:
    history_QT = padded([[0, 1]], 2)  # all that counts speak for is 0 and 1 themselves
    assert VOICES.scores(history_QT)[0] == pytest.approx([0, 0, 0.5, 0.5, 0], abs=1e-5)
    open_N = VOICES.scores(history_QT, exclude_seen=False)[0]
    assert open_N[2] == pytest.approx(0.1, abs=1e-5)
    assert open_N.sum() == pytest.approx(1, abs=1e-5)


def test_where_neither_speaks_popularity_orders() -> None:
    found = VOICES.scores(padded([[], [4]], 2))
    assert np.argsort(-found[0], kind="stable").tolist() == [0, 1, 4, 2, 3]
    assert found.max() < 1e-9
    assert VOICES.top(padded([[], [4]], 2), 2).item_QK.tolist() == [[-1, -1], [-1, -1]]


def test_the_top_has_the_scores() -> None:
    found = VOICES.top(padded([[0]], 2), 4)
    assert found.item_QK[0, 0] == 1
    assert sorted(found.item_QK[0].tolist()) == [-1, 1, 2, 3]
    assert found.score_QK[0] == pytest.approx([0.8, 0.1, 0.1, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("share", "counts"), [(0.0, [1, 0, 1, 0]), (0.25, [0.75, 0, 1, 0]), (1.0, [0, 0, 1, 0])]
)
def test_shares_follow_from_who_speaks(share: float, counts: list[float]) -> None:
    has_counts_Q, has_content_Q = np.array([True, False, True, False]), np.array([True, True, False, False])
    found = shares_of(has_counts_Q, has_content_Q, share)
    assert found.counts_Q.tolist() == counts
    assert (found.counts_Q + found.content_Q).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_its_range_is_an_error(share: float) -> None:
    with pytest.raises(ValueError, match="content has a share from 0 to 1"):
        shares_of(np.array([True]), np.array([True]), share)


def test_voices_about_other_notes_are_an_error() -> None:
    with pytest.raises(ValueError, match="counts speak of 5 notes, content of 4"):
        Voices(COUNTS, content.fit(VECTORS[:4], content.Config()), 0.2)
