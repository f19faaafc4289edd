"""What is declared is whole: every column means something, every promise can be computed."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from schemas.expectations import partition_suite, psi, rows_suite
from schemas.table import Column, Table
from schemas.tables import BY_NAME, NOTES, PUBLISHED, table


def test_every_column_says_what_it_means() -> None:
    assert [c.name for t in BY_NAME.values() for c in t.columns if len(c.meaning) < 5] == []
    assert [c.name for t in BY_NAME.values() for c in t.columns if c.type == "timestamp" and not c.unit] == []


def test_every_key_is_made_of_declared_columns_that_are_never_null() -> None:
    for t in BY_NAME.values():
        by_name = {c.name: c for c in t.columns}
        assert all(name in by_name and not by_name[name].nullable for name in t.key), t.name


@pytest.mark.parametrize("declared", PUBLISHED, ids=lambda t: t.name)
def test_every_metric_is_a_query_that_runs_on_the_declared_columns(declared: Table) -> None:
    connection = duckdb.connect()
    for name in ("this", "previous"):
        connection.register(name, declared.arrow_schema().empty_table())
    connection.execute(
        "create view counts as select 0 as num_source, 0 as num_cleaned, 0 as num_quarantined, "
        "0 as num_engaged_clicks, 0 as num_explained_clicks, "
        "0 as num_pictures, 0 as num_broken, 0 as num_off, "
        "0 as num_active_users, 0 as num_top, 0 as num_masked"
    )
    for metric in declared.metrics:
        for name in metric.reads:
            connection.register(name, table(name).arrow_schema().empty_table())
        assert len(connection.execute(metric.sql).fetchall()) == 1, metric.name


def test_psi_of_a_worked_example() -> None:
    # Yesterday half a, half b; today a quarter a: (.25-.5)ln(.25/.5) + (.75-.5)ln(.75/.5) = .17329 + .10137
    connection = duckdb.connect()
    connection.execute("create view this as select unnest(['a', 'b', 'b', 'b']) as kind")
    connection.execute("create view previous as select unnest(['a', 'b']) as kind")
    (found,) = connection.execute(psi("kind", "kind", 0.25).sql).fetchone()
    assert found == pytest.approx(0.27465, abs=1e-5)


def test_a_suite_holds_a_promise_for_every_restriction_of_a_column() -> None:
    column = Column("score", "double", "a score", between=(0.0, 1.0))
    suite = rows_suite(Table("t", 1, "thing", (column,), key=("score",)))
    assert [e["type"] for e in suite] == [
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_unique",
        "expect_table_row_count_to_be_between",
    ]
    assert partition_suite(NOTES.metrics)[0]["kwargs"] == {
        "column": "rows_unaccounted",
        "min_value": 0,
        "max_value": 0,
    }


def test_an_unknown_table_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"no table is called '../etc'; the tables are events"):
        table("../etc")


def test_differences_name_every_column_that_is_off() -> None:
    schema = pa.schema([("note_id", pa.int64()), ("extra", pa.string())])
    found = NOTES.differences(schema)
    assert "column note_id is int64, declared string" in found
    assert "column extra is not declared" in found
    assert "column title (string) is missing" in found
