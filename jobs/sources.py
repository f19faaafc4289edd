"""Raw files of users: found, looked into before any work starts, and read into a Spark frame.

The look-in names the file and the column that is wrong. A Parquet column must have a type that widens to the declared
one. CSV and JSON Lines are read as text and cast value by value: a value that does not cast marks its row, and the
row goes to quarantine. Lists in CSV are JSON arrays or values separated by `|`.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jobs.config import Config, ConfigError, Source
from jobs.lake import LakeError
from jobs.staging import file_hash
from schemas.table import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame, SparkSession

SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_SAMPLED_LINES = 100


class SourceError(LakeError):
    """What is wrong with a raw file: which file, which column, what to do."""


@dataclass(frozen=True)
class Drop:
    """The files of one raw table that a day's job reads."""

    table: Table
    source: Source
    format: str
    files: tuple[Path, ...]

    def hashes(self) -> dict[str, str]:
        """File path inside the source folder to the SHA-256 of its bytes, for a job's plan."""
        return {self.relative(path): file_hash(path) for path in self.files}

    def relative(self, path: Path) -> str:
        """The path as the quarantine and the manifest tell it."""
        return str(path.relative_to(self.source.path)) if path.is_relative_to(self.source.path) else path.name

    def num_rows(self) -> int:
        """Rows in the files, counted apart from the engine that reads them."""
        return sum(_count_rows(self.format, path) for path in self.files)


def find_drop(config: Config, table: Table, name: str, day: str, override: Path | None = None) -> Drop:
    """The files to read for `day`, looked into: of `ds={day}` where the source has day folders, else all.

    A source of notes with day folders is a series of snapshots: the last one up to `day` is read.
    Raises `SourceError` or `ConfigError`.
    """
    source = config.source(name)
    folder = override or source.path
    if not folder.exists():
        raise SourceError(f"source {name}: there is no {folder}")
    days = day_folders(folder)
    if days:
        wanted = [d for d in days if d == day or (name != "events" and d < day)]
        if not wanted:
            raise SourceError(f"source {name}: {folder} has no ds={day} (it has {days[0]} to {days[-1]})")
        folder = folder / f"ds={wanted[-1]}"
    files = sorted(p for p in ([folder] if folder.is_file() else folder.rglob("*")) if p.suffix in SUFFIXES)
    formats = {SUFFIXES[p.suffix] for p in files}
    if not files:
        raise SourceError(f"source {name}: {folder} is empty: no .parquet, .csv or .jsonl file lies there")
    if len(formats) > 1 and source.format is None:
        raise ConfigError(f"source {name}: {folder} mixes {', '.join(sorted(formats))}: set sources.{name}.format")
    chosen = source.format or formats.pop()
    drop = Drop(table, source, chosen, tuple(p for p in files if SUFFIXES[p.suffix] == chosen))
    _look_into(drop, name)
    return drop


def day_folders(folder: Path) -> list[str]:
    """The days of a source that comes in `ds=YYYY-MM-DD` folders, oldest first; none for one that does not."""
    return sorted(p.name[3:] for p in folder.glob("ds=????-??-??") if p.is_dir())


def day_bounds(day: str, zone: str) -> tuple[datetime, datetime]:
    """First instant of the day and of the next one in the time zone, as UTC."""
    first = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
    after = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), ZoneInfo(zone))
    return first.astimezone(timezone.utc), after.astimezone(timezone.utc)


def _look_into(drop: Drop, name: str) -> None:
    problems = [problem for path in drop.files for problem in _problems(drop, path)]
    if problems:
        shown = "\n  ".join(problems[:20])
        raise SourceError(
            f"source {name} cannot be read:\n  {shown}\nMend the files, or map your columns with sources.{name}.columns"
        )


def _problems(drop: Drop, path: Path) -> Iterator[str]:
    if drop.format == "parquet":
        yield from _parquet_problems(drop, path)
        return
    try:
        present = _csv_header(path) if drop.format == "csv" else _json_keys(path)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        yield f"{path}: not readable as {drop.format} ({error})"
        return
    for column in _required(drop.table):
        if raw_name(drop.source, column) not in present:
            yield f"{path}: column {raw_name(drop.source, column)} is missing"


def _parquet_problems(drop: Drop, path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        yield f"{path}: truncated or not Parquet ({str(error).splitlines()[0]}); deliver the file again"
        return
    for column in drop.table.columns:
        raw = raw_name(drop.source, column)
        if raw not in schema.names:
            if not column.nullable:
                yield f"{path}: column {raw} is missing"
        elif not _widens(schema.field(raw).type, column):
            yield f"{path}: column {raw} is {schema.field(raw).type}, but must be {column.type} ({column.meaning})"


def _widens(found: pa.DataType, column: Column) -> bool:
    import pyarrow.types as t

    if column.is_list:
        return bool(t.is_list(found) or t.is_large_list(found)) and _widens_scalar(found.value_type, "string")
    return _widens_scalar(found, column.type)


def _widens_scalar(found: pa.DataType, wanted: str) -> bool:
    import pyarrow.types as t

    if wanted == "timestamp":
        return bool(t.is_timestamp(found))
    if wanted == "boolean":
        return bool(t.is_boolean(found))
    return bool(t.is_string(found) or t.is_large_string(found) or t.is_integer(found) or t.is_null(found))


def _required(table: Table) -> list[Column]:
    return [column for column in table.columns if not column.nullable]


def raw_name(source: Source, column: Column) -> str:
    """What the source calls the column."""
    return source.columns.get(column.name, column.name)


def _csv_header(path: Path) -> set[str]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return set(next(csv.reader(handle), []))


def _json_keys(path: Path) -> set[str]:
    with path.open(encoding="utf-8") as handle:
        lines = list(itertools.islice((line for line in handle if line.strip()), _SAMPLED_LINES))
    return {key for line in lines for key in _object_keys(line)}


def _object_keys(line: str) -> list[str]:
    try:
        value = json.loads(line)
    except ValueError:
        return []  # one broken line is a row for quarantine, not a reason to refuse the file
    return list(value) if isinstance(value, dict) else []


def _count_rows(format_: str, path: Path) -> int:
    if format_ == "parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if format_ == "jsonl":
        with path.open("rb") as raw:
            return sum(1 for line in raw if line.strip())
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as handle:
        return sum(1 for row in csv.reader(handle) if row) - 1


def read_drop(spark: SparkSession, drop: Drop) -> DataFrame:
    """The raw rows, cast to the declared types, with three columns more.

    `_unreadable` names the columns whose value did not cast (null where all did), `_record` is the row as it came, as
    JSON, and `_source` the file it came from.
    """
    from pyspark.sql import functions as F

    raw = _read_raw(spark, drop)
    names = [raw_name(drop.source, c) for c in drop.table.columns]
    present = {c: raw[raw_name(drop.source, c)] for c in drop.table.columns if raw_name(drop.source, c) in raw.columns}
    cast = {c: _cast(present[c], c, drop.format) if c in present else F.lit(None) for c in drop.table.columns}
    failed = [
        F.when(present[c].isNotNull() & cast[c].isNull(), F.lit(raw_name(drop.source, c))) for c in present
    ]
    broken = F.when(F.col("_broken").isNotNull(), F.lit("the line")) if "_broken" in raw.columns else F.lit(None)
    unreadable = F.concat_ws(", ", broken, *failed)
    kept = [name for name in names if name in raw.columns] + ["_broken"] * ("_broken" in raw.columns)
    root = str(drop.source.path.resolve())
    return raw.select(
        *(value.cast(column.type).alias(column.name) for column, value in cast.items()),
        F.when(unreadable != "", unreadable).alias("_unreadable"),
        F.to_json(F.struct(*kept)).alias("_record"),
        F.regexp_replace(F.url_decode(F.replace(F.col("_path"), F.lit("+"), F.lit("%2B"))), f"^.*?\\Q{root}\\E/?", "")
        .alias("_source"),
    )


def _read_raw(spark: SparkSession, drop: Drop) -> DataFrame:
    from pyspark.sql import functions as F

    paths = [str(path.resolve()) for path in drop.files]
    if drop.format == "parquet":
        frame = spark.read.option("mergeSchema", "true").parquet(*paths)
    elif drop.format == "csv":
        reader = spark.read.option("header", "true").option("multiLine", "true").option("escape", '"')
        frame = reader.option("enforceSchema", "false").csv(paths)
    else:
        columns = [f"`{raw_name(drop.source, c)}` {'array<string>' if c.is_list else 'string'}" for c in drop.table.columns]
        schema = ", ".join([*columns, "`_broken` string"])
        frame = spark.read.schema(schema).option("columnNameOfCorruptRecord", "_broken").json(paths)
    return frame.withColumn("_path", F.col("_metadata.file_path"))


def _cast(value: SparkColumn, column: Column, format_: str) -> SparkColumn:
    from pyspark.sql import functions as F

    if format_ == "parquet":
        return value.cast(column.type)
    if column.is_list and format_ == "csv":
        as_json = F.from_json(value, "array<string>")
        apart = F.filter(F.split(value, r"\|"), lambda item: item != "")
        return F.when(value.isNull(), F.array().cast("array<string>")).when(value.startswith("["), as_json).otherwise(apart)
    if column.type == "timestamp":
        return _timestamp(value)
    return value if column.is_list or column.type == "string" else value.try_cast(column.type)


def _timestamp(value: SparkColumn) -> SparkColumn:
    """ISO 8601 text (no offset means UTC), or a whole number of seconds, milliseconds or microseconds since 1970."""
    from pyspark.sql import functions as F

    number = F.when(value.rlike(r"^-?\d{9,17}$"), value).try_cast("bigint")
    digits = F.length(F.abs(number).cast("string"))
    micros = F.when(digits >= 15, number).when(digits >= 12, number * 1000).otherwise(number * 1_000_000)
    return F.when(number.isNotNull(), F.timestamp_micros(micros)).otherwise(value.try_cast("timestamp"))
