"""Small lakes for tests: rows staged and published the way jobs do it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.staging import Plan, stage_arrow
from schemas.table import Table
from schemas.tables import NOTES, NOTES_QUARANTINE


def note(note_id: str, title: str = "A tent for two", **other: Any) -> dict[str, Any]:
    """A row of `notes`."""
    text_hash = hashlib.sha256(title.encode()).hexdigest()
    row = {
        "note_id": note_id,
        "title": title,
        "body": "Light and dry.",
        "category": ["outdoor", "camping"],
        "hashtags": ["tent"],
        "image_uris": [],
        "author_id": "a1",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "broken_images": [],
        "content_hash": text_hash,
        "text_hash": text_hash,
        "num_same_text": 1,
    }
    return {**row, **other}


def stage_rows(
    lake: Lake,
    table: Table,
    day: str,
    rows: list[dict[str, Any]],
    counts: Mapping[str, int] | None = None,
    salt: str = "",
) -> Plan:
    """Stage literal rows as a job would; `salt` makes it another plan."""
    plan = Plan("test", day, params={"salt": salt})
    stage_arrow(lake, table, plan, pa.Table.from_pylist(rows, schema=table.arrow_schema()), counts)
    return plan


def publish_notes(lake: Lake, day: str, rows: list[dict[str, Any]], salt: str = "") -> dict[str, Any]:
    """Stage and publish notes, with an empty quarantine."""
    counts = {"num_source": len(rows), "num_cleaned": 0, "num_quarantined": 0}
    stage_rows(lake, NOTES_QUARANTINE, day, [], counts, salt)
    stage_rows(lake, NOTES, day, rows, counts, salt)
    return publish(lake, NOTES, day)


def tree(root: Path) -> dict[str, bytes]:
    """Every file under a folder with its bytes."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
