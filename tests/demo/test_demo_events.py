"""The log: declared columns, days of arrival, and dirt that is exactly what the truth says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from schemas.tables import RAW_EVENTS, RAW_NOTES, RAW_USERS

# Days between the day of arrival and the local day on which the row says that it happened; Shanghai is UTC+8.
LATE_DAYS = "datediff('day', (ts at time zone 'UTC' + interval 8 hour)::date, ds::date)"
ORDINARY = "user_id in (select user_id from user_truth where not is_robot)"


def counted(sql: duckdb.DuckDBPyConnection, kind: str) -> dict[str, int]:
    rows = sql.execute(
        "select ds, sum(num_rows)::bigint from dirt where kind = ? and place = 'events' group by 1", [kind]
    )
    return dict(rows.fetchall())


def found(sql: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    return dict(sql.execute(f"select ds::varchar, n from ({query}) where n > 0").fetchall())


def test_files_have_exactly_the_declared_columns(small_world: Path) -> None:
    for folder, table in (("events", RAW_EVENTS), ("notes", RAW_NOTES), ("users", RAW_USERS)):
        files = list((small_world / folder).rglob("*.parquet"))
        assert files
        assert all(table.differences(pq.read_schema(file)) == [] for file in files)


def test_there_is_one_folder_a_day(small_world: Path) -> None:
    days = sorted(path.name for path in (small_world / "events").iterdir())
    assert days == [f"ds=2026-01-{day:02d}" for day in range(6, 15)]


def test_duplicates_are_as_many_as_the_truth_says(sql: duckdb.DuckDBPyConnection) -> None:
    query = "select user_id, note_id, event, ts, query, ds, count(*) - 1 as n from events group by all"
    twice = f"select ds, sum(n)::bigint as n from ({query}) group by 1"
    assert found(sql, twice) == counted(sql, "duplicate") != {}


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("unknown_note", "note_id not in (select note_id from notes)"),
        ("future", f"{LATE_DAYS} < 0"),
        ("too_late", f"{LATE_DAYS} > 3"),
        ("late_lawful", f"{LATE_DAYS} between 1 and 3"),
        ("robot", f"not {ORDINARY}"),
    ],
)
def test_dirt_is_as_much_as_the_truth_says(sql: duckdb.DuckDBPyConnection, kind: str, condition: str) -> None:
    query = f"select ds, count(*) as n from events where {condition} group by 1"
    assert found(sql, query) == counted(sql, kind) != {}


def test_robots_are_far_faster_than_people(sql: duckdb.DuckDBPyConnection) -> None:
    rate = (
        "select {}(n) from (select count(*) as n from events "
        "where {} group by user_id, date_trunc('minute', ts))"
    )
    people = sql.execute(rate.format("max", ORDINARY)).fetchone()
    robots = sql.execute(rate.format("min", f"not {ORDINARY}")).fetchone()
    assert people is not None
    assert robots is not None
    assert people[0] <= 60
    assert robots[0] >= 140


def test_nobody_meets_a_note_before_it_exists(sql: duckdb.DuckDBPyConnection) -> None:
    early = (
        "select count(*) from events join notes using (note_id) "
        f"where ts < created_at and {LATE_DAYS} between 0 and 3"
    )
    assert sql.execute(early).fetchone() == (0,)


def test_new_notes_arrive_every_day_and_are_clicked(sql: duckdb.DuckDBPyConnection) -> None:
    new = (
        "select count(distinct (created_at at time zone 'UTC' + interval 8 hour)::date) from notes "
        "where note_id in (select note_id from events where event = 'click') "
        "and created_at >= '2026-01-05 16:00:00'"
    )
    assert sql.execute(new).fetchone() == (9,)


def test_kinds_of_events_come_at_plausible_rates(sql: duckdb.DuckDBPyConnection) -> None:
    rows = sql.execute(f"select event, count(*) from events where {ORDINARY} group by 1").fetchall()
    counts = dict(rows)
    assert 0.2 < counts["click"] / counts["impression"] < 0.5
    assert counts["like"] > counts["collect"] > counts["comment"] > 0
    assert counts["share"] > 0
    searched = sql.execute(
        "select avg((query is not null)::int) from events where event = 'click'"
    ).fetchone()
    assert searched is not None
    assert 0.2 < searched[0] < 0.6


def test_dirt_leaves_every_day_fit_to_be_published(sql: duckdb.DuckDBPyConnection) -> None:
    share = (
        "with bad as (select ds, sum(num_rows) as n from dirt "
        "where kind in ('unknown_note', 'future', 'too_late', 'robot') group by 1) "
        "select max(bad.n / a.n) from bad join "
        "(select ds::varchar as ds, count(*) as n from events group by 1) a using (ds)"
    )
    worst = sql.execute(share).fetchone()
    assert worst is not None
    assert worst[0] < 0.18
