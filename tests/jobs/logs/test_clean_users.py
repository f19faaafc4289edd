"""Every raw profile is kept, quarantined with a reason, or cleaned away, and the counts add up; no source is no profile."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.config import ConfigError, load_config
from jobs.lake import LakeError
from jobs.logs.clean_users import main
from jobs.publish_table import publish
from jobs.sources import SourceError
from schemas.recommend_tables import USERS, USERS_QUARANTINE
from schemas.tables import RAW_USERS
from tests.jobs.raw import DAY, write_rows

SAYS_ALL = {"gender": "female", "age_band": "25-34", "marital_status": "married", "has_children": True}
SAYS_NOTHING = dict.fromkeys(SAYS_ALL)


def raw_user(user_id: str | None, **other: Any) -> dict[str, Any]:
    return {"user_id": user_id, **SAYS_ALL, **other}


def _configured(home: Path, users: str = "users: {path: users}") -> list[str]:
    sources = f"sources:\n  events: {{path: events}}\n  notes: {{path: notes}}\n  {users}\n"
    (home / "config.yaml").write_text(f"timezone: UTC\nlake: lake\n{sources}")
    return ["--config", str(home / "config.yaml"), "--day", DAY]


def _published(home: Path, rows: list[dict[str, Any]]) -> tuple[list[dict], list[dict], dict]:
    write_rows(home / "users" / "part-00000.parquet", RAW_USERS, rows)
    main(_configured(home))
    lake = load_config(home / "config.yaml").open_lake()
    manifest = publish(lake, USERS, DAY)
    kept = pq.read_table(lake.files(USERS, DAY)).to_pylist()
    return kept, pq.read_table(lake.files(USERS_QUARANTINE, DAY)).to_pylist(), manifest["counts"]


def test_each_rule_takes_its_rows_and_the_counts_add_up(spark: SparkSession, tmp_path: Path) -> None:
    fine = [raw_user(f"u{i:02d}") for i in range(20)]
    rows = [
        *fine,
        fine[0],
        fine[0],  # the very same row, twice more
        raw_user("u01", gender=" Female"),  # the same profile in other words
        raw_user("twice"),
        raw_user("twice", has_children=False),  # nothing tells which is right
        raw_user(None),
        raw_user(" blank"),
        raw_user("u" * 256),  # just short enough
        raw_user("u" * 257),
    ]
    kept, quarantine, counts = _published(tmp_path, rows)
    assert {r["user_id"] for r in kept} == {*(f"u{i:02d}" for i in range(20)), "u" * 256}
    assert len(kept) == 21
    assert sorted(r["reason"] for r in quarantine) == [
        *["bad_user_id"] * 3,
        *["conflicting_profile"] * 2,
    ]
    assert counts["num_source"] == 29 == len(kept) + len(quarantine) + counts["num_cleaned"]
    assert (counts["num_cleaned"], counts["num_quarantined"]) == (3, 5)
    detail = {r["reason"]: r["detail"] for r in quarantine}["conflicting_profile"]
    assert detail == "user twice: another row says something else of the same user"


def test_a_value_that_says_nothing_is_unknown_and_one_that_fits_nothing_is_counted(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [
        raw_user("all"),
        raw_user("nothing", **SAYS_NOTHING),
        raw_user("silent", gender="未知", age_band=" N/A ", marital_status="", has_children=False),
        raw_user("other", gender="Non-Binary", age_band="25–34", marital_status=" Single\n"),
        raw_user("chinese", gender="女", age_band="60+"),
        raw_user("outside", gender="<a_1>", age_band="twenty five", marital_status="divorced"),
        raw_user("long", gender="x" * 32, age_band="x" * 33),
    ]
    kept, quarantine, counts = _published(tmp_path, rows)
    assert [tuple(r[name] for name in USERS.column_names) for r in kept] == [
        ("all", "female", "25-34", "married", "yes"),
        ("chinese", "女", "60+", "married", "yes"),
        ("long", "x" * 32, "unknown", "married", "yes"),
        ("nothing", "unknown", "unknown", "unknown", "unknown"),
        ("other", "non-binary", "25-34", "single", "yes"),
        ("outside", "unknown", "unknown", "unknown", "yes"),
        ("silent", "unknown", "unknown", "unknown", "no"),
    ]
    assert quarantine == []
    lost = {name: counts[f"num_outside_{name}"] for name in ("gender", "age_band", "marital_status")}
    assert lost == {"gender": 1, "age_band": 2, "marital_status": 1}


def test_a_value_that_does_not_read_sends_its_row_to_the_quarantine(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "users"
    folder.mkdir()
    lines = [f"u{i},female,25-34,married,yes" for i in range(8)]
    (folder / "users.csv").write_text(
        "\n".join(["user_id,gender,age_band,marital_status,has_children", *lines, "u9,female,,,several"])
    )
    main(_configured(tmp_path))
    lake = load_config(tmp_path / "config.yaml").open_lake()
    counts = publish(lake, USERS, DAY)["counts"]
    (row,) = pq.read_table(lake.files(USERS_QUARANTINE, DAY)).to_pylist()
    assert row["reason"] == "unreadable_value"
    assert row["detail"] == "user u9: value of has_children does not read as its type"
    assert "several" in row["record"]
    assert (counts["num_source"], counts["num_unreadable_value"]) == (9, 1)


def test_without_a_source_of_users_nothing_is_known_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="notemill"):
        main(_configured(tmp_path, users=""))
    assert "the configuration names no source of users; every profile is unknown" in caplog.text
    lake = load_config(tmp_path / "config.yaml").open_lake()
    manifest = publish(lake, USERS, DAY)
    assert (manifest["rows"], manifest["counts"]["num_source"]) == (0, 0)
    assert pq.read_table(lake.files(USERS_QUARANTINE, DAY)).num_rows == 0


def test_a_source_that_is_named_must_be_there_and_lie_where_it_may(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="source users: there is no"):
        main(_configured(tmp_path))
    with pytest.raises(ConfigError, match="parameter users_from is '/etc', which lies outside"):
        main([*_configured(tmp_path), "--users-from", "/etc"])


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ([raw_user(f"u{i}") for i in range(3)] + [raw_user("")], "quarantined_share"),  # 1 of 4
        ([raw_user(f"u{i}", age_band=f"{i}") for i in range(31)], "age_bands"),  # years, not bands
        ([raw_user(f"u{i}", gender=f"g{i}") for i in range(21)], "genders"),
    ],
)
def test_a_delivery_that_is_something_else_is_not_published(
    spark: SparkSession, tmp_path: Path, rows: list[dict[str, Any]], broken: str
) -> None:
    with pytest.raises(LakeError, match=f"{broken} .* was promised to be at most"):
        _published(tmp_path, rows)


def test_the_same_day_twice_is_the_same_partition(spark: SparkSession, tmp_path: Path) -> None:
    rows = [raw_user("u1"), raw_user("u2", gender="male"), raw_user("u1", gender="FEMALE")]
    _published(tmp_path, rows)
    lake = load_config(tmp_path / "config.yaml").open_lake()
    first = lake.partition(USERS, DAY)
    (tmp_path / "lake").rename(tmp_path / "before")
    _published(tmp_path, rows)
    assert lake.partition(USERS, DAY) == first
