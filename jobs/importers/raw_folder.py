"""Write a raw folder: what an importer makes and notemill's cleaning jobs read.

    <folder>/notes/part-00000.parquet                   one snapshot of all notes
    <folder>/events/ds=YYYY-MM-DD/part-00000.parquet    the click log by day of arrival; `_CLOSED` on a day without
    <folder>/config.yaml                                the configuration to run notemill on it
    <folder>/import.json                                who made it from what, with counts; written last

The folder appears whole or not at all, and the same source gives the same bytes. Columns and types are checked against
`schemas.tables`; values are not, since bad rows are to reach the quarantine, where they can be seen.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import yaml

from jobs.lake import LakeError, sync_folder
from jobs.sources import CLOSED
from jobs.staging import file_hash
from schemas.table import Table
from schemas.tables import RAW_EVENTS, RAW_NOTES

if TYPE_CHECKING:
    import pyarrow as pa

MARKER = "import.json"
log = logging.getLogger("notemill")


class ImporterError(LakeError):
    """What is wrong with the data to import or with the folder to write: which file, which column, what to do."""


class Event(NamedTuple):
    """One line of a click log: the columns of `RAW_EVENTS`."""

    user_id: str | None
    note_id: str | None
    event: str
    ts: datetime | None
    query: str | None = None


class Note(NamedTuple):
    """One note: the columns of `RAW_NOTES`."""

    note_id: str
    title: str
    created_at: datetime
    body: str = ""
    category: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    image_uris: tuple[str, ...] = ()
    author_id: str | None = None


@dataclass(frozen=True)
class Imported:
    """What an importer made of its source.

    `left_out` counts the source rows that are no event, by what they are; together with the events they must add up
    to `num_read`. `config` holds what the source needs beside the defaults, such as `image_roots`.
    """

    notes: list[Note]
    events: list[Event] = field(default_factory=list)
    num_read: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    timezone: str = "UTC"
    config: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def folder_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The two arguments every importer has: `--from` (`args.source`) and `--to` (`args.target`)."""
    parser = argparse.ArgumentParser(name, description=description)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="the folder of the data as published"
    )
    parser.add_argument(
        "--to", dest="target", type=Path, required=True, help="the raw folder to make; must not exist"
    )
    return parser


def run_import(main: Callable[[list[str]], None]) -> None:
    """Run an importer's `main` as a process: progress to standard output, 2 and one clear line on a known error."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout, force=True)
    log.setLevel(logging.INFO)
    try:
        main(sys.argv[1:])
    except LakeError as error:
        log.error("notemill: %s", error)
        raise SystemExit(2) from None


def write_raw_folder(target: Path, importer: str, sources: Iterable[Path], imported: Imported) -> None:
    """Write `imported` as the raw folder `target`, or find that it is there already.

    Raises `ImporterError` where `target` holds something else, where counts do not add up or where a column has values
    of another type.
    """
    _require_sum(imported)
    days = _by_day(imported)
    record = _record(importer, sources, imported, days)
    if _is_there(target, record):
        log.info("%s is there already, made from the same files", target)
        return
    half = target.with_name(f".{target.name}.importing")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    _write_table(half / "notes", RAW_NOTES, imported.notes)
    for day, events in days.items():
        _write_day(half / "events" / f"ds={day}", events)
    (half / "config.yaml").write_text(_config_text(importer, imported), encoding="utf-8")
    (half / MARKER).write_text(record, encoding="utf-8")
    sync_folder(half)
    half.rename(target)
    sync_folder(target.parent)
    _tell(target, imported, list(days))


def _require_sum(imported: Imported) -> None:
    told = len(imported.events) + sum(imported.left_out.values())
    if told != imported.num_read:
        raise ImporterError(
            f"the importer read {imported.num_read} rows but made {len(imported.events)} events and left "
            f"{sum(imported.left_out.values())} out: every row read must be one or the other"
        )


def _by_day(imported: Imported) -> dict[str, list[Event]]:
    """The events by the day they arrived on, which for a finished log is the day they happened on.

    Every day from the first to the last is there, those between without events too; a source without any has one day,
    on which its last note was written.
    """
    zone = ZoneInfo(imported.timezone)
    dated = [event.ts for event in imported.events if event.ts] or [
        max(note.created_at for note in imported.notes)
    ]
    first, last = (instant.astimezone(zone).date() for instant in (min(dated), max(dated)))
    days: dict[str, list[Event]] = {
        (first + timedelta(days=at)).isoformat(): [] for at in range((last - first).days + 1)
    }
    for event in imported.events:
        if event.ts is None:
            raise ImporterError(
                f"an event without a time has no day to arrive on: {event}; leave it out and count it"
            )
        days[event.ts.astimezone(zone).date().isoformat()].append(event)
    return days


def _record(
    importer: str, sources: Iterable[Path], imported: Imported, days: Mapping[str, list[Event]]
) -> str:
    record = {
        "importer": importer,
        "options": dict(imported.options),
        "sources": {path.name: file_hash(path) for path in sources},
        "num_read": imported.num_read,
        "left_out": dict(imported.left_out),
        "num_events": len(imported.events),
        "num_notes": len(imported.notes),
        "days": {day: len(events) for day, events in days.items()},
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _is_there(target: Path, record: str) -> bool:
    marker = target / MARKER
    if marker.is_file() and marker.read_text(encoding="utf-8") == record:
        return True
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "an import from other files or with other options" if marker.is_file() else "something else"
        raise ImporterError(
            f"--to {target} holds {what}, and nothing is overwritten: name a folder that does not exist"
        )
    return False


def _write_day(folder: Path, events: list[Event]) -> None:
    """The day's events; a day without any was closed, and says so."""
    if events:
        _write_table(folder, RAW_EVENTS, events)
    else:
        folder.mkdir(parents=True)
        (folder / CLOSED).touch()


def _write_table(folder: Path, table: Table, rows: Iterable[NamedTuple]) -> None:
    import pyarrow.parquet as pq

    content = arrow_table(table, rows)
    order = [(name, "ascending") for name in table.order]
    folder.mkdir(parents=True)
    pq.write_table(content.sort_by(order), folder / "part-00000.parquet", compression="zstd")


def arrow_table(table: Table, rows: Iterable[NamedTuple]) -> pa.Table:
    """The rows as the declared table, every column nullable: a raw file may hold what cleaning will refuse.

    Raises `ImporterError` naming the column whose values are of another type.
    """
    import pyarrow as pa

    rows = list(rows)
    arrays = []
    for column in table.columns:
        values = [getattr(row, column.name) for row in rows]
        try:
            arrays.append(pa.array(values, column.arrow_type()))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise ImporterError(
                f"column {column.name} of {table.name} must be {column.type}: {error}"
            ) from None
    return pa.table(arrays, names=table.column_names)


def _config_text(importer: str, imported: Imported) -> str:
    sources = {"events": {"path": "events"}, "notes": {"path": "notes"}}
    config = {"lake": "lake", "timezone": imported.timezone, "sources": sources, **imported.config}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return f"# Made by jobs.importers.{importer}; every key is explained in docs/configuration.md.\n{text}"


def _tell(target: Path, imported: Imported, days: list[str]) -> None:
    log.info("%s: %s notes", target / "config.yaml", f"{len(imported.notes):,}")
    if not imported.events:
        log.info("  no events in this source: its one day, %s, is marked closed", days[0])
        return
    log.info("  %s rows read = %s events", f"{imported.num_read:,}", f"{len(imported.events):,}")
    for reason, count in imported.left_out.items():
        log.info("    + %s left out: %s", f"{count:,}", reason)
    num_days = (date.fromisoformat(days[-1]) - date.fromisoformat(days[0])).days + 1
    num_open = len({event.ts.date() for event in imported.events if event.ts})
    log.info("  %d of the %d days %s to %s have events", num_open, num_days, days[0], days[-1])
