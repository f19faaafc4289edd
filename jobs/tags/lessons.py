"""What a student learns from: notes with the teacher's last good reply, and which of them nobody has clicked yet."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.lake import Lake, days_before
from models.notes.pictures import picture_path, why_broken
from models.tags.distillation import slice_of
from models.tags.handbook import category_key
from models.tags.prompt import NoteText
from schemas.tables import EVENTS, NOTES
from schemas.tag_tables import TEACHER_TAGS

MAX_LESSONS = 50_000  # notes beyond this are left out by the hash of their id
# The newest good reply on each content; a note's text is read on the day of its reply, when it said what was tagged.
# Notes beside the frozen ones are drawn from by hash, so that a cap takes from every category.
LESSONS = """
with said as (
    select *, row_number() over (partition by note_id, content_hash order by ds desc) as age
    from read_parquet($replies, hive_partitioning = true, hive_types = {'ds': varchar})
    where status = 'ok' and reply is not null
), written as (
    select ds, note_id, content_hash, title, body, category, hashtags, image_uris, broken_images, text_hash
    from read_parquet($notes, hive_partitioning = true, hive_types = {'ds': varchar})
)
select said.note_id, said.content_hash, reply, dimensions, tags, evidence, num_pictures, answer, teacher, prompt,
       title, body, category, hashtags, image_uris, broken_images, text_hash
from said join written using (ds, note_id, content_hash)
where age = 1
order by sha256(said.note_id), said.content_hash
limit $most
"""
CLICKED = """
select distinct note_id from read_parquet($events, hive_partitioning = true)
where event = 'click' and note_id in (select unnest($wanted))
"""


@dataclass(frozen=True)
class Lesson:
    """One note and what the teacher said of it: the whole reply, and its grounded tags."""

    note_id: str
    note: NoteText
    picture: Path | None
    reply: str
    dimensions: tuple[str, ...]
    tags: tuple[str, ...]
    evidence: tuple[str, ...]
    answer: str | None
    teacher: str
    text_hash: str

    @property
    def category(self) -> str:
        """The widest category, which balance and promotion are about; `""` where there is none."""
        return category_key(self.note.category[:1])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Dimension and value of every tag."""
        return list(zip(self.dimensions, self.tags, strict=True))

    def picture_bytes(self) -> bytes | None:
        """The picture's file."""
        return self.picture.read_bytes() if self.picture else None


@dataclass(frozen=True)
class Lessons:
    """All lessons of a window by slice; `num_lost` had a picture that does not open any more, `num_copies` said what a
    frozen note says."""

    training: Sequence[Lesson]
    stopping: Sequence[Lesson]
    frozen: Sequence[Lesson]
    num_lost: int
    num_copies: int

    @property
    def num_lessons(self) -> int:
        """Of all slices."""
        return len(self.training) + len(self.stopping) + len(self.frozen)


def lesson_reads(lake: Lake, day: str, window_days: int) -> dict[str, str]:
    """The published partitions of the window that lessons come from: days that have both replies and notes."""
    days = [
        d for d in days_before(day, window_days) if all(lake.partition(t, d) for t in (TEACHER_TAGS, NOTES))
    ]
    return {f"{t.name}/ds={d}": lake.manifest(t, d)["partition"] for d in days for t in (TEACHER_TAGS, NOTES)}


def event_reads(lake: Lake, day: str, window_days: int) -> dict[str, str]:
    """The published partitions of the window that say which notes were clicked."""
    days = [d for d in days_before(day, window_days) if lake.partition(EVENTS, d)]
    return {f"events/ds={d}": lake.manifest(EVENTS, d)["partition"] for d in days}


def read_lessons(lake: Lake, reads: Mapping[str, str], image_roots: Sequence[Path]) -> Lessons:
    """The lessons of the partitions in `reads`."""
    import duckdb

    days = _days(reads, "teacher_tags")
    if not days:
        return Lessons([], [], [], 0, 0)
    files = {t.name: [f for d in days for f in lake.files(t, d)] for t in (TEACHER_TAGS, NOTES)}
    given = {"replies": files["teacher_tags"], "notes": files["notes"], "most": MAX_LESSONS}
    with duckdb.connect() as connection:
        rows = connection.sql(LESSONS, params=given).to_arrow_table().to_pylist()
    roots = tuple(str(root) for root in image_roots)
    return _sorted_out([_lesson(row, roots) for row in rows])


def clicked_notes(lake: Lake, reads: Mapping[str, str], note_ids: Collection[str]) -> set[str] | None:
    """Those of the notes that anyone clicked in the partitions of `reads`; None where there are no events."""
    import duckdb

    files = [f for d in _days(reads, "events") for f in lake.files(EVENTS, d)]
    if not files:
        return None
    with duckdb.connect() as connection:
        found = connection.execute(CLICKED, {"events": files, "wanted": sorted(note_ids)}).fetchall()
    return {row[0] for row in found}


def _days(reads: Mapping[str, str], table: str) -> list[str]:
    return sorted(name.partition("/ds=")[2] for name in reads if name.startswith(f"{table}/"))


def _sorted_out(found: Sequence[Lesson | None]) -> Lessons:
    """The slices. A text that a frozen note says too is learned from nowhere: else the student had seen the answer."""
    whole = [lesson for lesson in found if lesson is not None]
    slices = {
        name: [x for x in whole if slice_of(x.note_id) == name] for name in ("training", "stopping", "frozen")
    }
    frozen_texts = {lesson.text_hash for lesson in slices["frozen"]}
    learned = [x for x in slices["training"] if x.text_hash not in frozen_texts]
    return Lessons(
        learned,
        slices["stopping"],
        slices["frozen"],
        num_lost=len(found) - len(whole),
        num_copies=len(slices["training"]) - len(learned),
    )


def _lesson(row: Mapping[str, Any], roots: tuple[str, ...]) -> Lesson | None:
    """A row as a lesson; None where the teacher saw a picture that does not open any more."""
    picture = first_picture(row["image_uris"], row["broken_images"], roots) if row["num_pictures"] else None
    if row["num_pictures"] and picture is None:
        return None
    return Lesson(
        row["note_id"],
        NoteText(row["title"], row["body"], tuple(row["category"]), tuple(row["hashtags"])),
        picture,
        row["reply"],
        tuple(row["dimensions"]),
        tuple(row["tags"]),
        tuple(row["evidence"]),
        row["answer"],
        row["teacher"] or "",
        row["text_hash"],
    )


def first_picture(uris: Sequence[str], broken: Collection[str], roots: tuple[str, ...]) -> Path | None:
    """The first picture of a note that lies under the allowed roots and opens within its limits."""
    for uri in uris:
        path = None if uri in broken else picture_path(uri, roots)
        if path is not None and why_broken(uri, roots) is None:
            return path
    return None


def lessons_hash(lessons: Sequence[Lesson]) -> str:
    """Stands for note ids and replies of a slice, so that two judgements can be told to be of the same notes."""
    digest = hashlib.sha256()
    for lesson in sorted(lessons, key=lambda x: (x.note_id, x.reply)):
        digest.update(f"{lesson.note_id}\n{hashlib.sha256(lesson.reply.encode()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
