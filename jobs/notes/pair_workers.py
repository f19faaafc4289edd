"""What Spark's Python workers do for `build_pairs`: Arrow batches in, Arrow batches out, no Spark in here.

Rows are few and large: arrays travel as binary values, so that the JVM moves bytes and builds no objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.notes.click_lists import (
    TIED,
    Clicks,
    Ints,
    Lists,
    block_of,
    click_lists,
    cut,
    first_clicks,
    place_among,
    without,
)
from models.notes.pairs import Encoded, Places, encoded, joined, related_notes

Batches = Iterator[pa.RecordBatch]
Work = Callable[[Batches], Batches]

CLICKS = "task int, users binary, checks binary, times binary, notes binary, ids binary"
LISTS = (
    "notes binary, lengths binary, num_hot_users bigint, histogram binary, "
    "num_notes bigint, num_collisions bigint, ids binary"
)
USERS = "note bigint, num_users bigint"
NOTE_IDS = "note bigint, note_id string, num_clicks bigint"
BLOCKS = "block int, notes binary, lengths binary, num_notes binary"
RELATED = "note bigint, related_note bigint, score double, rank int, num_users bigint"
ROW_BATCH_BYTES = 8 << 20
CLICKS_AT_ONCE = 500_000
_TYPES = {"binary": pa.binary(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "string": pa.string()}
_NO_IDS = pa.schema([("note", pa.int64()), ("note_id", pa.string()), ("num_clicks", pa.int64())]).empty_table()


def spreading(num_tasks: int, max_notes: int) -> Work:
    """Clicks (user, check, ts, note, note_id) to one row a task, in the columns of `CLICKS`.

    The task follows from the user's hash; the ids of the notes go with them, each to the task of its note's hash.
    """

    def spread(batches: Batches) -> Batches:
        for some in _at_least(batches, CLICKS_AT_ONCE):
            clicks = Clicks(*(column.to_numpy() for column in some.columns[:4]))
            ids = _note_ids(clicks.note_C, some["note_id"].combine_chunks())
            # A user who clicks without end is cut short here already: one task gets all that each batch has of him.
            if np.bincount(clicks.user_C & 0xFFFF).max() > 4 * max_notes + len(clicks.user_C) // 1000:
                clicks, _ = first_clicks(clicks, max_notes + 1)
            order_C, bounds_C = _by_task(block_of(clicks.user_C, num_tasks), num_tasks)
            order_E, bounds_E = _by_task(block_of(ids["note"].to_numpy(), num_tasks), num_tasks)
            columns, ids = [column[order_C] for column in clicks], ids.take(order_E)
            parts = enumerate(zip(pairwise(bounds_C.tolist()), pairwise(bounds_E.tolist()), strict=True))
            rows = [
                (task, *(column[start:end].tobytes() for column in columns), _packed(ids[first:last]))
                for task, ((start, end), (first, last)) in parts
            ]
            yield _batch(CLICKS, zip(*rows, strict=True))

    return spread


def _at_least(batches: Batches, num_rows: int) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.num_rows for part in held) >= num_rows:
            yield pa.Table.from_batches(held)
            held = []
    if sum(part.num_rows for part in held):
        yield pa.Table.from_batches(held)


def _by_task(task_X: npt.NDArray[np.int32], num_tasks: int) -> tuple[Ints, Ints]:
    order_X = np.argsort(task_X.astype(np.min_scalar_type(num_tasks)), kind="stable")  # by radix up to 16 bits
    return order_X, np.searchsorted(task_X[order_X], np.arange(num_tasks + 1))


def packing(max_notes: int) -> Work:
    """All clicks of one task's users to packed lists, in the columns of `LISTS`, and the ids of the task's notes."""

    def pack(batches: Batches) -> Batches:
        ids: list[pa.Table] = []

        def some() -> Iterator[Clicks]:
            for batch in batches:
                for row in range(batch.num_rows):
                    ids.append(_unpacked_ids(batch.column("ids")[row]))
                    names = ("users", "checks", "times", "notes")
                    packed = [batch.column(name)[row].as_buffer() for name in names]
                    users, times, notes = (np.frombuffer(packed[at], np.int64) for at in (0, 2, 3))
                    yield Clicks(users, np.frombuffer(packed[1], np.int32), times, notes)

        lists, num_hot = click_lists(some(), max_notes)
        known = _summed(pa.concat_tables(ids)) if ids else _NO_IDS
        num_collisions = len(known) - pc.count_distinct(known["note"]).as_py()
        histogram_N = np.bincount(lists.lengths_U, minlength=max_notes + 1)
        row = (lists.notes_P.tobytes(), lists.lengths_U.tobytes(), num_hot, histogram_N.tobytes())
        yield _batch(LISTS, [[value] for value in (*row, len(known), num_collisions, _packed(known))])

    return pack


def naming(batches: Batches) -> Batches:
    """Packed ids to rows, in the columns of `NOTE_IDS`."""
    for batch in batches:
        for packed in batch.column("ids"):
            yield from _unpacked_ids(packed).to_batches(max_chunksize=100_000)


def counting(wanted: Ints) -> Work:
    """Packed lists to the number of users in them for each of the `wanted` notes, in the columns of `USERS`."""

    def users(batches: Batches) -> Batches:
        for batch in batches:
            for packed in batch.column("notes"):
                place_P = place_among(np.frombuffer(packed.as_buffer(), np.int64) & ~TIED, wanted)
                yield _batch(USERS, (wanted, np.bincount(place_P[place_P >= 0], minlength=len(wanted))))

    return users


def _note_ids(notes: Ints, ids: pa.Array) -> pa.Table:
    encoded_ids = ids.dictionary_encode()
    codes = encoded_ids.indices.to_numpy()
    note_E = np.empty(len(encoded_ids.dictionary), np.int64)
    note_E[codes] = notes
    num_clicks = np.bincount(codes, minlength=len(note_E))
    return pa.table([note_E, encoded_ids.dictionary, num_clicks], names=_NO_IDS.schema.names).cast(_NO_IDS.schema)


def _summed(ids: pa.Table) -> pa.Table:
    summed = ids.group_by(["note", "note_id"], use_threads=False).aggregate([("num_clicks", "sum")])
    return summed.rename_columns(_NO_IDS.schema.names).cast(_NO_IDS.schema).combine_chunks()


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _unpacked_ids(packed: pa.Scalar) -> pa.Table:
    return pa.ipc.open_stream(packed.as_buffer()).read_all()


def cutting(blocks: int, dropped: Ints) -> Work:
    """Packed lists to what each block needs of them, without the `dropped` notes, in the columns of `BLOCKS`."""

    def send(batches: Batches) -> Batches:
        for found in _unpacked(batches, ("notes", "lengths", "lengths")):
            held: list[tuple[Any, ...]] = []
            num_bytes = 0
            for block, part in cut(without(found, dropped), blocks):
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
        some = (encoded(lists, block, blocks, high) for lists in _together(rows, max_places // 16))
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
