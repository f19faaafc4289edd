"""The tags of one note in the words of the vocabulary."""

from __future__ import annotations

import math

from models.tags.canonical import NoteTag, canonical, is_still_canonical, span_confidence

WORDS = {
    ("style", "jazz"): "jazz",
    ("style", "jazzy"): "jazz",
    ("colour", "red"): "red",
    ("style", "red"): "red",
    ("style", "blues"): "blues",
}


def test_tags_are_named_by_the_vocabulary_and_the_rest_is_kept_aside() -> None:
    said = [
        NoteTag("Style", "＃Jazzy", "jazzy evening", 0.5),
        NoteTag("style", "Punk", "punk", 0.9),
        NoteTag("colour", "RED", "picture", 0.8),
        NoteTag("mood", "jazz", "jazz", 0.9),
    ]
    found = canonical(said, WORDS)
    assert found.tags == (NoteTag("colour", "red", "picture", 0.8), NoteTag("style", "jazz", "jazzy evening", 0.5))
    assert found.unmapped == ("mood: jazz", "style: punk")


def test_of_two_values_of_one_tag_the_more_certain_stays_whatever_its_dimension() -> None:
    said = [
        NoteTag("style", "jazz", "a", 0.5),
        NoteTag("style", "jazzy", "b", 0.6),
        NoteTag("colour", "red", "c", 0.7),
        NoteTag("style", "red", "d", 0.7),
    ]
    assert canonical(said, WORDS).tags == (NoteTag("colour", "red", "c", 0.7), NoteTag("style", "jazz", "b", 0.6))
    assert canonical(said[::-1], WORDS) == canonical(said, WORDS)


def test_what_a_later_vocabulary_sees_otherwise_is_noticed() -> None:
    tags, unmapped = (NoteTag("style", "jazz", "a", 0.5),), ["style: punk"]
    assert is_still_canonical(tags, unmapped, WORDS)
    assert not is_still_canonical(tags, unmapped, {**WORDS, ("style", "punk"): "punk"})
    assert not is_still_canonical(tags, unmapped, {**WORDS, ("style", "jazz"): "blues"})
    assert not is_still_canonical(tags, unmapped, {("colour", "red"): "red"})


def test_confidence_is_the_mean_over_the_tokens_of_the_value() -> None:
    ends, logprobs = [4, 8, 12, 16], [-9.0, math.log(0.25), 0.0, -9.0]
    assert span_confidence(ends, logprobs, 5, 12) == 0.5  # sqrt(0.25 * 1)
    assert span_confidence(ends, logprobs, 4, 8) == 0.25
    assert span_confidence(ends, logprobs, 20, 24) == 0.0
    assert span_confidence([], [], 0, 4) == 0.0
    assert span_confidence([4], [0.5], 0, 4) == 1.0
