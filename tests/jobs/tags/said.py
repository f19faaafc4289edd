"""What a teacher said, as literal rows, and small lakes around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.tags import build_vocabulary
from schemas.tag_tables import TAG_VOCABULARY, TEACHER_TAGS
from tests.jobs.lakes import note, stage_rows

Tags = Sequence[tuple[str, str, float]]  # dimension, value, confidence


def said(of: dict[str, Any], tags: Tags = (), status: str = "", **other: Any) -> dict[str, Any]:
    """A row of `teacher_tags` about a note."""
    row = {
        "note_id": of["note_id"],
        "content_hash": of["content_hash"],
        "status": status or ("ok" if tags else "empty"),
        "problem": "",
        "dimensions": [dimension for dimension, _, _ in tags],
        "tags": [tag for _, tag, _ in tags],
        "evidence": [tag for _, tag, _ in tags],
        "confidences": [confidence for _, _, confidence in tags],
        "observed_text": [tag for _, tag, _ in tags],
        "observed_picture": "",
        "num_ungrounded": 0,
        "num_repeated": 0,
        "num_pictures": 0,
        "reply": "{}",
        "answer": "a" * 64,
        "teacher": "teacher@1",
        "prompt": "p1",
        "handbook": "",
        "tokens_in": 100,
        "tokens_out": 20,
        "num_calls": 1,
        "latency_ms": 5.0,
        "cost": 0.01,
    }
    return {**row, **other}


def publish_said(lake: Lake, day: str, rows: list[dict[str, Any]]) -> None:
    """Publish what the teacher said; the notes must be published before."""
    stage_rows(lake, TEACHER_TAGS, day, rows)
    publish(lake, TEACHER_TAGS, day)


def publish_vocabulary(home: Path, lake: Lake, day: str) -> dict[str, Any]:
    """Run the job for a day and publish what it staged. Returns the manifest."""
    build_vocabulary.main(["--config", str(home / "config.yaml"), "--day", day])
    return publish(lake, TAG_VOCABULARY, day)


def notes(count: int) -> list[dict[str, Any]]:
    """That many notes, `n0` and so on."""
    return [note(f"n{number}", f"A tent for {number}") for number in range(count)]
