"""What Spark's Python workers do for `build_pairs`: Arrow batches in, Arrow batches out, no Spark in here.

Rows are few and large: arrays travel as binary values, so that the JVM moves bytes and builds no objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.notes.click_lists import TIED, Clicks, Ints, Lists, click_lists, cut, without
from models.notes.pairs import Encoded, Places, encoded, joined, related_notes

Batches = Iterator[pa.RecordBatch]
Work = Callable[[Batches], Batches]

LISTS = "notes binary, lengths binary, num_hot_users bigint, histogram binary"
USERS = "note bigint, num_users bigint"
BLOCKS = "block int, notes binary, lengths binary, num_notes binary"
RELATED = "note bigint, related_note bigint, score double, rank int, num_users bigint"
ROW_BATCH_BYTES = 8 << 20
ENCODED_AT_ONCE = 1_000_000  # places
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


def counting(wanted: Ints) -> Work:
    """Packed lists to the number of users in them for each of the `wanted` notes, in the columns of `USERS`."""

    def users(batches: Batches) -> Batches:
        for batch in batches:
            for packed in batch.column("notes"):
                found = np.frombuffer(packed.as_buffer(), np.int64) & ~TIED
                yield _batch(USERS, np.unique(found[np.isin(found, wanted)], return_counts=True))

    return users


def cutting(blocks: int, dropped: Ints) -> Work:
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
        rows = _unpacked(chain([first], batches), ("notes", "lengths", "num_notes"))
        some = (encoded(lists, block, blocks, high) for lists in _together(rows, ENCODED_AT_ONCE))
        with TemporaryDirectory(dir=os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None) as scratch:
            notes_D, parts = _parts(some, max_places, Path(scratch))
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


def _together(rows: Iterable[Lists], num_places: int) -> Iterator[Lists]:
    """The rows, as many in one as make `num_places`."""
    held: list[Lists] = []
    for row in rows:
        held.append(row)
        if sum(len(lists.notes_P) for lists in held) >= num_places:
            yield Lists(*(np.concatenate(column) for column in zip(*held, strict=True)))
            held = []
    if held:
        yield Lists(*(np.concatenate(column) for column in zip(*held, strict=True)))


def _parts(some: Iterable[Encoded], max_places: int, scratch: Path) -> tuple[Ints, list[Places]]:
    """The block's distinct notes, ascending, and its places: in memory as one, or where too many as parts in files."""
    groups: list[list[Encoded]] = [[]]
    names = (str(number) for number in count())
    for part in some:
        if groups[-1] and sum(len(held.codes_P) for held in groups[-1]) + len(part.codes_P) > max_places:
            groups[-1] = [Encoded(*_on_disk(held, scratch / next(names))) for held in groups[-1]]
            groups.append([])
        groups[-1].append(part)
    notes_D = np.unique(np.concatenate([part.notes_E for group in groups for part in group]))
    if len(groups) == 1:
        return notes_D, [joined(groups.pop(), notes_D)]
    return notes_D, [Places(*_on_disk(joined(group, notes_D), scratch / next(names))) for group in groups]


def _on_disk(arrays: Encoded | Places, folder: Path) -> list[npt.NDArray[Any]]:
    """The arrays as files, mapped: the system may take their memory whenever it needs it."""
    folder.mkdir()
    for name, array in arrays._asdict().items():
        np.save(folder / f"{name}.npy", array)
    return [np.load(folder / f"{name}.npy", mmap_mode="r") for name in arrays._fields]
