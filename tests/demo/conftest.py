"""The small world, built once for all tests of this folder, and its tables as DuckDB views."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from demo.build import build
from demo.world import resolve

TRUTH = ("note_truth", "user_truth", "pair_truth", "relevance_truth", "dirt")


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the default world."""
    out = tmp_path_factory.mktemp("demo") / "world"
    build(resolve(seed=7, days=9, end="2026-01-14", notes=500), out)
    return out


@pytest.fixture
def sql(small_world: Path) -> duckdb.DuckDBPyConnection:
    """The small world's tables by name; `events` has the folder's day as `ds`, times are in UTC."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(
        f"create view events as select * from read_parquet('{small_world}/events/*/*.parquet', "
        "hive_partitioning = true, filename = true)"
    )
    for name in ("notes", "users"):
        connection.execute(f"create view {name} as select * from '{small_world}/{name}/*.parquet'")
    for name in TRUTH:
        connection.execute(f"create view {name} as select * from '{small_world}/truth/{name}.parquet'")
    return connection
