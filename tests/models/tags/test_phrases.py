"""Phrases in both languages, worked by hand."""

from __future__ import annotations

import pytest

from models.tags.phrases import hashtag_phrase, matches, occurrences, query_phrases, segments


@pytest.mark.parametrize(
    "hashtag", ["FirstDates", "first_dates", "first-dates", "#First Dates", "ＦｉｒｓｔＤａｔｅｓ"]
)
def test_every_spelling_of_a_hashtag_has_the_same_tokens(hashtag: str) -> None:
    assert hashtag_phrase(hashtag) == ("first", "dates")


def test_a_hashtag_written_in_one_word_has_the_key_of_its_words_in_a_text() -> None:
    assert hashtag_phrase("firstdates") == ("firstdates",)
    assert [f.surface for f in matches("bought for first dates.", {"firstdates": None})] == ["first dates"]


@pytest.mark.parametrize("hashtag", ["", "#", "the", "a,b", "2026", "的", "x" * 41])
def test_what_is_no_phrase_by_its_look_is_no_hashtag_phrase(hashtag: str) -> None:
    assert hashtag_phrase(hashtag) is None


def test_a_blank_parts_chinese_and_joins_english() -> None:
    found = [[token.text for token in segment] for segment in segments("迈步 训练 gps手表, tote bag")]
    assert found == [["迈", "步"], ["训", "练"], ["gps", "手", "表"], ["tote", "bag"]]


def test_parts_of_a_search_are_phrases_unless_an_empty_word_begins_or_ends_them() -> None:
    assert query_phrases("tent for beach camps") == {
        ("tent",),
        ("beach",),
        ("camps",),
        ("beach", "camps"),
        ("tent", "for", "beach"),
        ("tent", "for", "beach", "camps"),
    }
    assert query_phrases("考试用") == {("考", "试")}


def test_the_longest_phrase_is_found_and_none_inside_it() -> None:
    vocabulary = dict.fromkeys(["胡桃", "胡桃木", "walnut", "walnutveneer"])
    assert [f.key for f in matches("用了胡桃木做的, walnut veneer and walnut", vocabulary)] == [
        "胡桃木",
        "walnutveneer",
        "walnut",
    ]
    assert [k for k, *_ in occurrences("胡桃木", vocabulary)] == ["胡桃", "胡桃木"]


def test_contexts_are_the_units_around_and_another_phrase_is_a_star() -> None:
    first, second = matches("real walnut in this lamp", {"walnut": None, "lamp": None})
    assert first.contexts == (
        *("l real", "r in", "l | real", "r in this", "l | real", "r in this *"),
        *("m real _ in", "m | real _ in this"),
    )
    assert second.contexts[:2] == ("l this", "r |")
    assert "l * in this" in second.contexts
