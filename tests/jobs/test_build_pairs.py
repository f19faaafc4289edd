"""Co-occurrence pairs on Spark, against rows worked by hand and against the definition in SQL."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config import Pairs
from jobs.lake import Lake, LakeError
from jobs.notes import build_pairs
from jobs.notes.build_pairs import clicks_between, main, note_pairs
from jobs.notes.pair_workers import cutting, packing, relating, spreading
from jobs.publish_table import publish
from schemas.tables import EVENTS, EVENTS_QUARANTINE, NOTE_PAIRS
from tests.jobs.lakes import note, publish_notes, stage_rows

START = datetime(2026, 1, 5, tzinfo=UTC)
Click = tuple[str, int, str]  # user, microseconds after START, note

# u1 clicks a, b, c; u2 a, c; u3 c, a and again c.
BY_HAND = [
    *(("u1", 10, "a"), ("u1", 20, "b"), ("u1", 30, "c")),
    *(("u2", 10, "a"), ("u2", 15, "c")),
    *(("u3", 7, "c"), ("u3", 9, "a"), ("u3", 11, "c")),
]
ALL_AT_ONCE = """
    with firsts as (select user_id, note_id, min(ts) ts from clicks group by all),
    sized as (select *, count(*) over (partition by user_id) n from firsts),
    kept as (select * from sized where n <= 12),
    hot as (select note_id from kept group by note_id
            having count(*) > 0.5 * (select count(distinct user_id) from kept) and count(*) >= 10),
    cool as (select * from kept where note_id not in (from hot)),
    scored as (select a.note_id, b.note_id related_note_id, round(sum(1 / a.n), 9) score, count(*) num_users
               from cool a join cool b on a.user_id = b.user_id and a.ts < b.ts group by all)
    select * from scored where score between 0.1 and 2 qualify rank() over (partition by note_id order by score desc) <= 3
"""


def frame(spark: SparkSession, clicks: list[Click], partitions: int = 2) -> DataFrame:
    rows = [(user, note_id, START + timedelta(microseconds=at)) for user, at, note_id in clicks]
    return spark.createDataFrame(rows, "user_id string, note_id string, ts timestamp").repartition(partitions)


def found(clicks: DataFrame, **settings: Any) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    with note_pairs(clicks, Pairs(**settings)) as pairs:
        return sorted(tuple(row) for row in pairs.frame.collect()), pairs.counts


def test_three_users_worked_by_hand(spark: SparkSession) -> None:
    rows, counts = found(frame(spark, BY_HAND))
    assert rows == [
        ("a", "b", 0.333333333, 2, 1),
        ("a", "c", 0.833333333, 1, 2),
        ("b", "c", 0.333333333, 1, 1),
        ("c", "a", 0.5, 1, 1),
    ]
    assert counts == {
        "num_clicks": 8,
        "num_notes": 3,
        "num_users": 3,
        "num_hot_users": 0,
        "num_first_clicks": 7,
        "num_ordered_pairs": 5,
        "num_hot_notes": 0,
        "num_blocks": 1,
    }


def test_hot_users_and_hot_notes_are_left_out_and_counted(spark: SparkSession) -> None:
    # u1 has three notes. Of u2 and u3 both clicked a and c: more than half of two users.
    rows, counts = found(
        frame(spark, BY_HAND), max_clicks_per_user=2, hot_note_share=0.5, hot_note_min_users=2
    )
    assert (rows, counts["num_hot_users"], counts["num_users"], counts["num_hot_notes"]) == ([], 1, 2, 2)
    rows, counts = found(frame(spark, BY_HAND), hot_note_share=0.9, hot_note_min_users=4)
    assert (len(rows), counts["num_hot_notes"]) == (4, 0)
    rows, counts = found(
        frame(spark, [*BY_HAND, ("u4", 1, "b"), ("u4", 2, "d")]), hot_note_share=0.5, hot_note_min_users=3
    )
    assert (rows, counts["num_hot_notes"]) == ([("b", "d", 0.5, 1, 1)], 2)


def test_no_clicks_make_no_pairs(spark: SparkSession) -> None:
    rows, counts = found(frame(spark, []))
    assert (rows, counts["num_clicks"], counts["num_users"]) == ([], 0, 0)


def test_only_clicks_inside_the_window_count(spark: SparkSession) -> None:
    until = START + timedelta(days=7)
    rows = [
        ("u", "early", "click", START - timedelta(microseconds=1)),
        ("u", "first", "click", START),
        ("u", "liked", "like", START),
        ("u", "last", "click", until - timedelta(microseconds=1)),
        ("u", "late", "click", until),
    ]
    events = spark.createDataFrame(rows, "user_id string, note_id string, event string, ts timestamp")
    assert {row["note_id"] for row in clicks_between(events, START, until).collect()} == {"first", "last"}


@pytest.mark.parametrize("seed", [1, 2])
def test_any_log_agrees_with_the_definition_whatever_the_partitions_and_blocks(
    spark: SparkSession, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    notes, weights = [f"n{rank}" for rank in range(60)], [1 / (1 + rank) for rank in range(60)]
    clicks = [
        (f"u{draw.randrange(60)}", draw.randrange(99), draw.choices(notes, weights)[0]) for _ in range(800)
    ]
    settings = {
        "low": 0.1,
        "high": 2.0,
        "top": 3,
        "max_clicks_per_user": 12,
        "hot_note_share": 0.5,
        "hot_note_min_users": 10,
    }
    reference = _by_duckdb(clicks)
    whole, counts = found(frame(spark, clicks, 1), **settings)
    assert counts["num_hot_users"] > 0
    assert counts["num_hot_notes"] > 0
    _agree(whole, reference)
    # Small tasks: many partitions, many blocks, and blocks whose lists go to disk in several parts.
    monkeypatch.setattr(build_pairs, "CLICKS_A_TASK", 300)
    monkeypatch.setattr(build_pairs, "PLACES_A_TASK", 300)
    small, counts = found(frame(spark, clicks, 3), **settings)
    assert counts["num_blocks"] > 3
    assert small == whole


def _by_duckdb(clicks: list[Click]) -> dict[tuple[str, str], tuple[float, int]]:
    columns = {
        "user_id": [c[0] for c in clicks],
        "ts": [c[1] for c in clicks],
        "note_id": [c[2] for c in clicks],
    }
    with duckdb.connect() as db:
        db.register("clicks", pa.table(columns))
        return {(a, b): (score, users) for a, b, score, users in db.execute(ALL_AT_ONCE).fetchall()}


def _agree(rows: list[tuple[Any, ...]], reference: dict[tuple[str, str], tuple[float, int]]) -> None:
    """Every row is among the best or ties with the last of them; as many as there can be; ranked 1, 2, 3."""
    for note_id, group in itertools.groupby(
        sorted(rows, key=lambda row: (row[0], row[3])), key=lambda row: row[0]
    ):
        ranked = list(group)
        best = sorted((score for (a, _), (score, _) in reference.items() if a == note_id), reverse=True)[:3]
        assert [row[2] for row in ranked] == pytest.approx(best, abs=1e-9)
        assert [row[3] for row in ranked] == [1, 2, 3][: len(best)]
        assert all(reference[row[0], row[1]] == (pytest.approx(row[2], abs=1e-9), row[4]) for row in ranked)
    assert {row[0] for row in rows} == {a for a, _ in reference}


def _clicks_batch(clicks: list[Click]) -> pa.RecordBatch:
    """Clicks as Spark sends them; `n7` has the hash 7 << 57, `u7` 7 << 40."""
    users = pa.array([int(user[1:]) << 40 for user, _, _ in clicks], pa.int64())
    checks, times = pa.array([0] * len(clicks), pa.int32()), pa.array([at for _, at, _ in clicks], pa.int64())
    notes = pa.array([int(note_id[1:]) << 57 for _, _, note_id in clicks], pa.int64())
    names = ["user", "check", "ts", "note", "note_id"]
    return pa.RecordBatch.from_arrays([users, checks, times, notes, pa.array([c[2] for c in clicks])], names=names)


def test_a_block_too_large_for_memory_is_added_up_from_files() -> None:
    draw = random.Random(3)
    clicks = [(f"u{draw.randrange(40)}", draw.randrange(99), f"n{draw.randrange(60)}") for _ in range(600)]
    lists = pa.Table.from_batches(packing(1000)(spreading(1, 1000)(iter([_clicks_batch(clicks)]))))
    blocks = list(cutting(1, np.zeros(0, np.int64))(iter(lists.to_batches())))
    results = [
        pa.Table.from_batches(relating(1, max_places, low=0.01, high=30.0, top=5)(iter(blocks))).to_pylist()
        for max_places in (1_000_000, 64)
    ]
    assert len(results[0]) > 250
    assert results[0] == results[1]


def test_a_user_who_clicks_without_end_is_cut_short_before_the_shuffle() -> None:
    clicks = [("u1", at, f"n{at % 60}") for at in range(20_000)] + [("u2", 1, "n1"), ("u2", 2, "n2")]
    (spread,) = spreading(1, 10)(iter([_clicks_batch(clicks)]))
    assert len(spread.column("users")[0].as_py()) == 8 * (11 + 2)
    (packed,) = packing(10)(iter([spread]))
    assert (packed.column("num_hot_users")[0].as_py(), packed.column("num_notes")[0].as_py()) == (1, 60)


def test_a_collision_of_note_hashes_moves_to_the_next_salt(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = found(frame(spark, BY_HAND))
    good = build_pairs.note_hash
    monkeypatch.setattr(build_pairs, "note_hash", lambda salt: F.lit(2).cast("bigint") if salt < 1 else good(salt))
    assert found(frame(spark, BY_HAND)) == expected
    monkeypatch.setattr(build_pairs, "note_hash", lambda salt: F.lit(2).cast("bigint"))
    with pytest.raises(LakeError, match="column note_id: ids collide"):
        found(frame(spark, BY_HAND))


def test_the_session_is_left_as_it_was(spark: SparkSession) -> None:
    key = "spark.sql.execution.arrow.maxBytesPerBatch"
    before = spark.conf.get(key)
    with note_pairs(frame(spark, BY_HAND), Pairs()):
        assert spark.conf.get(key) == str(32 << 20)
    assert spark.conf.get(key) == before


def test_the_job_reads_the_published_week_and_stages_what_it_counted(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("lake: lake\ntimezone: UTC\nsources: {events: {path: e}, notes: {path: n}}\n")
    lake = Lake.open(tmp_path / "lake")
    publish_notes(lake, "2026-01-05", [note("a"), note("b", "A stove"), note("gone", "A map")])
    publish_notes(lake, "2026-01-06", [note("a"), note("b", "A stove")])
    _publish_events(lake, "2026-01-05", [("u1", 10, "a"), ("u1", 20, "gone")])
    _publish_events(lake, "2026-01-06", [("u1", 86_400_000_010, "b"), ("u2", 86_400_000_000, "b")])
    monkeypatch.setattr(build_pairs, "spark_session", lambda app: spark)
    main(["--config", str(config), "--day", "2026-01-06"])
    manifest = publish(lake, NOTE_PAIRS, "2026-01-06")
    rows = [tuple(row) for row in spark.read.parquet(*lake.files(NOTE_PAIRS, "2026-01-06")).collect()]
    # The note that is gone counts neither as a pair nor in N.
    assert rows == [("a", "b", 0.5, 1, 1)]
    assert (manifest["counts"]["num_clicks"], manifest["counts"]["num_users"]) == (3, 2)
    with pytest.raises(LakeError, match="2026-01-09"):
        main(["--config", str(config), "--day", "2026-01-09"])


def _publish_events(lake: Lake, day: str, clicks: list[Click]) -> None:
    rows = [
        {
            "user_id": user,
            "note_id": note_id,
            "event": "click",
            "ts": START + timedelta(microseconds=at),
            "is_late": False,
        }
        for user, at, note_id in clicks
    ]
    counts = {"num_source": len(rows), "num_cleaned": 0, "num_quarantined": 0}
    stage_rows(lake, EVENTS_QUARANTINE, day, [], counts)
    stage_rows(lake, EVENTS, day, rows, counts)
    publish(lake, EVENTS, day)
