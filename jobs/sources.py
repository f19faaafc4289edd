"""Raw files of users: found, looked into before any work starts, and read into a Spark frame.

A Parquet column must have a type that widens to the declared one. CSV and JSON Lines are read as text and cast value by
value: a value that does not cast marks its row, and the row goes to quarantine. Lists in CSV are JSON arrays or values
separated by `|`. Files of one source may differ in their columns' order and types.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jobs.config import Config, ConfigError, Source
from jobs.lake import LakeError
from jobs.source_checks import count_rows, csv_header, problems, raw_name
from jobs.source_values import cast_value
from jobs.staging import file_hash
from schemas.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CLOSED = "_CLOSED"  # in a day's folder with no data: nothing could happen on that day, and nothing is missing
SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class SourceError(LakeError):
    """What is wrong with a raw file: which file, which column, what to do."""


@dataclass(frozen=True)
class Drop:
    """The files of one raw table that a day's job reads."""

    table: Table
    source: Source
    format: str
    files: tuple[Path, ...]
    is_cut_by_time: bool = False
    is_closed: bool = False

    def hashes(self) -> dict[str, str]:
        """File path inside the source folder to the SHA-256 of its bytes, for a job's plan."""
        return (
            {CLOSED: ""} if self.is_closed else {self.relative(path): file_hash(path) for path in self.files}
        )

    @property
    def root(self) -> Path:
        """The folder that paths are told relative to: the source's, or that of the files where they lie elsewhere."""
        inside = self.source.path.is_dir() and all(p.is_relative_to(self.source.path) for p in self.files)
        return self.source.path if inside else self.files[0].parent

    def relative(self, path: Path) -> str:
        """The path as the quarantine and the manifest tell it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else path.name

    def num_rows(self) -> int:
        """Rows in the files, counted apart from the engine that reads them."""
        return sum(count_rows(self.format, path) for path in self.files)


def find_drop(config: Config, table: Table, name: str, day: str, override: Path | None = None) -> Drop:
    """The files to read for `day`, looked into: of `ds={day}` where the source has day folders, else all.

    A source of notes with day folders is a series of snapshots: the last one up to `day` is read. Files and folders
    whose names begin with `_` or `.` are unfinished or somebody's bookkeeping, and passed over.
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
    files = _files_in(folder)
    if days and not files and (folder / CLOSED).is_file():
        return Drop(table, source, "parquet", (), is_closed=True)
    formats = {SUFFIXES[p.suffix] for p in files}
    if not files:
        raise SourceError(f"source {name}: {folder} is empty: no .parquet, .csv or .jsonl file lies there")
    if len(formats) > 1 and source.format is None:
        raise ConfigError(
            f"source {name}: {folder} mixes {', '.join(sorted(formats))}: set sources.{name}.format"
        )
    chosen = source.format or formats.pop()
    drop = Drop(table, source, chosen, tuple(p for p in files if SUFFIXES[p.suffix] == chosen), not days)
    if not drop.files:
        raise SourceError(f"source {name}: {folder} holds no {chosen} file, as sources.{name}.format wants")
    _look_into(drop, name)
    return drop


def _files_in(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder] if folder.suffix in SUFFIXES else []
    found = (p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    return sorted(p for p in found if not any(part[0] in "_." for part in p.relative_to(folder).parts))


def day_folders(folder: Path) -> list[str]:
    """The days of a source that comes in `ds=YYYY-MM-DD` folders, oldest first; none for one that does not."""
    return sorted(p.name[3:] for p in folder.glob("ds=????-??-??") if p.is_dir())


def delivered_days(config: Config, days: list[str]) -> list[str]:
    """Those of `days` that the source of events has rows of, as far as that shows without reading them.

    Day folders tell; so do the statistics of flat Parquet files, from the first day on. Of flat text files nothing is
    known beforehand.
    """
    source = config.source("events")
    folders = set(day_folders(source.path))
    if folders:
        return [day for day in days if day in folders]
    first = _first_instant(source)
    return [day for day in days if first is not None and day_bounds(day, config.timezone)[1] > first]


def _first_instant(source: Source) -> datetime | None:
    import pyarrow.parquet as pq

    found: list[datetime] = []
    for path in source.path.rglob("*.parquet"):
        metadata = pq.read_metadata(path)
        at = metadata.schema.names.index(source.columns.get("ts", "ts"))
        groups = [metadata.row_group(i).column(at).statistics for i in range(metadata.num_row_groups)]
        found += [
            g.min.replace(tzinfo=g.min.tzinfo or UTC) for g in groups if g is not None and g.has_min_max
        ]
    return min(found, default=None)


def day_bounds(day: str, zone: str) -> tuple[datetime, datetime]:
    """First instant of the day and of the next one in the time zone, as UTC."""
    first = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
    after = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), ZoneInfo(zone))
    return first.astimezone(UTC), after.astimezone(UTC)


def _look_into(drop: Drop, name: str) -> None:
    found = [
        problem for path in drop.files for problem in problems(drop.table, drop.source, drop.format, path)
    ]
    if found:
        shown = "\n  ".join(found[:20])
        raise SourceError(
            f"source {name} cannot be read:\n  {shown}\nMend the files, or map your columns with sources.{name}.columns"
        )


def read_drop(spark: SparkSession, drop: Drop) -> DataFrame:
    """The raw rows, cast to the declared types, with three columns more.

    `_unreadable` names the columns whose value did not cast (null where all did), `_record` is the row as it came, as
    JSON, and `_source` the file it came from.
    """
    if drop.is_closed:
        more = "_unreadable string, _record string, _source string"
        return spark.createDataFrame([], f"{drop.table.ddl()}, {more}")
    alike: dict[Hashable, list[Path]] = {}
    for path in drop.files:
        alike.setdefault(_shape(drop, path), []).append(path)
    return reduce(
        lambda one, other: one.unionAll(other), [_read_alike(spark, drop, files) for files in alike.values()]
    )


def _shape(drop: Drop, path: Path) -> Hashable:
    """What files must share to be read in one go: a CSV header, the types of the Parquet columns."""
    if drop.format == "csv":
        return tuple(csv_header(path))
    return tuple(_parquet_types(drop, path).items()) if drop.format == "parquet" else None


def _parquet_types(drop: Drop, path: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    raw = {column.name: raw_name(drop.source, column) for column in drop.table.columns}
    return {name: str(schema.field(found).type) for name, found in raw.items() if found in schema.names}


def _read_alike(spark: SparkSession, drop: Drop, files: list[Path]) -> DataFrame:
    from pyspark.sql import functions as F

    read = {"parquet": _read_parquet, "csv": _read_csv, "jsonl": _read_jsonl}[drop.format]
    raw = read(spark, drop, files)
    present = [column for column in drop.table.columns if column.name in raw.columns]
    cast = {column.name: cast_value(column, drop.format, dict(raw.dtypes)[column.name]) for column in present}
    failed = [
        F.when(F.col(c.name).isNotNull() & cast[c.name].isNull(), F.lit(raw_name(drop.source, c)))
        for c in present
    ]
    unreadable = F.concat_ws(", ", F.when(F.col("_broken").isNotNull(), F.lit("the line")), *failed)
    record = F.struct(*(F.col(c.name).alias(raw_name(drop.source, c)) for c in present), "_broken")
    path = F.url_decode(F.replace(F.col("_path"), F.lit("+"), F.lit("%2B")))
    return raw.select(
        *(cast.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in drop.table.columns),
        F.when(unreadable != "", unreadable).alias("_unreadable"),
        F.to_json(record).alias("_record"),
        F.regexp_replace(path, f"^.*?\\Q{drop.root.resolve()}\\E/?", "").alias("_source"),
    )


def _read_parquet(spark: SparkSession, drop: Drop, files: list[Path]) -> DataFrame:
    from pyspark.sql import functions as F

    spark.conf.set(
        "spark.sql.legacy.parquet.nanosAsLong", "true"
    )  # pandas writes nanoseconds, which Spark has not
    columns = []
    for name, found in _parquet_types(drop, files[0]).items():
        quoted = f"`{drop.source.columns.get(name, name).replace('`', '``')}`"
        as_micros = f"timestamp_micros({quoted} div 1000)" if found.startswith("timestamp[ns") else quoted
        if found != "null":
            columns.append(F.expr(as_micros).alias(name))
    frame = spark.read.parquet(*_literal(files))
    return frame.select(
        *columns, F.lit(None).cast("string").alias("_broken"), F.col("_metadata.file_path").alias("_path")
    )


def _read_csv(spark: SparkSession, drop: Drop, files: list[Path]) -> DataFrame:
    """Columns by their place in the header; a row with more or fewer fields is broken."""
    from pyspark.sql import functions as F

    header = csv_header(files[0])
    schema = ", ".join([*(f"c{place} string" for place in range(len(header))), "_broken string"])
    reader = spark.read.schema(schema).option("columnNameOfCorruptRecord", "_broken").option("header", "true")
    frame = reader.option("multiLine", "true").option("escape", '"').csv(_literal(files))
    names = [(column.name, raw_name(drop.source, column)) for column in drop.table.columns]
    columns = [F.col(f"c{header.index(raw)}").alias(name) for name, raw in names if raw in header]
    return frame.select(*columns, "_broken", F.col("_metadata.file_path").alias("_path"))


def _read_jsonl(spark: SparkSession, drop: Drop, files: list[Path]) -> DataFrame:
    """One object a line; a line that is something else is broken."""
    from pyspark.sql import functions as F
    from pyspark.sql import types as T

    text, texts = T.StringType(), T.ArrayType(T.StringType())
    kinds = {
        raw_name(drop.source, column): texts if column.is_list else text for column in drop.table.columns
    }
    schema = T.StructType([T.StructField(name, kind) for name, kind in {**kinds, "_broken": text}.items()])
    lines = spark.read.option("lineSep", "\n").text(_literal(files))
    line = F.regexp_replace("value", "^\ufeff", "")
    row = F.from_json(line, schema, {"columnNameOfCorruptRecord": "_broken"})
    parsed = lines.where(line.rlike(r"\S")).select(
        row.alias("row"), F.col("_metadata.file_path").alias("_path")
    )
    columns = [F.col("row").getField(raw_name(drop.source, c)).alias(c.name) for c in drop.table.columns]
    return parsed.select(*columns, F.col("row").getField("_broken").alias("_broken"), "_path")


def _literal(files: list[Path]) -> list[str]:
    """Paths for Spark, which would take brackets and stars in a name for a pattern."""
    return [re.sub(r"([\[\]{}*?\\])", r"\\\1", str(path.resolve())) for path in files]
