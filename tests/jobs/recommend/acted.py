"""A lake in which users acted on notes that have IDs, as the chain before the recommender leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.lake import Lake
from jobs.publish_table import publish
from schemas.recommend_tables import USERS, USERS_QUARANTINE
from schemas.table import Table
from schemas.tables import EVENTS, EVENTS_QUARANTINE, SEMANTIC_IDS
from tests.jobs.lakes import note, publish_notes, stage_rows
from tests.jobs.raw import utc

Event = tuple[str, str, str, str]  # user, time, kind, note
GENERATION = "g0123456789"


def semantic_id(number: int) -> str:
    """Of the note of that number."""
    return f"<a_{number // 4}><b_{number % 4}>"


def configured(home: Path, recommend: str = "", zone: str = "UTC") -> list[str]:
    """The arguments of a job for a configuration with this section `recommend`."""
    sources = "sources: {events: {path: events}, notes: {path: notes}}\n"
    (home / "events").mkdir(exist_ok=True)
    (home / "config.yaml").write_text(f"lake: lake\ntimezone: {zone}\n{sources}recommend: {{{recommend}}}\n")
    return ["--config", str(home / "config.yaml")]


def publish_catalogue(
    lake: Lake, day: str, titles: Mapping[str, str], created: Mapping[str, str], gone: set[str]
) -> None:
    """Notes (id to title) created at noon of a day, and IDs of those that are not `gone`, numbered in their order."""
    rows = [
        note(note_id, title, created_at=utc(created.get(note_id, "2026-01-01") + " 12:00:00"))
        for note_id, title in titles.items()
        if note_id not in gone
    ]
    publish_notes(lake, day, rows)
    ids = [
        {
            "note_id": note_id,
            "codes": [number // 4, number % 4],
            "semantic_id": semantic_id(number),
            "tie_break": 0,
            "generation": GENERATION,
            "since": utc("2026-01-01 00:00:00").date(),
        }
        for number, note_id in enumerate(titles)
        if note_id not in gone
    ]
    stage_rows(lake, SEMANTIC_IDS, day, ids)
    publish(lake, SEMANTIC_IDS, day)


def publish_events(lake: Lake, day: str, events: list[Event]) -> None:
    """All that arrived on a day."""
    rows = [
        {"user_id": user, "note_id": note_id, "event": kind, "ts": utc(ts), "is_late": False}
        for user, ts, kind, note_id in events
    ]
    _publish(lake, EVENTS, EVENTS_QUARANTINE, day, rows)


def publish_users(lake: Lake, day: str, profiles: list[tuple[str, ...]]) -> None:
    """user_id, gender, age_band, marital_status, children of each."""
    rows = [dict(zip(USERS.column_names, values, strict=True)) for values in profiles]
    _publish(lake, USERS, USERS_QUARANTINE, day, rows)


def _publish(lake: Lake, table: Table, quarantine: Table, day: str, rows: list[dict[str, Any]]) -> None:
    # As if closed: days of a handful of rows differ from one another too much to be compared.
    counts = {"num_source": len(rows), "num_closed": 1, "num_cleaned": 0, "num_quarantined": 0}
    stage_rows(lake, quarantine, day, [], counts)
    stage_rows(lake, table, day, rows, counts)
    publish(lake, table, day)
