"""The folder that an importer makes: whole or not there, the same bytes for the same source, nobody's data overwritten."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.config import load_config
from jobs.importers.raw_folder import (
    MARKER,
    Event,
    Imported,
    ImporterError,
    Note,
    arrow_table,
    write_raw_folder,
)
from schemas.tables import RAW_EVENTS, RAW_NOTES

LATE = datetime(2024, 1, 1, 16, 30, tzinfo=UTC)  # half past midnight of 2 January in Shanghai
IMPORTED = Imported(
    notes=[Note("b", "Tent", LATE, category=("outdoor",)), Note("a", "Lamp", LATE)],
    events=[Event("u2", "a", "click", LATE), Event(None, "b", "click", LATE.replace(hour=15))],
    num_read=3,
    left_out={"returns": 1},
    timezone="Asia/Shanghai",
    config={"pairs": {"window_days": 2}},
)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write(target: Path, imported: Imported = IMPORTED) -> None:
    """Import into `target` from this very file."""
    write_raw_folder(target, "mine", [Path(__file__)], imported)


def test_the_rows_of_an_importer_have_the_declared_columns() -> None:
    assert set(Event._fields) == set(RAW_EVENTS.column_names)
    assert set(Note._fields) == set(RAW_NOTES.column_names)


def test_events_lie_by_the_day_of_the_time_zone_and_a_missing_user_stays_missing(tmp_path: Path) -> None:
    write(tmp_path / "raw")
    first = pq.read_table(
        tmp_path / "raw/events/ds=2024-01-01/part-00000.parquet", partitioning=None
    ).to_pylist()
    second = pq.read_table(
        tmp_path / "raw/events/ds=2024-01-02/part-00000.parquet", partitioning=None
    ).to_pylist()
    assert [row["user_id"] for row in first] == [None]
    assert [row["ts"] for row in second] == [LATE]
    notes = pq.read_table(tmp_path / "raw/notes/part-00000.parquet")
    assert notes.column("note_id").to_pylist() == ["a", "b"]
    assert RAW_NOTES.differences(notes.schema) == []


def test_the_configuration_loads_and_names_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "raw")
    config = load_config(tmp_path / "raw" / "config.yaml")
    assert (config.timezone, config.pairs.window_days) == ("Asia/Shanghai", 2)
    assert {name: source.path.is_dir() for name, source in config.sources.items()} == {
        "events": True,
        "notes": True,
    }


def test_the_marker_accounts_for_every_row(tmp_path: Path) -> None:
    write(tmp_path / "raw")
    found = json.loads((tmp_path / "raw" / MARKER).read_text())
    assert (found["num_read"], found["num_events"], found["left_out"]) == (3, 2, {"returns": 1})
    assert found["days"] == {"2024-01-01": 1, "2024-01-02": 1}


def test_importing_twice_gives_the_same_bytes_and_leaves_a_lake_alone(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    (tmp_path / "one" / "lake").mkdir()
    (tmp_path / "one" / "lake" / "published").write_text("mine")
    write(tmp_path / "one")
    assert tree(tmp_path / "one") == {**tree(tmp_path / "two"), "lake/published": b"mine"}


def test_a_folder_of_something_else_or_of_another_import_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "letters.txt").write_text("dear")
    with pytest.raises(ImporterError, match="raw holds something else, and nothing is overwritten"):
        write(tmp_path / "raw")
    write(tmp_path / "other")
    with pytest.raises(ImporterError, match="other holds an import from other files or with other options"):
        write(tmp_path / "other", Imported(IMPORTED.notes))
    assert tree(tmp_path / "raw") == {"letters.txt": b"dear"}


def test_what_a_killed_import_left_is_no_obstacle(tmp_path: Path) -> None:
    half = tmp_path / ".raw.importing" / "notes"
    half.mkdir(parents=True)
    (half / "part-00000.parquet").write_bytes(b"half")
    write(tmp_path / "raw")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw"]


def test_rows_that_are_neither_events_nor_left_out_stop_the_import(tmp_path: Path) -> None:
    with pytest.raises(ImporterError, match="read 4 rows but made 2 events and left 1 out"):
        write(tmp_path / "raw", Imported(IMPORTED.notes, IMPORTED.events, 4, {"returns": 1}))
    assert list(tmp_path.iterdir()) == []


def test_a_value_of_another_type_is_told_by_column(tmp_path: Path) -> None:
    with pytest.raises(ImporterError, match=r"column user_id of raw_events must be string: .*int"):
        arrow_table(RAW_EVENTS, [Event(7, "a", "click", LATE)])  # type: ignore[arg-type]


def test_notes_without_a_log_have_one_closed_day_the_one_of_the_last_note(tmp_path: Path) -> None:
    write(tmp_path / "raw", Imported(IMPORTED.notes))
    last = max(note.created_at for note in IMPORTED.notes).date()
    assert [p.relative_to(tmp_path / "raw") for p in (tmp_path / "raw" / "events").rglob("*") if p.is_file()] == [
        Path(f"events/ds={last}/_CLOSED")
    ]
    assert load_config(tmp_path / "raw" / "config.yaml").sources["events"].path.name == "events"


def test_a_day_between_without_events_is_closed(tmp_path: Path) -> None:
    monday, wednesday = (datetime(2020, 1, day, 12, tzinfo=UTC) for day in (6, 8))
    events = [Event("u", "a", "click", monday), Event("u", "a", "click", wednesday)]
    write(tmp_path / "raw", Imported(IMPORTED.notes, events, 2))
    days = {p.parent.name: p.name for p in (tmp_path / "raw" / "events").rglob("*") if p.is_file()}
    assert days == {
        "ds=2020-01-06": "part-00000.parquet",
        "ds=2020-01-07": "_CLOSED",
        "ds=2020-01-08": "part-00000.parquet",
    }
