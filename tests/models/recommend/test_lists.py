"""A list from several sources: order, no note twice, masks."""

from __future__ import annotations

from models.recommend.lists import Candidate, composed


def candidates(notes: str, source: str) -> list[Candidate]:
    return [Candidate(note, "<a_0>", 1.0, source) for note in notes]


def told(found: list[Candidate]) -> str:
    return " ".join(f"{candidate.note_id}{candidate.source}" for candidate in found)


def test_each_source_fills_what_those_before_it_left() -> None:
    assert told(composed([candidates("ab", "1"), candidates("bcd", "2")], (), 3)) == "a1 b1 c2"


def test_masked_notes_are_passed_over_in_every_source() -> None:
    assert told(composed([candidates("ab", "1"), candidates("bcd", "2")], {"a", "c"}, 3)) == "b1 d2"


def test_where_all_are_masked_they_are_taken_after_all() -> None:
    assert told(composed([[], candidates("ab", "2")], {"a", "b"}, 1)) == "a2"


def test_no_candidates_make_no_list() -> None:
    assert composed([[], []], (), 5) == []
