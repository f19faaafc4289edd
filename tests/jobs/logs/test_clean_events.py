"""Every raw event is kept, quarantined with a reason, or cleaned away, and the counts add up."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.config import load_config
from jobs.lake import LakeError
from jobs.logs.clean_events import main
from jobs.publish_table import publish
from jobs.sources import SourceError
from schemas.tables import EVENTS, EVENTS_QUARANTINE
from tests.jobs.lakes import note, publish_notes
from tests.jobs.raw import DAY, deployment, raw_event, raw_note, utc


def _published(home: Path, day: str = DAY) -> tuple[list[dict], list[dict], dict]:
    lake = load_config(home / "config.yaml").open_lake()
    if lake.partition(EVENTS, day) is None:
        publish_notes(
            lake, day, [note(f"n{i}", f"Title {i}", created_at=utc("2026-01-03 00:00:00")) for i in range(9)]
        )
    main(["--config", str(home / "config.yaml"), "--day", day])
    manifest = publish(lake, EVENTS, day)
    kept = pq.read_table(lake.files(EVENTS, day)).to_pylist()
    return kept, pq.read_table(lake.files(EVENTS_QUARANTINE, day)).to_pylist(), manifest["counts"]


def test_each_rule_takes_its_rows_and_the_counts_add_up(spark: SparkSession, tmp_path: Path) -> None:
    fine = [raw_event(f"u{i}", f"n{i % 9}", f"2026-01-05 11:00:{i:02d}") for i in range(50)]
    rows = [
        *fine,
        fine[0],
        fine[0],  # two exact duplicates
        raw_event("late", "n1", "2026-01-03 00:00:00"),  # two days late: lawful
        raw_event(
            "late", "n1", "2026-01-02 00:00:00"
        ),  # three days late, at the bound, but before the note was created
        raw_event("late", "n1", "2026-01-01 23:59:59"),  # a second more than three days
        raw_event("early", "n1", "2026-01-06 00:00:00"),  # the first instant after the day
        raw_event("u1", "nowhere"),
        raw_event("u1", "n1", event="teleport"),
        raw_event("", "n1"),
    ]
    deployment(tmp_path, [raw_note("n1")], {DAY: rows})
    kept, quarantine, counts = _published(tmp_path)
    assert sorted(r["reason"] for r in quarantine) == [
        "bad_user_id",
        "before_note_was_created",
        "future_time",
        "too_late",
        "unknown_event",
        "unknown_note",
    ]
    assert [r["user_id"] for r in kept if r["is_late"]] == ["late"]
    assert counts["num_source"] == 59 == len(kept) + len(quarantine) + counts["num_cleaned"]
    assert counts["num_cleaned"] == 2
    assert {r["reason"]: r["detail"] for r in quarantine}["unknown_event"] == "event is teleport"


def test_a_robot_is_one_event_above_the_rate_in_one_minute(spark: SparkSession, tmp_path: Path) -> None:
    def minute(user: str, count: int) -> list[dict]:
        return [raw_event(user, f"n{i % 9}", f"2026-01-05 12:30:{i % 60:02d}.{i:06d}") for i in range(count)]

    people = [raw_event(f"u{i}", "n1", f"2026-01-05 11:00:{i:02d}") for i in range(20)]
    deployment(
        tmp_path,
        [raw_note("n1")],
        {DAY: [*people, *minute("busy", 5), *minute("robot", 6)]},
        "ingest: {robot_events_per_minute: 5}\n",
    )
    lake = load_config(tmp_path / "config.yaml").open_lake()
    publish_notes(lake, DAY, [note(f"n{i}", f"Title {i}") for i in range(9)])
    main(["--config", str(tmp_path / "config.yaml"), "--day", DAY])
    staged = pq.read_table(lake.place("staging", EVENTS_QUARANTINE, DAY) / "data").to_pylist()
    assert {r["reason"] for r in staged} == {"robot"}
    assert len(staged) == 6
    assert staged[0]["detail"] == "user has 6 events in one minute"


def test_the_day_is_cut_in_the_configured_time_zone(spark: SparkSession, tmp_path: Path) -> None:
    rows = [
        raw_event("u1", "n1", "2026-01-04 15:59:59"),  # 23:59:59 of the 4th in Shanghai
        raw_event("u2", "n1", "2026-01-04 16:00:00"),  # midnight: the 5th begins
        raw_event("u3", "n1", "2026-01-05 15:59:59"),
    ]
    deployment(tmp_path, [raw_note("n1")], {DAY: rows}, zone="Asia/Shanghai")
    with pytest.raises(LakeError, match="late_share"):
        _published(tmp_path)
    lake = load_config(tmp_path / "config.yaml").open_lake()
    staged = pq.read_table(lake.place("staging", EVENTS, DAY) / "data").to_pylist()
    assert {r["user_id"]: r["is_late"] for r in staged} == {"u1": True, "u2": False, "u3": False}


def test_flat_files_are_cut_by_time_and_nothing_in_them_is_late(spark: SparkSession, tmp_path: Path) -> None:
    rows = [
        raw_event("u1", "n1", "2026-01-04 10:00:00"),
        raw_event("u1", "n2"),
        raw_event("u1", "n3", "2026-01-06 10:00:00"),
    ]
    deployment(tmp_path, [raw_note("n1")], {DAY: rows})
    folder = tmp_path / "events" / f"ds={DAY}"
    (folder / "part-00000.parquet").rename(tmp_path / "events" / "all.parquet")
    folder.rmdir()
    kept, quarantine, counts = _published(tmp_path)
    assert [r["note_id"] for r in kept] == ["n2"]
    assert (quarantine, counts["num_source"]) == ([], 1)


def test_a_day_without_files_says_which_days_there_are(tmp_path: Path) -> None:
    deployment(tmp_path, [raw_note("n1")], {"2026-01-03": [raw_event("u1", "n1")]})
    with pytest.raises(SourceError, match=r"has no ds=2026-01-05 \(it has 2026-01-03 to 2026-01-03\)"):
        main(["--config", str(tmp_path / "config.yaml"), "--day", DAY])


def test_an_empty_day_is_not_published(spark: SparkSession, tmp_path: Path) -> None:
    deployment(tmp_path, [raw_note("n1")], {DAY: []})
    with pytest.raises(LakeError, match="the table was promised to have at least 1 rows, but it is 0"):
        _published(tmp_path)


def test_a_day_that_the_source_calls_closed_is_published_empty(spark: SparkSession, tmp_path: Path) -> None:
    deployment(tmp_path, [raw_note("n1")], {"2026-01-04": [raw_event("u1", "n1", "2026-01-04 10:00:00")]})
    _published(tmp_path, "2026-01-04")
    closed = tmp_path / "events" / f"ds={DAY}"
    closed.mkdir()
    (closed / "_CLOSED").touch()
    kept, quarantine, counts = _published(tmp_path)
    assert (kept, quarantine, counts["num_source"], counts["num_closed"]) == ([], [], 0, 1)
    lake = load_config(tmp_path / "config.yaml").open_lake()
    assert lake.last_before(EVENTS, "2026-01-06") == "2026-01-04"  # what the next day is compared with


def test_notes_must_be_published_first(tmp_path: Path) -> None:
    deployment(tmp_path, [raw_note("n1")], {DAY: [raw_event("u1", "n1")]})
    with pytest.raises(LakeError, match="table notes has no published partition ds=2026-01-05"):
        main(["--config", str(tmp_path / "config.yaml"), "--day", DAY])
