"""Write Parquet files whose bytes follow from their rows alone.

Spark's own writer does not: it lists the encodings of a column in the order of a Java hash set, which changes from one JVM
to the next. So rows are handed to Arrow where they are, on the executors, and written there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS_A_GROUP = 65_536  # of vectors of 384 numbers 100 MB


def write_part(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write the batches as one file, whole or not at all; the number of rows. Row groups do not depend on the batches."""
    # Two hosts may write the same part at once (a task taken for lost): each into a file of its own.
    half = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    waiting: list[pa.RecordBatch] = []
    num_waiting = num_rows = 0
    with pq.ParquetWriter(half, schema, compression="zstd") as writer:
        for batch in batches:
            waiting.append(batch)
            num_waiting += len(batch)
            while num_waiting >= ROWS_A_GROUP:
                rows = _table(waiting, schema)
                writer.write_table(rows.slice(0, ROWS_A_GROUP), row_group_size=ROWS_A_GROUP)
                waiting = rows.slice(ROWS_A_GROUP).to_batches()
                num_waiting -= ROWS_A_GROUP
                num_rows += ROWS_A_GROUP
        if num_waiting:
            writer.write_table(_table(waiting, schema), row_group_size=ROWS_A_GROUP)
    half.replace(path)
    return num_rows + num_waiting


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(batches).cast(schema)


def write_parts(frame: DataFrame, folder: Path, schema: pa.Schema) -> None:
    """Write every partition of a frame that has rows as `part-{number}.parquet`, on the executors; they share `folder`.

    A task that is run again, or twice at once, writes the same bytes under the same name.
    """
    frame.mapInArrow(_writer(str(folder), schema), "name string, rows bigint").collect()


def _writer(folder: str, schema: pa.Schema) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        task = TaskContext.get()
        filled = (batch for batch in batches if len(batch))
        first = next(filled, None)
        if task is None or first is None:
            return
        path = Path(folder) / f"part-{task.partitionId():05d}.parquet"
        rows = write_part(path, schema, _chained(first, filled))
        yield pa.RecordBatch.from_pydict({"name": [path.name], "rows": [rows]})

    return write


def _chained(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest
