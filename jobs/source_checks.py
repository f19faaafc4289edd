"""Look into raw files before any work starts: can they be read, are the columns there, do the types widen?

A problem is a sentence that names the file and the column. Rows are counted here too, apart from the engine that will
read them, so that an audit can prove that none was lost.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import Source
from schemas.table import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLED_LINES = 100
_LONGEST_FIELD = 2**31 - 1  # of the csv module, whose own limit of 128 KiB is shorter than some notes


def raw_name(source: Source, column: Column) -> str:
    """What the source calls the column."""
    return source.columns.get(column.name, column.name)


def problems(table: Table, source: Source, format_: str, path: Path) -> Iterator[str]:
    """All that keeps a file from being read as the declared table."""
    if format_ == "parquet":
        yield from _parquet_problems(table, source, path)
        return
    try:
        present = csv_header(path) if format_ == "csv" else _json_keys(path)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        yield f"{path}: not readable as {format_} in UTF-8 ({error})"
        return
    if not present:
        yield f"{path}: {'it is empty, without even a header' if format_ == 'csv' else 'no line holds a JSON object'}"
        return
    for column in table.columns:
        raw = raw_name(source, column)
        if raw not in present and not column.nullable:
            yield f"{path}: column {raw} is missing"
        if present.count(raw) > 1:
            yield f"{path}: column {raw} stands {present.count(raw)} times in the header"


def _parquet_problems(table: Table, source: Source, path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        yield f"{path}: truncated or not Parquet ({str(error).splitlines()[0]}); deliver the file again"
        return
    for column in table.columns:
        raw = raw_name(source, column)
        if raw not in schema.names:
            if not column.nullable:
                yield f"{path}: column {raw} is missing"
        elif not _widens(schema.field(raw).type, column):
            yield f"{path}: column {raw} is {schema.field(raw).type}, but must be {column.type} ({column.meaning})"


def _widens(found: pa.DataType, column: Column) -> bool:
    import pyarrow.types as t

    if column.is_list and not t.is_null(found):
        return bool(t.is_list(found) or t.is_large_list(found)) and _widens_scalar(found.value_type, "string")
    return _widens_scalar(found, column.type)


def _widens_scalar(found: pa.DataType, wanted: str) -> bool:
    import pyarrow.types as t

    if t.is_dictionary(found):
        return _widens_scalar(found.value_type, wanted)
    if t.is_null(found):
        return True
    if wanted == "timestamp":
        return bool(t.is_timestamp(found) or t.is_integer(found))
    if wanted == "boolean":
        return bool(t.is_boolean(found))
    return bool(t.is_string(found) or t.is_large_string(found) or t.is_integer(found))


def csv_header(path: Path) -> list[str]:
    """The names in the first line."""
    csv.field_size_limit(_LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return next(csv.reader(handle), [])


def _json_keys(path: Path) -> list[str]:
    """The keys that the first lines hold, each once."""
    with path.open(encoding="utf-8-sig") as handle:
        lines = list(itertools.islice((line for line in handle if line.strip()), _SAMPLED_LINES))
    return list(dict.fromkeys(key for line in lines for key in _object_keys(line)))


def _object_keys(line: str) -> list[str]:
    try:
        value = json.loads(line)
    except ValueError:
        return []  # one broken line is a row for quarantine, not a reason to refuse the file
    return list(value) if isinstance(value, dict) else []


def count_rows(format_: str, path: Path) -> int:
    """Rows of a file; blank lines are none."""
    if format_ == "parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if format_ == "jsonl":
        with path.open("rb") as raw:
            return sum(1 for line in raw if line.removeprefix(b"\xef\xbb\xbf").strip())
    csv.field_size_limit(_LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as handle:
        return sum(1 for row in csv.reader(handle) if row) - 1
