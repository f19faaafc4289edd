"""Which n-grams are phrases, worked by hand."""

from __future__ import annotations

from models.tags.cohesion import Config, Seen, is_set_piece, phrases_among


def _phrases(*seen: Seen, counts: dict[str, int], num_tokens: int = 1000) -> set[str]:
    return phrases_among({s.key: s for s in seen}, counts, num_tokens, Config())


def test_a_piece_with_one_neighbour_is_no_phrase_and_the_whole_is() -> None:
    piece = Seen(("胡", "桃"), num_queries=9, num_texts=10, most_right=10)  # always before 木
    whole = Seen(("胡", "桃", "木"), num_queries=9, num_texts=10, most_left=3, most_right=4)
    counts = {"胡": 10, "桃": 10, "木": 12, "胡桃": 10, "桃木": 10, "胡桃木": 10}
    assert _phrases(piece, whole, counts=counts) == {"胡桃木"}


def test_two_words_that_meet_by_chance_are_no_phrase() -> None:
    # Each is a tenth of the tokens, so chance alone puts them side by side once in a hundred: 10 of 1000.
    chance = Seen(("red", "lamp"), num_queries=5, num_texts=10)
    assert _phrases(chance, counts={"red": 100, "lamp": 100, "redlamp": 10}) == set()
    assert _phrases(chance, counts={"red": 10, "lamp": 10, "redlamp": 10}) == {"redlamp"}


def test_two_phrases_side_by_side_are_not_one_but_a_hashtag_of_both_is() -> None:
    counts = {"oak": 5, "desk": 5, "oakdesk": 5}
    parts = [Seen(("oak",), num_queries=5, num_texts=5), Seen(("desk",), num_queries=5, num_texts=5)]
    both = Seen(("oak", "desk"), num_queries=5, num_texts=5)
    assert _phrases(*parts, both, counts=counts) == {"oak", "desk"}
    both.num_hashtags = 2
    assert _phrases(*parts, both, counts=counts) == {"oak", "desk", "oakdesk"}


def test_a_hashtag_that_no_text_and_no_search_says_is_left_out() -> None:
    assert _phrases(Seen(("haul",), num_hashtags=50), counts={}) == set()
    assert _phrases(Seen(("oak",), num_hashtags=1, num_texts=3), counts={}) == set()  # one author


def test_a_word_that_stands_in_one_frame_is_a_set_piece_once_it_is_seen_often() -> None:
    assert is_set_piece([8], Config())
    assert not is_set_piece([7], Config())
    assert not is_set_piece([3, 3, 2], Config())  # 2.95 frames in effect
    assert is_set_piece([10, 1], Config())
