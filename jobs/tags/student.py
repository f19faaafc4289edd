"""The promoted student, and what it says of notes: the tags alone, each with how sure it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.lake import Lake
from jobs.tags.asking import Question, Reply, Teacher
from models.notes.pictures import picture_path, why_broken
from models.tags.canonical import span_confidence
from models.tags.chain import Status, parse_reply
from models.tags.handbook import Dimension, Page, page_for
from models.tags.prompt import NoteText, prompt_for, prompt_version
from schemas.tag_tables import INTEREST_HANDBOOK

KIND = "tagger"


def student_generation(lake: Lake, day: str) -> str | None:
    """The generation of the student that is current as of a day; None where none was promoted."""
    return Artifacts(lake, KIND).current(day)


def load_student(lake: Lake, day: str, config: Config) -> Teacher | None:
    """The promoted student, loaded; None where there is none."""
    generation = student_generation(lake, day)
    if generation is None:
        return None
    from jobs.tags.local_model import LocalModel

    student: Teacher = LocalModel(Artifacts(lake, KIND).folder(generation), config.tags.max_new_tokens)
    return student


def handbook_day(lake: Lake, day: str) -> str | None:
    """The day of the handbook that a day's notes are tagged by: the last one published until then."""
    return next((d for d in reversed(lake.days(INTEREST_HANDBOOK)) if d <= day), None)


def handbook_pages(lake: Lake, handbook: str | None) -> dict[str, Page]:
    """The pages of a published handbook by category; none where there is no handbook."""
    import pyarrow.parquet as pq

    if handbook is None:
        return {}
    columns = ["category", "position", "dimension", "definition", "example_values"]
    rows = pq.read_table(lake.files(INTEREST_HANDBOOK, handbook), columns=columns).to_pylist()
    found: dict[str, list[Dimension]] = {}
    for row in sorted(rows, key=lambda r: (r["category"], r["position"])):
        dimension = Dimension(row["dimension"], row["definition"], tuple(row["example_values"]))
        found.setdefault(row["category"], []).append(dimension)
    return {category: Page(category, tuple(dimensions)) for category, dimensions in found.items()}


def page_version(pages: Mapping[str, Page], category: Sequence[str]) -> str:
    """The version of the page that guides a category; empty where there is none."""
    page = page_for(pages, category)
    return page.version if page else ""


def picture_of(uris: Sequence[str], roots: tuple[str, ...]) -> bytes | None:
    """The bytes of a note's first picture that lies under `roots` and opens; None where there is none."""
    for uri in uris:
        path = picture_path(uri, roots)
        if path is not None and why_broken(uri, roots) is None:
            return path.read_bytes()
    return None


def ask_student(
    student: Teacher, notes: Sequence[Mapping[str, Any]], pages: Mapping[str, Page], roots: tuple[str, ...]
) -> list[dict[str, Any]]:
    """What the student says of notes, in their order: rows with the columns that `tag_notes.SAID` names."""
    questions, texts = [], []
    for note in notes:
        text = NoteText(note["title"], note["body"], tuple(note["category"]), tuple(note["hashtags"]))
        picture = picture_of(note["image_uris"], roots)
        page = page_for(pages, note["category"])
        questions.append(Question(prompt_for(text, page, "tags", has_picture=picture is not None), picture))
        texts.append(text)
    replies: dict[int, Reply] = {}
    student.ask(questions, replies.__setitem__)
    missing = Reply("failed", "", "the student did not answer")
    return [
        _said(student.identity, note, texts[i], questions[i], replies.get(i, missing), pages)
        for i, note in enumerate(notes)
    ]


def _said(
    identity: str, note: Mapping[str, Any], text: NoteText, question: Question, reply: Reply, pages: Mapping[str, Page]
) -> dict[str, Any]:
    has_picture = question.picture is not None
    parsed = parse_reply(
        reply.text, text.evidence_text(), has_picture=has_picture, is_truncated=reply.outcome == "truncated"
    )
    status: Status = parsed.status if reply.outcome in ("ok", "truncated") else reply.outcome
    tags = parsed.tags if status == "ok" else ()
    ends, logprobs = [t.end for t in reply.tokens], [t.logprob for t in reply.tokens]
    return {
        "note_id": note["note_id"],
        "content_hash": note["content_hash"],
        "status": status,
        "dimensions": [tag.dimension for tag in tags],
        "tags": [tag.value for tag in tags],
        "evidence": [tag.evidence for tag in tags],
        "confidences": [span_confidence(ends, logprobs, tag.start, tag.end) for tag in tags],
        "source": "student" if status in ("ok", "empty") else "none",
        "model": identity,
        "prompt": prompt_version(),
        "handbook": page_version(pages, note["category"]),
    }
