"""When a student may be promoted: the bar, and how far below it a category or the cold notes may lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.tags.asking import Question, Reply
from jobs.tags.tagger_gate import gate_figures, judge, shortfalls
from models.tags.distillation import Agreement, tags_reply
from models.tags.handbook import Dimension, Page
from tests.jobs.tags.taught import lesson


def gate(
    f1: float, categories: dict[str, tuple[int, float]], cold: tuple[int, float] | None = None
) -> dict[str, Any]:
    def part(num_notes: int, value: float) -> dict[str, Any]:
        return {"num_notes": num_notes, "f1": value, "precision": value, "recall": value}

    return {
        "all notes": part(90, f1),
        "cold notes": part(*cold) if cold else None,
        "categories": {name: part(*figures) for name, figures in categories.items()},
    }


def test_the_bar_itself_is_enough_and_a_hair_below_it_is_not() -> None:
    assert shortfalls(gate(0.9, {}), 0.9) == []
    assert shortfalls(gate(0.8999, {}), 0.9) == [
        "F1 against the teacher is 0.900 on 90 frozen notes, tags.min_agreement asks for 0.900"
    ]


def test_a_category_counts_from_twenty_notes_and_may_lie_a_tenth_below_the_bar() -> None:
    assert shortfalls(gate(0.95, {"Home": (20, 0.8), "Food": (19, 0.1)}), 0.9) == []
    assert shortfalls(gate(0.95, {"Home": (20, 0.79)}), 0.9) == [
        "category 'Home' has F1 0.790 on 20 notes, at least 0.800 is asked"
    ]


def test_cold_notes_count_like_a_category_where_events_say_which_they_are() -> None:
    assert shortfalls(gate(0.95, {}, (19, 0.1)), 0.9) == []
    assert shortfalls(gate(0.95, {}, (20, 0.7)), 0.9) == [
        "cold notes has F1 0.700 on 20 notes, at least 0.800 is asked"
    ]


def test_figures_are_pooled_by_category_and_for_the_notes_that_nobody_clicked(tmp_path: Path) -> None:
    home, garden = lesson(1, tmp_path / "i"), lesson(2, tmp_path / "i")
    garden = replace(garden, note=replace(garden.note, category=("garden", "chairs")))
    found = [Agreement(2, 2, 2), Agreement(0, 2, 2)]
    figures = gate_figures([home, garden], found, {"n1"})
    assert figures["all notes"] == {"num_notes": 2, "f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert {name: part["f1"] for name, part in figures["categories"].items()} == {"garden": 0.0, "home": 1.0}
    assert (figures["cold notes"]["num_notes"], figures["cold notes"]["f1"]) == (1, 0.0)
    assert gate_figures([home], found[:1], None)["cold notes"] is None


class Scripted:
    """Says of each note what it is told to; the smallest thing that a gate can judge."""

    identity = "scripted"

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies, self.asked = replies, list[Question]()

    def ask(self, questions: Sequence[Question], tell: Callable[[int, Reply], None]) -> None:
        self.asked += questions
        for number in reversed(range(len(questions))):
            tell(number, self.replies[number])


def test_a_student_is_asked_for_tags_with_page_and_picture_and_only_grounded_tags_count(
    tmp_path: Path,
) -> None:
    lessons = [lesson(n, tmp_path / "i") for n in (1, 2, 3)]
    whole = tags_reply(lessons[0].dimensions, lessons[0].tags, lessons[0].evidence)
    made_up = json.dumps({"values": [{"dimension": "material", "value": "linen", "evidence": "not there"}]})
    scripted = Scripted([Reply("ok", whole), Reply("ok", made_up), Reply("truncated", whole[:20])])
    pages = {"home": Page("home", (Dimension("material", "What it is made of.", ("oak",)),))}
    assert judge(scripted, lessons, pages) == [Agreement(2, 2, 2), Agreement(0, 0, 2), Agreement(0, 0, 2)]
    assert "- material: What it is made of. Such as: oak." in scripted.asked[0].prompt.user
    assert "one JSON object with the key values" in scripted.asked[0].prompt.system
    assert scripted.asked[0].picture == (tmp_path / "i" / "1.png").read_bytes()
