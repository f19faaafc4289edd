"""The audit of a staged partition: its figures by DuckDB, its promises by Great Expectations.

Two suites (see `schemas/expectations.py`): every row, and one row of figures about the partition. Great Expectations
validates in memory up to `ROWS_IN_MEMORY` and on Spark above; figures are computed out of core at any size.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.lake import Lake
from schemas.expectations import partition_suite, rows_suite
from schemas.table import Metric, Table
from schemas.tables import table

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("notemill")
ROWS_IN_MEMORY = 1_000_000
DUCKDB_MEMORY = "2GB"


@dataclass(frozen=True)
class Check:
    """One promise and what was found."""

    suite: str
    expectation: str
    about: str
    promised: str
    found: str
    holds: bool
    examples: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The broken promise in words."""
        some = f", e.g. {', '.join(self.examples[:3])}" if self.examples else ""
        return f"{self.about} was promised to {self.promised}, but {self.found}{some}"


@dataclass(frozen=True)
class Audit:
    """All checks of one staged partition, the figures behind them, and the metrics there was nothing to compare with."""

    checks: tuple[Check, ...]
    metrics: Mapping[str, float | None]
    skipped: tuple[str, ...] = field(default=())
    compared_with: str | None = None

    @property
    def holds(self) -> bool:
        """Whether every promise holds."""
        return all(check.holds for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The audit as plain data."""
        return {**asdict(self), "holds": self.holds}


def audit(lake: Lake, wanted: Table, day: str, data: Path, record: Mapping[str, Any]) -> Audit:
    """Check the Parquet files under `data`, staged for a table's day, against all that the table promises."""
    previous = lake.last_before(wanted, day)
    is_closed = bool(record["counts"].get("num_closed"))
    metrics = [m for m in wanted.metrics if not (m.is_relative and (is_closed or not previous))]
    metrics = [m for m in metrics if not (m.only_if_open and is_closed)]
    figures = _figures(lake, wanted, day, data, record, previous, metrics)
    looked_at = replace(wanted, may_be_empty=wanted.may_be_empty or is_closed)
    checks = _rows_checks(looked_at, data, int(record["rows"]))
    checks += _partition_checks(metrics, figures)
    skipped = tuple(m.name for m in wanted.metrics if m not in metrics)
    return Audit(tuple(checks), figures, skipped, previous)


def _figures(
    lake: Lake,
    wanted: Table,
    day: str,
    data: Path,
    record: Mapping[str, Any],
    previous: str | None,
    metrics: list[Metric],
) -> dict[str, float | None]:
    import duckdb

    spill = lake.root / "staging" / ".audit"
    with duckdb.connect(config={"memory_limit": DUCKDB_MEMORY, "temp_directory": str(spill)}) as connection:
        connection.execute("set enable_progress_bar = false")
        _view(connection, "this", [str(p) for p in sorted(data.glob("*.parquet"))])
        if previous:
            _view(connection, "previous", lake.files(wanted, previous))
        for name in sorted({name for m in metrics for name in m.reads}):
            _view(connection, name, lake.files(table(name), day))
        counts = {k: int(v) for k, v in dict(record["counts"]).items()}
        if counts:
            connection.execute(
                "create view counts as select " + ", ".join(f'{v} as "{k}"' for k, v in counts.items())
            )
        return {m.name: _figure(connection, m) for m in metrics}


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: list[str]) -> None:
    connection.read_parquet(files, hive_partitioning=False).create_view(name)


def _figure(connection: duckdb.DuckDBPyConnection, metric: Metric) -> float | None:
    row = connection.execute(metric.sql).fetchone()
    return None if row is None or row[0] is None else float(row[0])


def _rows_checks(wanted: Table, data: Path, num_rows: int) -> list[Check]:
    names = [c.name for c in wanted.columns if not c.is_list]
    if num_rows > ROWS_IN_MEMORY:
        from jobs.session import spark_session

        frame: Any = spark_session("audit").read.parquet(str(data)).select(*names)
        return _validated("rows", rows_suite(wanted), frame, on_spark=True)
    import pyarrow.parquet as pq

    frame = pq.read_table(data, columns=names).to_pandas()
    return _validated("rows", rows_suite(wanted), frame)


def _partition_checks(metrics: list[Metric], figures: Mapping[str, float | None]) -> list[Check]:
    import pandas as pd

    row = pd.DataFrame({name: [float("nan") if value is None else value] for name, value in figures.items()})
    checks = _validated("partition", partition_suite(tuple(metrics)), row)
    meanings = {m.name: m.meaning for m in metrics}
    # A figure that cannot be computed is no figure that holds: null passes a range check, so it is refused here.
    return [_with_figure(c, meanings[c.about], figures[c.about]) for c in checks]


def _with_figure(check: Check, meaning: str, figure: float | None) -> Check:
    found = "it could not be computed" if figure is None else f"it is {figure:g}"
    values = asdict(check) | {"found": found, "holds": check.holds and figure is not None, "examples": ()}
    return Check(**{**values, "about": f"{check.about} ({meaning})"})


def _validated(
    suite_name: str, suite: list[dict[str, Any]], frame: Any, on_spark: bool = False
) -> list[Check]:
    import great_expectations as gx

    context = _context()
    sources = context.data_sources
    source = sources.add_spark("staged", persist=False) if on_spark else sources.add_pandas("staged")
    batch = source.add_dataframe_asset(suite_name).add_batch_definition_whole_dataframe("all")
    found = batch.get_batch({"dataframe": frame}).validate(
        gx.ExpectationSuite(name=suite_name, expectations=suite), result_format="SUMMARY"
    )
    return [_check(suite_name, result.to_json_dict()) for result in found.results]


def _context() -> Any:
    """A context that lives in memory only: by default it would leave a folder for Data Docs behind each time."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = gx.get_context(
        project_config=DataContextConfig(store_backend_defaults=stores), mode="ephemeral"
    )
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}  # type: ignore[assignment]
    return context


def _check(suite: str, result: Mapping[str, Any]) -> Check:
    config, detail = result["expectation_config"], result.get("result") or {}
    kwargs = {k: v for k, v in config["kwargs"].items() if k != "batch_id" and v is not None}
    about = kwargs.pop("column", None) or ", ".join(kwargs.pop("column_list", ["the table"]))
    raised = [e["exception_message"] for e in _exceptions(result.get("exception_info") or {})]
    unexpected = detail.get("unexpected_count")
    found = f"{unexpected:,} of {detail['element_count']:,} rows break it" if unexpected is not None else ""
    return Check(
        suite,
        config["type"],
        str(about),
        _promise(config["type"], kwargs),
        "; ".join(raised) or found or f"it is {detail.get('observed_value')}",
        bool(result["success"]),
        tuple(str(v)[:80] for v in detail.get("partial_unexpected_list", [])[:5]),
    )


def _exceptions(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = [info] if "raised_exception" in info else list(info.values())
    return [entry for entry in entries if entry.get("raised_exception")]


def _promise(kind: str, kwargs: Mapping[str, Any]) -> str:
    """The expectation in words: `be at most 0.2`, `match ^[0-9a-f]{64}$`, `be unique`."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None or high is not None:
        rows = " rows" if kind == "expect_table_row_count_to_be_between" else ""
        return f"{'have' if rows else 'be'} {_range(low, high)}{rows}"
    if "value_set" in kwargs:
        return f"be one of {', '.join(kwargs['value_set'])}"
    if "regex" in kwargs:
        return f"match {kwargs['regex']}"
    return (
        kind.removeprefix("expect_")
        .removeprefix("column_values_to_")
        .removeprefix("compound_columns_to_")
        .replace("_", " ")
    )


def _range(low: float | None, high: float | None) -> str:
    if low == high:
        return f"{low:g}"
    if low is None or high is None:
        return f"at least {low:g}" if high is None else f"at most {high:g}"
    return f"from {low:g} to {high:g}"
