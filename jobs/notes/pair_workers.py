"""What Spark's Python workers do for `build_pairs`: Arrow batches in, Arrow batches out, no Spark in here.

Rows are few and large: arrays travel as binary values, so that the JVM moves bytes and builds no objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.notes.click_lists import TIED, Clicks, Lists, click_lists, cut, without
from models.notes.pairs import Places, distinct_notes, places, related_notes

Batches = Iterator[pa.RecordBatch]
Work = Callable[[Batches], Batches]

LISTS = "notes binary, lengths binary, num_hot_users bigint, histogram binary"
USERS = "note bigint, num_users bigint"
BLOCKS = "block int, notes binary, lengths binary, num_notes binary"
RELATED = "note bigint, related_note bigint, score double, rank int, num_users bigint"
ROW_BATCH_BYTES = 8 << 20
_TYPES = {"binary": pa.binary(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64()}


def packing(max_notes: int) -> Work:
    """Clicks by user (user, check, ts, note) to packed lists: one row a batch, in the columns of `LISTS`."""

    def pack(batches: Batches) -> Batches:
        columns = (Clicks(*(c.to_numpy() for c in batch.columns)) for batch in batches if batch.num_rows)
        for lists, num_hot in click_lists(columns, max_notes):
            histogram_N = np.bincount(lists.lengths_U, minlength=max_notes + 1)
            row = (lists.notes_P.tobytes(), lists.lengths_U.tobytes(), num_hot, histogram_N.tobytes())
            yield _batch(LISTS, [[value] for value in row])

    return pack


def counting(wanted: npt.NDArray[np.int64]) -> Work:
    """Packed lists to the number of users in them for each of the `wanted` notes, in the columns of `USERS`."""

    def count(batches: Batches) -> Batches:
        for batch in batches:
            for packed in batch.column("notes"):
                found = np.frombuffer(packed.as_buffer(), np.int64) & ~TIED
                yield _batch(USERS, np.unique(found[np.isin(found, wanted)], return_counts=True))

    return count


def cutting(blocks: int, dropped: npt.NDArray[np.int64]) -> Work:
    """Packed lists to what each block needs of them, without the `dropped` notes, in the columns of `BLOCKS`."""

    def send(batches: Batches) -> Batches:
        for found in _unpacked(batches, ("notes", "lengths", "lengths")):
            lists = without(found, dropped) if len(dropped) else found
            held: list[tuple[Any, ...]] = []
            num_bytes = 0
            for block, part in cut(lists, blocks):
                held.append((block, *(column.tobytes() for column in part)))
                num_bytes += part.notes_P.nbytes
                if num_bytes >= ROW_BATCH_BYTES:
                    yield _batch(BLOCKS, zip(*held, strict=True))
                    held, num_bytes = [], 0
            if held:
                yield _batch(BLOCKS, zip(*held, strict=True))

    return send


def relating(blocks: int, max_places: int, *, low: float, high: float, top: int) -> Work:
    """All rows of one block to its related notes, in the columns of `RELATED`."""

    def relate(batches: Batches) -> Batches:
        batches = (batch for batch in batches if batch.num_rows)
        first = next(batches, None)
        if first is None:
            return
        block = first.column("block")[0].as_py()
        chunks = _chunks(_unpacked(chain([first], batches), ("notes", "lengths", "num_notes")), max_places)
        with TemporaryDirectory(dir=os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None) as scratch:
            notes_D, parts = _parts(chunks, Path(scratch), lambda lists, known: places(lists, block, blocks, high, known))
            for found in related_notes(parts, len(notes_D), low=low, high=high, top=top):
                yield _batch(RELATED, found._replace(a_R=notes_D[found.a_R], b_R=notes_D[found.b_R]))

    return relate


def _batch(ddl: str, columns: Iterable[Any]) -> pa.RecordBatch:
    fields = [pa.field(name, _TYPES[kind]) for name, kind in (column.split() for column in ddl.split(", "))]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _unpacked(batches: Iterable[pa.RecordBatch], names: tuple[str, str, str]) -> Iterator[Lists]:
    kinds = (np.int64, np.int32, np.int32)
    for batch in batches:
        for row in range(batch.num_rows):
            packed = [batch.column(name)[row].as_buffer() for name in names]
            yield Lists(*(np.frombuffer(buffer, kind) for buffer, kind in zip(packed, kinds, strict=True)))


def _chunks(rows: Iterable[Lists], max_places: int) -> Iterator[Lists]:
    """The rows put together, as many as stay within `max_places`."""
    held: list[Lists] = []
    num_places = 0
    for row in rows:
        if held and num_places + len(row.notes_P) > max_places:
            yield Lists(*map(np.concatenate, zip(*held, strict=True)))
            held, num_places = [], 0
        held.append(row)
        num_places += len(row.notes_P)
    yield Lists(*map(np.concatenate, zip(*held, strict=True)))


def _parts(
    chunks: Iterator[Lists], scratch: Path, places_of: Callable[[Lists, npt.NDArray[np.int64] | None], Places]
) -> tuple[npt.NDArray[np.int64], list[Places]]:
    """The block's distinct notes, ascending, and its places: in memory if one chunk holds them, else in files."""
    first = next(chunks)
    second = next(chunks, None)
    if second is None:
        return distinct_notes(first), [places_of(first, None)]
    notes_D = np.zeros(0, np.int64)
    num_chunks = 0
    for chunk in chain([first, second], chunks):
        first = second = chunk  # what is in a file leaves memory
        notes_D = np.union1d(notes_D, distinct_notes(chunk))
        _save(scratch, f"lists-{num_chunks}", chunk)
        num_chunks += 1
    for number in range(num_chunks):
        _save(scratch, f"places-{number}", places_of(Lists(*_load(scratch, f"lists-{number}", Lists)), notes_D))
    return notes_D, [Places(*_load(scratch, f"places-{number}", Places)) for number in range(num_chunks)]


def _save(scratch: Path, name: str, arrays: Lists | Places) -> None:
    for field, array in zip(arrays._fields, arrays, strict=True):
        np.save(scratch / f"{name}-{field}.npy", array)


def _load(scratch: Path, name: str, kind: type[Lists] | type[Places]) -> list[npt.NDArray[Any]]:
    return [np.load(scratch / f"{name}-{field}.npy", mmap_mode="r") for field in kind._fields]
