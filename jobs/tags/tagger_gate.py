"""Student against teacher on the frozen notes: the figures, and whether they are good enough to promote.

The rule: over all frozen notes F1 must reach `tags.min_agreement`; no category, and not the notes that nobody has
clicked yet, may lie more than 0.1 below that bar where there are at least 20 such notes (fewer say too little).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jobs.tags.asking import Question, Reply, Teacher
from jobs.tags.lessons import Lesson
from models.tags.chain import parse_reply
from models.tags.distillation import Agreement, agreement, pooled
from models.tags.handbook import Page, page_for
from models.tags.prompt import prompt_for

MAX_JUDGED = 1000  # notes; the first by the hash of their id
MIN_NOTES = 20  # of a category, below which its figure decides nothing
TOLERANCE = 0.1
OVERALL, COLD = "all notes", "cold notes"


def judge(student: Teacher, lessons: Sequence[Lesson], pages: Mapping[str, Page]) -> list[Agreement]:
    """The agreement on each lesson: the student answers with tags alone, as it would be asked to day by day."""
    replies: dict[int, Reply] = {}
    student.ask([tags_question(lesson, pages) for lesson in lessons], replies.__setitem__)
    return [_agreement(lesson, replies[number]) for number, lesson in enumerate(lessons)]


def tags_question(lesson: Lesson, pages: Mapping[str, Page]) -> Question:
    """The question that a student answers with the tags alone."""
    page = page_for(pages, lesson.note.category)
    prompt = prompt_for(lesson.note, page, "tags", has_picture=lesson.picture is not None)
    return Question(prompt, lesson.picture_bytes())


def _agreement(lesson: Lesson, reply: Reply) -> Agreement:
    parsed = parse_reply(
        reply.text,
        lesson.note.evidence_text(),
        has_picture=lesson.picture is not None,
        is_truncated=reply.outcome == "truncated",
    )
    return agreement([(tag.dimension, tag.value) for tag in parsed.tags], lesson.pairs)


def gate_figures(
    lessons: Sequence[Lesson], found: Sequence[Agreement], clicked: Collection[str] | None
) -> dict[str, Any]:
    """Figures over all notes, by category, and for cold notes (null where no events say who was clicked)."""

    def of(is_meant: Callable[[Lesson], bool]) -> dict[str, Any]:
        return figures([part for lesson, part in zip(lessons, found, strict=True) if is_meant(lesson)])

    categories = sorted({lesson.category for lesson in lessons})
    return {
        OVERALL: of(lambda _: True),
        COLD: None if clicked is None else of(lambda lesson: lesson.note_id not in clicked),
        "categories": {name: of(lambda lesson, name=name: lesson.category == name) for name in categories},  # type: ignore[misc]
    }


def figures(found: Sequence[Agreement]) -> dict[str, Any]:
    """One line of figures."""
    whole = pooled(found)
    return {
        "num_notes": len(found),
        "f1": round(whole.f1, 4),
        "precision": round(whole.precision, 4),
        "recall": round(whole.recall, 4),
    }


def shortfalls(gate: Mapping[str, Any], min_agreement: float) -> list[str]:
    """Why a student must not be promoted, in words; none where it may be."""
    found = []
    whole = gate[OVERALL]
    if whole["f1"] < min_agreement:
        found.append(
            f"F1 against the teacher is {whole['f1']:.3f} on {whole['num_notes']} frozen notes, "
            f"tags.min_agreement asks for {min_agreement:.3f}"
        )
    least = min_agreement - TOLERANCE
    for name, part in {**gate["categories"], COLD: gate[COLD]}.items():
        if part and part["num_notes"] >= MIN_NOTES and part["f1"] < least:
            what = name if name == COLD else f"category {name!r}"
            found.append(
                f"{what} has F1 {part['f1']:.3f} on {part['num_notes']} notes, at least {least:.3f} is asked"
            )
    return found
