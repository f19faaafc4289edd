"""Noise in windows: whole notes move and go, and what is not a window stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.recommend.batches import Piece
from jobs.recommend.window_noise import Noise, noisy
from models.recommend.id_tokens import IdTokens

IDS = IdTokens(10, (4, 4))
ALWAYS = Noise(altered_share=1.0, moved=1.0, dropped=0.3)


def window(num_notes: int, learned: int) -> Piece:
    """A word, then notes of codes (0, 0), (1, 1), ...; the last `learned` of them are learned."""
    tokens = [7] + [token for n in range(num_notes) for token in (10 + n % 4, 14 + n % 4)]
    return Piece(np.array(tokens, dtype=np.int32), 2 * learned)


def notes_of(piece: Piece) -> list[tuple[int, int]]:
    """The codes of the notes after the word."""
    return [(int(a) - 10, int(b) - 14) for a, b in piece.token_T[1:].reshape(-1, 2)]


@pytest.mark.parametrize("seed", range(20))
def test_notes_stay_whole_and_at_least_one_is_learned(seed: int) -> None:
    before = window(8, 5)
    found = noisy(before, IDS, np.random.default_rng(seed), ALWAYS)
    assert found.token_T[0] == 7
    notes = notes_of(found)
    assert all(first == second for first, second in notes)
    assert 2 <= len(notes) <= 8
    assert found.learned == 2 * max(1, len(notes) - 3)


def test_what_is_moved_is_the_same_notes_near_where_they_were() -> None:
    only_moved = Noise(altered_share=1.0, moved=1.0, dropped=0.0)
    found = [
        notes_of(noisy(window(4, 4), IDS, np.random.default_rng(seed), only_moved)) for seed in range(200)
    ]
    assert all(sorted(notes) == [(n, n) for n in range(4)] for notes in found)
    moved = np.mean([notes != sorted(notes) for notes in found])
    stays_first = np.mean([notes[0] == (0, 0) for notes in found])
    assert moved > 0.4
    assert 0.5 < stays_first < 0.95


def test_about_the_share_that_was_asked_for_is_altered() -> None:
    some = Noise(altered_share=0.5, moved=0.0, dropped=0.2)
    counts = [
        len(notes_of(noisy(window(20, 20), IDS, np.random.default_rng(seed), some))) for seed in range(400)
    ]
    assert np.mean(counts) == pytest.approx(20 * (1 - 0.5 * 0.2), abs=0.3)
    assert 0.4 < np.mean([count == 20 for count in counts]) < 0.6


def test_the_same_dice_alter_the_same_way() -> None:
    one, two = (noisy(window(8, 8), IDS, np.random.default_rng(5), ALWAYS) for _ in range(2))
    assert np.array_equal(one.token_T, two.token_T)


@pytest.mark.parametrize(
    "piece",
    [
        window(2, 2),  # too short
        Piece(
            np.array([7, 10, 14, 11, 15, 12, 16, 8], dtype=np.int32), 2
        ),  # ends with a word: a title's task
        Piece(np.array([7, 10, 14, 11, 15, 12, 16], dtype=np.int32), 1),  # learns half an ID
        Piece(np.array([7, 10, 14, 11, 15, 12], dtype=np.int32), 2),  # holds half an ID
    ],
)
def test_what_is_no_window_stays_as_it_is(piece: Piece) -> None:
    for seed in range(5):
        assert noisy(piece, IDS, np.random.default_rng(seed), ALWAYS) is piece
