"""A lake with published notes and embeddings, as the chain before the quantizer leaves it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.staging import Plan, stage_arrow
from schemas.tables import NOTE_EMBEDDINGS, NOTES
from schemas.tables import NOTES_QUARANTINE as NOTES_Q

ENCODER = "test-encoder-0"
Publish = Callable[..., None]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


def content_hash(note_id: str, content: str) -> str:
    return hashlib.sha256(f"{note_id} {content}".encode()).hexdigest()


def vector(content: str, dims: int = 8) -> list[float]:
    """A unit vector that follows from the content."""
    seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8])
    drawn = np.random.default_rng(seed).normal(size=dims)
    return [float(x) for x in (drawn / np.linalg.norm(drawn)).astype(np.float32)]


def notes_table(notes: dict[str, str]) -> pa.Table:
    rows = [
        {
            "note_id": note_id,
            "title": content,
            "body": "",
            "category": ["tea"],
            "hashtags": [],
            "image_uris": [],
            "author_id": None,
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "broken_images": [],
            "content_hash": content_hash(note_id, content),
            "text_hash": hashlib.sha256(content.encode()).hexdigest(),
            "num_same_text": 1,
        }
        for note_id, content in notes.items()
    ]
    return pa.Table.from_pylist(rows, schema=NOTES.arrow_schema())


def publish_notes(lake: Lake, day: str, notes: dict[str, str], encoder: str = ENCODER, dims: int = 8) -> None:
    """Publish notes (id to content) and embeddings that follow from the contents."""
    embedded = [
        {"note_id": n, "content_hash": content_hash(n, c), "encoder": encoder, "embedding": vector(c, dims)} for n, c in notes.items()
    ]
    plan = Plan("test", day, params={"notes": notes, "encoder": encoder})
    counts = {"num_source": len(notes), "num_cleaned": 0, "num_quarantined": 0}
    stage_arrow(lake, NOTES_Q, plan, NOTES_Q.arrow_schema().empty_table(), counts)
    stage_arrow(lake, NOTES, plan, notes_table(notes), counts)
    publish(lake, NOTES, day)
    stage_arrow(lake, NOTE_EMBEDDINGS, plan, pa.Table.from_pylist(embedded, schema=NOTE_EMBEDDINGS.arrow_schema()))
    publish(lake, NOTE_EMBEDDINGS, day)
