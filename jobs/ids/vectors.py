"""The published embeddings of a day, read in bounded pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.lake import Lake, LakeError
from schemas.tables import NOTE_EMBEDDINGS

BATCH_ROWS = 8192
Vectors = NDArray[np.float32]


class Piece(NamedTuple):
    """Some notes with their vectors_ND."""

    note_ids: list[str]
    content_hashes: list[str]
    vectors_ND: Vectors


def embedded_notes(lake: Lake, day: str) -> pa.Table:
    """note_id, content_hash and encoder of all the day's notes, without their vectors."""
    columns = ["note_id", "content_hash", "encoder"]
    return pq.read_table(lake.files(NOTE_EMBEDDINGS, day), columns=columns, read_dictionary=["encoder"])


def vectors_of(lake: Lake, day: str, note_ids: pa.Array | pa.ChunkedArray) -> Iterator[Piece]:
    """The vectors of these notes, at most BATCH_ROWS at a time; row groups that hold none of them stay unread.

    Raises `LakeError` where a vector's length differs from the others'.
    """
    dims: set[int] = set()
    for path in lake.files(NOTE_EMBEDDINGS, day):
        file = pq.ParquetFile(path)
        for number in range(file.num_row_groups):
            ids = file.read_row_group(number, columns=["note_id"]).column("note_id")
            if not pc.any(pc.is_in(ids, value_set=note_ids)).as_py():
                continue
            columns = ["note_id", "content_hash", "embedding"]
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[number], columns=columns):
                wanted = batch.filter(pc.is_in(batch.column("note_id"), value_set=note_ids))
                if len(wanted):
                    yield _piece(wanted, dims, day)


def _piece(batch: pa.RecordBatch, dims: set[int], day: str) -> Piece:
    column = batch.column("embedding")
    dims.update(pc.unique(pc.list_value_length(column)).to_pylist())
    if len(dims) != 1:
        raise LakeError(
            f"table note_embeddings ds={day}: vectors of several lengths {sorted(dims)}; one quantizer reads one length"
        )
    flat: Any = column.flatten().to_numpy(zero_copy_only=False)
    vectors_ND = np.asarray(flat, dtype=np.float32).reshape(len(batch), dims.copy().pop())
    return Piece(batch.column("note_id").to_pylist(), batch.column("content_hash").to_pylist(), vectors_ND)


def sample_ids(notes: pa.Table, count: int) -> pa.Array:
    """At most `count` notes, chosen by hash: the same ones whatever their order, and mostly the same from day to day."""
    ids = notes.column("note_id").to_pylist()
    if len(ids) > count:
        ids = sorted(sorted(ids, key=lambda i: hashlib.sha256(i.encode()).digest())[:count])
    return pa.array(ids, pa.string())
