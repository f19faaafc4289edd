"""Staging: what a job plans to make, whether that is published already, and the one gate every row is written through.

A job states everything its output depends on in a `Plan`. Its fingerprint decides whether a day must be computed
again: a day that was published from the same inputs, artifacts, parameters and code is left as it is.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.lake import Lake, LakeError, canonical_json, write_atomically
from jobs.part_files import write_part, write_parts
from schemas.table import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

log = logging.getLogger("notemill")
ROWS_A_FILE = 2_000_000


@dataclass(frozen=True)
class Plan:
    """All that the output of one job for one day depends on."""

    job: str
    day: str
    reads: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the plan and the code that carries it out."""
        return hashlib.sha256(canonical_json({**asdict(self), "code": code_hash()})).hexdigest()


@cache
def code_hash() -> str:
    """SHA-256 over the sources of jobs, models and schemas: any change of them makes days stale."""
    root = Path(__file__).resolve().parent.parent
    sources = sorted(p for room in ("jobs", "models", "schemas") for p in (root / room).rglob("*.py"))
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def published_reads(lake: Lake, wanted: Iterable[tuple[Table, str]]) -> dict[str, str]:
    """`table/ds=day` to the partition published there, for a plan's `reads`. Raises `LakeError` where one is missing."""
    return {f"{t.name}/ds={day}": lake.manifest(t, day)["partition"] for t, day in wanted}


def run_once(lake: Lake, plan: Plan, tables: Iterable[Table], compute: Callable[[], None]) -> None:
    """Call `compute`, which stages every one of `tables`, unless all are published from this very plan."""
    tables = list(tables)
    if all(_is_published_from(lake, table, plan) for table in tables):
        log.info("%s ds=%s: already published from the same inputs, reused", plan.job, plan.day)
        for table in tables:
            _mark_reused(lake, table, plan)
        return
    for table in tables:
        earlier = lake.partition(table, plan.day)
        if earlier:
            log.info(
                "%s ds=%s is published as %s from other inputs: making a new one",
                table.name,
                plan.day,
                earlier,
            )
    compute()


def _is_published_from(lake: Lake, table: Table, plan: Plan) -> bool:
    published = lake.partition(table, plan.day)
    return published is not None and lake.manifest(table, plan.day)["fingerprint"] == plan.fingerprint


def _mark_reused(lake: Lake, table: Table, plan: Plan) -> None:
    with lake.locked(table, plan.day):
        folder = _fresh_folder(lake, table, plan.day)
        _seal(folder, {"reused": lake.partition(table, plan.day)})


def stage_arrow(
    lake: Lake, table: Table, plan: Plan, rows: pa.Table, counts: Mapping[str, int] | None = None
) -> None:
    """Stage rows held in memory. Raises `LakeError` with all differences where they are not as declared."""
    _require(table, rows.schema)
    schema = table.arrow_schema()
    ordered = rows.cast(schema).sort_by([(name, "ascending") for name in table.order])
    with lake.locked(table, plan.day):
        data = _fresh_folder(lake, table, plan.day) / "data"
        data.mkdir()
        for number in range(max(1, -(-len(ordered) // ROWS_A_FILE))):
            part = ordered.slice(number * ROWS_A_FILE, ROWS_A_FILE)
            write_part(data / f"part-{number:05d}.parquet", schema, part.to_batches())
        _seal(data.parent, _record(table, plan, data, counts))


def stage_spark(
    lake: Lake,
    table: Table,
    plan: Plan,
    rows: DataFrame,
    counts: Callable[[], Mapping[str, int]] | None = None,
    expected_rows: int = 0,
) -> None:
    """Stage a Spark frame; `counts` is asked after the write. Raises `LakeError` as `stage_arrow`.

    Rows are laid into files by the hash of their key, and sorted within a file, so that the bytes do not depend on
    how many executors there were; the number of files follows from `expected_rows`.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import to_arrow_schema

    _require(table, to_arrow_schema(rows.schema))
    num_files = max(1, -(-expected_rows // ROWS_A_FILE))
    placed = rows.select(*table.column_names).repartition(num_files, *(F.col(name) for name in table.order))
    with lake.locked(table, plan.day):
        data = _fresh_folder(lake, table, plan.day) / "data"
        data.mkdir()
        write_parts(placed.sortWithinPartitions(*table.order), data, table.arrow_schema())
        _tidy(data, table)
        _seal(data.parent, _record(table, plan, data, counts() if counts else None))


@contextmanager
def persisted(rows: DataFrame, plan: Plan) -> Iterator[DataFrame]:
    """`rows`, computed once for the several actions of a block.

    Spark finds a cached frame by its plan, in which a file is its path alone, and sessions of one server share the
    cache: the fingerprint in the plan keeps a killed run's rows from being taken for those of files written since.
    """
    from pyspark.sql import functions as F

    frame = rows.where(F.lit(plan.fingerprint).isNotNull()).persist()
    try:
        yield frame
    finally:
        frame.unpersist()


def _tidy(data: Path, table: Table) -> None:
    """Remove what a task that was lost left half written; no rows at all still make one file."""
    for half in data.glob(".*"):
        half.unlink()
    if not any(data.iterdir()):
        write_part(data / "part-00000.parquet", table.arrow_schema(), [])


def _require(table: Table, schema: pa.Schema) -> None:
    differences = table.differences(schema)
    if differences:
        raise LakeError(
            f"table {table.name} is not as declared in schemas/tables.py: " + "; ".join(differences)
        )


def _fresh_folder(lake: Lake, table: Table, day: str) -> Path:
    folder = lake.place("staging", table, day)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _record(table: Table, plan: Plan, data: Path, counts: Mapping[str, int] | None) -> dict[str, Any]:
    import pyarrow.parquet as pq

    files = [
        {
            "name": p.name,
            "rows": pq.read_metadata(p).num_rows,
            "bytes": p.stat().st_size,
            "sha256": file_hash(p),
        }
        for p in sorted(data.glob("*.parquet"))
    ]
    identity = {
        "table": table.folder,
        "fingerprint": plan.fingerprint,
        "files": [[f["rows"], f["sha256"]] for f in files],
    }
    return {
        "table": table.folder,
        "partition": hashlib.sha256(canonical_json(identity)).hexdigest()[:16],
        "rows": sum(f["rows"] for f in files),
        "counts": dict(counts or {}),
        "files": files,
        "fingerprint": plan.fingerprint,
        "code": code_hash(),
        **asdict(plan),
    }


def _seal(folder: Path, record: Mapping[str, Any]) -> None:
    """Written last: a staging folder without it is what a killed job left."""
    write_atomically(folder / "staged.json", canonical_json(record))


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
