"""Raw rows for tests, and a deployment of a few files around them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.config import Config, load_config
from schemas.table import Table
from schemas.tables import RAW_EVENTS, RAW_NOTES

DAY = "2026-01-05"


def utc(text: str) -> datetime:
    """`2026-01-05 10:00:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def raw_note(note_id: str, **other: Any) -> dict[str, Any]:
    """A raw note that nothing is wrong with."""
    row = {
        "note_id": note_id,
        "title": f"Note {note_id}",
        "body": "A tent that stays dry.",
        "category": ["outdoor", "camping"],
        "hashtags": ["#tent", "camping"],
        "image_uris": [],
        "author_id": "a1",
        "created_at": utc("2026-01-01 00:00:00"),
    }
    return {**row, **other}


def raw_event(
    user_id: str, note_id: str, ts: str = "2026-01-05 10:00:00", event: str = "click", **other: Any
) -> dict[str, Any]:
    """A raw event that nothing is wrong with."""
    return {"user_id": user_id, "note_id": note_id, "event": event, "ts": utc(ts), "query": None, **other}


def write_rows(path: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    """A Parquet file in the table's declared schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.arrow_schema()), path)


def deployment(
    home: Path,
    notes: list[dict[str, Any]],
    events: dict[str, list[dict[str, Any]]],
    extra: str = "",
    zone: str = "UTC",
) -> Config:
    """A configuration with its raw folders: one snapshot of notes, events by day of arrival."""
    write_rows(home / "notes" / "part-00000.parquet", RAW_NOTES, notes)
    for day, rows in events.items():
        write_rows(home / "events" / f"ds={day}" / "part-00000.parquet", RAW_EVENTS, rows)
    sources = "sources:\n  events: {path: events}\n  notes: {path: notes}\n"
    text = f"timezone: {zone}\nlake: lake\n{sources}image_roots: [images]\n"
    (home / "config.yaml").write_text(text + extra)
    return load_config(home / "config.yaml")
