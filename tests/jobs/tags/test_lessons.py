"""Which replies are learned from: the newest good one on each content, with the text and the picture of its day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.tags.lessons import (
    Lessons,
    clicked_notes,
    event_reads,
    first_picture,
    lesson_reads,
    lessons_hash,
    read_lessons,
)
from jobs.tags.pages import current_pages
from schemas.tables import EVENTS, EVENTS_QUARANTINE
from schemas.tag_tables import INTEREST_HANDBOOK
from tests.jobs.lakes import stage_rows
from tests.jobs.tags.taught import chain, lesson, publish_numbered, publish_taught, tagged_note, teacher_row

pytestmark = pytest.mark.usefixtures("quick_publish")
FIRST, SECOND, THIRD = "2026-03-01", "2026-03-02", "2026-03-03"


def everything(lessons: Lessons) -> list:
    return sorted(
        [*lessons.training, *lessons.stopping, *lessons.frozen], key=lambda x: (x.note_id, x.note.title)
    )


def read(lake: Lake, images: Path, day: str = THIRD, window_days: int = 30) -> Lessons:
    return read_lessons(lake, lesson_reads(lake, day, window_days), [images])


def test_the_newest_good_reply_on_a_content_is_learned_with_the_text_of_its_day(
    lake: Lake, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    kept, changed = tagged_note(1, images), tagged_note(2, images)
    later = {**changed, "title": "Another chair of steel", "content_hash": "b" * 64, "text_hash": "b" * 64}
    old, new = chain(1), {**chain(1), "values": chain(1)["values"][:1], "tags": chain(1)["tags"][:1]}
    publish_taught(lake, FIRST, [kept, changed], [teacher_row(kept, old), teacher_row(changed, chain(2))])
    publish_taught(lake, SECOND, [kept, later], [teacher_row(kept, new), teacher_row(later, chain(2))])
    failed = {
        "status": "failed",
        "tags": [],
        "dimensions": [],
        "evidence": [],
        "confidences": [],
        "reply": None,
    }
    publish_taught(lake, THIRD, [kept], [teacher_row(kept, old, **failed)])
    found = everything(read(lake, images))
    assert [(x.note_id, x.note.title, x.tags) for x in found] == [
        ("n1", "Chair 1 of steel", ("steel",)),
        ("n2", "Another chair of steel", ("linen", "green")),
        ("n2", "Chair 2 of linen", ("linen", "green")),
    ]
    assert [x.tags for x in everything(read(lake, images, FIRST))] == [("steel", "blue"), ("linen", "green")]
    assert everything(read(lake, images, THIRD, window_days=1)) == []


def test_what_was_said_without_a_reply_or_without_tags_is_not_learned(lake: Lake, tmp_path: Path) -> None:
    notes = [tagged_note(n, tmp_path / "images") for n in (1, 2, 3)]
    rows = [teacher_row(w, chain(1)) for w in notes]
    rows[1] |= {"status": "truncated"}
    rows[2] |= {"status": "skipped", "reply": None, "answer": None}
    publish_taught(lake, FIRST, notes, rows)
    assert [x.note_id for x in everything(read(lake, tmp_path / "images"))] == ["n1"]


def test_a_note_whose_picture_is_gone_is_counted_and_not_learned(lake: Lake, tmp_path: Path) -> None:
    images = tmp_path / "images"
    notes = [tagged_note(n, images) for n in (1, 2, 3)]
    rows = [teacher_row(w, chain(n)) for n, w in enumerate(notes, start=1)]
    rows[2]["num_pictures"] = 0  # the teacher saw none either
    publish_taught(lake, FIRST, notes, rows)
    for number in (2, 3):
        (images / f"{number}.png").unlink()
    lessons = read(lake, images)
    assert [(x.note_id, x.picture) for x in everything(lessons)] == [("n1", images / "1.png"), ("n3", None)]
    assert lessons.num_lost == 1


def test_a_text_that_a_frozen_note_says_is_not_learned_from(lake: Lake, tmp_path: Path) -> None:
    images = tmp_path / "images"
    frozen, training, other = (tagged_note(n, images) for n in (1, 3, 6))  # by the hash of their ids
    training |= {"text_hash": frozen["text_hash"]}
    publish_taught(
        lake, FIRST, [frozen, training, other], [teacher_row(w, chain(1)) for w in (frozen, training, other)]
    )
    lessons = read(lake, images)
    assert [x.note_id for x in lessons.frozen] == ["n1"]
    assert [x.note_id for x in lessons.training] == ["n6"]
    assert lessons.num_copies == 1


def test_slices_are_disjoint_and_lessons_come_in_one_order(lake: Lake, tmp_path: Path) -> None:
    publish_numbered(lake, FIRST, tmp_path / "images", range(40))
    lessons = read(lake, tmp_path / "images")
    ids = [{x.note_id for x in part} for part in (lessons.training, lessons.stopping, lessons.frozen)]
    assert sum(len(part) for part in ids) == len(set.union(*ids)) == 40
    assert read(lake, tmp_path / "images") == lessons
    assert lessons_hash(lessons.frozen) != lessons_hash(lessons.frozen[1:])


def test_notes_without_a_click_in_the_window_are_cold_and_unknown_without_events(
    lake: Lake, tmp_path: Path
) -> None:
    assert clicked_notes(lake, event_reads(lake, FIRST, 30), ["n1"]) is None
    event = {c.name: None for c in EVENTS.columns} | {"user_id": "u", "ts": datetime(2026, 3, 1, tzinfo=UTC)}
    rows = [
        {**event, "note_id": n, "event": e}
        for n, e in (("n1", "click"), ("n2", "impression"), ("n9", "click"))
    ]
    stage_rows(lake, EVENTS_QUARANTINE, FIRST, [], {})
    stage_rows(lake, EVENTS, FIRST, rows, {})
    publish(lake, EVENTS, FIRST)
    assert clicked_notes(lake, event_reads(lake, FIRST, 30), ["n1", "n2", "n3"]) == {"n1"}
    assert event_reads(lake, "2026-02-28", 30) == {}


def test_a_picture_outside_the_roots_or_broken_is_passed_over(tmp_path: Path) -> None:
    images = tmp_path / "images"
    inside = lesson(1, images).picture
    (tmp_path / "secret.png").write_bytes((images / "1.png").read_bytes())
    roots = (str(images),)
    assert first_picture(["../secret.png", "2.png", "1.png"], [], roots) == inside
    assert first_picture(["1.png"], ["1.png"], roots) is None
    (images / "bad.png").write_bytes(b"no picture")
    assert first_picture(["bad.png"], [], roots) is None


def test_the_pages_are_those_of_the_last_handbook_on_or_before_the_day(lake: Lake) -> None:
    assert current_pages(lake, THIRD) == ({}, {})
    for day, values in ((FIRST, ["oak"]), (THIRD, ["steel"])):
        row = {
            "category": "home", "dimension": "material", "position": 1, "definition": "What it is made of.",
            "example_values": values, "num_clicks": 1, "support": 0.5, "lift": 1.0, "evidence_notes": [],
            "evidence_queries": [], "inherited_from": None, "named_by": "clusters", "change": "new", "page": "0" * 12,
        }  # fmt: skip
        second = {**row, "dimension": "a colour", "position": 2, "example_values": ["red"]}
        stage_rows(lake, INTEREST_HANDBOOK, day, [second, row], {})
        publish(lake, INTEREST_HANDBOOK, day)
    pages, reads = current_pages(lake, SECOND)
    assert [(d.name, d.values) for d in pages["home"].dimensions] == [
        ("material", ("oak",)),
        ("a colour", ("red",)),
    ]
    assert list(reads) == [f"interest_handbook/ds={FIRST}"]
