"""What the promoted student says of notes: the tags alone, each with how sure it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.tags.asking import Question, Reply, Teacher
from jobs.tags.pictures import as_png, find_picture
from models.tags.canonical import span_confidence
from models.tags.chain import Status, parse_reply
from models.tags.handbook import Page, page_for, page_version
from models.tags.prompt import NoteText, prompt_for, prompt_version


def ask_student(
    student: Teacher, notes: Sequence[Mapping[str, Any]], pages: Mapping[str, Page], roots: tuple[str, ...]
) -> list[dict[str, Any]]:
    """What the student says of notes, in their order: rows with the columns that `tag_notes.SAID` names."""
    questions, texts = [], []
    for note in notes:
        text = NoteText(note["title"], note["body"], tuple(note["category"]), tuple(note["hashtags"]))
        found = find_picture(note["image_uris"], roots)
        picture = as_png(found.content)[0] if found.content is not None else None
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
