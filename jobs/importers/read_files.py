"""Read the files that importers find, with a clear word where a file or a column is absent."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.importers.raw_folder import ImporterError

if TYPE_CHECKING:
    import pyarrow as pa


def source_file(folder: Path, name: str) -> Path:
    """The file `name` of the folder given as `--from`. Raises `ImporterError` where folder or file is absent."""
    if not folder.is_dir():
        raise ImporterError(f"--from {folder}: there is no such folder")
    path = folder / name
    if not path.is_file():
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:10]) or "nothing"
        raise ImporterError(f"--from {folder}: the file {name} is not there (it holds {found})")
    return path


def parquet_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows of a Parquet file in its order, one tuple each of `columns`. Raises `ImporterError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        require_columns(path, columns, pq.read_schema(path).names)
        table = pq.read_table(path, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise ImporterError(f"{path} is truncated or not Parquet ({str(error).splitlines()[0]})") from None
    return list(zip(*(_values(table.column(name)) for name in columns), strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa
    import pyarrow.types as t

    # pandas writes nanoseconds, which Python's datetime does not have.
    is_nanos = t.is_timestamp(column.type) and column.type.unit == "ns"
    values: list[Any] = (column.cast(pa.timestamp("us", column.type.tz)) if is_nanos else column).to_pylist()
    return values


def jsonl_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file in its order, each with all of `columns`. Raises `ImporterError`."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ImporterError(f"{path}, line {number} is not JSON: {error}") from None
            require_columns(f"{path}, line {number}", columns, row if isinstance(row, dict) else ())
            rows.append(row)
    return rows


def csv_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, in its order. Raises `ImporterError` where a column is absent."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        require_columns(path, columns, reader.fieldnames or ())
        return list(reader)


def require_columns(where: object, wanted: tuple[str, ...], found: Any) -> None:
    """Raises `ImporterError` naming all columns of `wanted` that are not in `found`."""
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ImporterError(
            f"{where}: no column {', '.join(missing)} (it has {', '.join(map(str, found)) or 'none'})"
        )
