"""The ledger of a quantizer's generation: every semantic ID it ever gave, append-only.

    <lake>/ledgers/semantic_ids/{generation}/000001.parquet, 000002.parquet, ...

A row, once there, is the note's ID under this generation for good: also when the note's content changes, and whatever
days are made again, in whatever order. The first file holds the IDs that the generation began with. The tie-break is the
note's rank among the notes with its codes in the order of the rows here. A file appears whole under a number that only one
process can get, so that days made side by side need no lock: who loses the number reads again what the other gave, and
places its own notes after them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.artifact import create_numbered
from jobs.lake import Lake, LakeError
from models.ids.places import numbered, ranks

SCHEMA = pa.schema(
    [
        pa.field("note_id", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("codes", pa.list_(pa.int32()), nullable=False),
        pa.field("tie_break", pa.int32(), nullable=False),
        pa.field("since", pa.date32(), nullable=False),
    ]
)
# The content's hash is for people and reports: at ten million notes it is two thirds of the bytes, so it stays on the disk.
READ = pa.schema([field for field in SCHEMA if field.name != "content_hash"])
Codes = NDArray[np.int32]
# The codes of the arriving rows with these numbers, in that order, among published ones.
Placement = Callable[[NDArray[np.int64], Codes], Codes]


@dataclass(frozen=True)
class Arrivals:
    """Notes that may need an ID, in the order in which they arrive, with the codes that the tokenizer gives them.

    Made by `in_order`: rows lie in that order, and so do the numbers of any part of them.
    """

    note_ids: pa.ChunkedArray
    content_hashes: pa.ChunkedArray
    codes_NL: Codes

    @classmethod
    def in_order(
        cls, note_ids: pa.ChunkedArray, content_hashes: pa.ChunkedArray, codes_NL: Codes
    ) -> tuple[Arrivals, NDArray[np.int64]]:
        """The notes by content hash, equal contents by id, in whatever order they are given; and that order."""
        order_N = arrival_order(note_ids, content_hashes)
        taken = pa.array(order_N)
        return cls(note_ids.take(taken), content_hashes.take(taken), codes_NL[order_N]), order_N

    def contents(self) -> NDArray[np.int64]:
        """content_N: the ranks of the content hashes."""
        if not len(self.content_hashes):
            return np.empty(0, dtype=np.int64)
        hashes = self.content_hashes.combine_chunks()
        differs = np.asarray(pc.not_equal(hashes[1:], hashes[:-1]).to_numpy(zero_copy_only=False), dtype=np.int64)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(differs)])


def arrival_order(note_ids: pa.ChunkedArray, content_hashes: pa.ChunkedArray) -> NDArray[np.int64]:
    """The order in which one run lets notes arrive: by the hash of their content, which favours no note for long."""
    keys = pa.table({"content_hash": content_hashes, "note_id": note_ids})
    order = pc.sort_indices(keys, sort_keys=[("content_hash", "ascending"), ("note_id", "ascending")])
    return np.asarray(order.to_numpy(), dtype=np.int64)


@dataclass(frozen=True)
class Entries:
    """The rows read from the ledger, in order of arrival, and the number of the last file among them."""

    rows: pa.Table
    last: int

    def places(self, note_ids: pa.ChunkedArray) -> NDArray[np.int64]:
        """For each note the place of its row, -1 where it has none."""
        found = pc.index_in(note_ids, value_set=self.rows.column("note_id"))
        return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)


@dataclass(frozen=True)
class Ledger:
    """The ledger of one generation in a lake."""

    lake: Lake
    generation: str

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.lake.root / "ledgers" / "semantic_ids" / self.generation

    def read(self) -> Entries:
        """All rows. Raises `LakeError` where a file is missing among the numbers or cannot be read."""
        paths = sorted(self.folder.glob("[0-9]*.parquet"))
        for number, path in enumerate(paths, start=1):
            if path.name != f"{number:06d}.parquet":
                raise LakeError(f"the ledger {self.folder} lacks {number:06d}.parquet: restore it, published IDs are in it")
        return Entries(pa.concat_tables([READ.empty_table(), *map(_read, paths)]), len(paths))

    def begun(self, first: pa.Table | None, day: str) -> Entries:
        """The ledger, begun with the IDs of `first` (note_id, content_hash, codes) where it has no rows yet."""
        entries = self.read()
        if entries.last or first is None or not len(first):
            return entries
        codes_NL = codes_matrix(first.column("codes"))
        arrivals, _ = Arrivals.in_order(first.column("note_id"), first.column("content_hash"), codes_NL)
        try:
            rows = _rows(arrivals, np.arange(len(first)), arrivals.codes_NL, entries.rows, day)
            create_numbered(self._made_folder(), 1, "parquet", _as_parquet(rows))
        except FileExistsError:
            pass  # another run began it, with the same rows
        return self.read()

    def give(self, arrivals: Arrivals, place: Placement, day: str) -> Entries:
        """Give every note that has none yet an ID, and return the ledger with them in it."""
        while True:
            entries = self.read()
            new_R = np.flatnonzero(entries.places(arrivals.note_ids) < 0)
            if not len(new_R):
                return entries
            codes_RL = place(new_R, codes_of(entries.rows))
            rows = _rows(arrivals, new_R, codes_RL, entries.rows, day)
            try:
                create_numbered(self._made_folder(), entries.last + 1, "parquet", _as_parquet(rows))
            except FileExistsError:
                continue  # another run gave IDs since the read: place after them
            return Entries(pa.concat_tables([entries.rows, rows.select(READ.names)]), entries.last + 1)

    def _made_folder(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder


def _rows(arrivals: Arrivals, new_R: NDArray[np.int64], codes_RL: Codes, old: pa.Table, day: str) -> pa.Table:
    """The rows of a new file, each with its rank among all rows of its codes, the old ones first."""
    chosen = pa.array(new_R)
    columns: dict[str, Any] = {
        "note_id": arrivals.note_ids.take(chosen),
        "content_hash": arrivals.content_hashes.take(chosen),
        "codes": lists_of(codes_RL),
        "tie_break": pa.array(_ranks_after(codes_of(old), codes_RL)),
        "since": pa.repeat(pa.scalar(date.fromisoformat(day), pa.date32()), len(chosen)),
    }
    return pa.table(columns).cast(SCHEMA)


def _ranks_after(old_ML: Codes, new_RL: Codes) -> NDArray[np.int32]:
    both = np.concatenate([old_ML, new_RL]) if len(old_ML) else new_RL
    return ranks(numbered(both, int(both.max()) + 1))[len(old_ML) :]


def codes_of(rows: pa.Table) -> Codes:
    """codes_NL of rows of a ledger; without any rows there are no columns either."""
    return codes_matrix(rows.column("codes")) if len(rows) else np.empty((0, 0), dtype=np.int32)


def codes_matrix(codes: pa.ChunkedArray) -> Codes:
    """A column of code lists as codes_NL. Raises `LakeError` where they differ in length."""
    lengths = pc.unique(pc.list_value_length(codes)).to_pylist()
    if len(lengths) != 1:
        raise LakeError(f"semantic IDs of one generation have codes of {len(lengths)} lengths ({lengths}); expected one")
    return np.asarray(pc.list_flatten(codes).to_numpy(), dtype=np.int32).reshape(len(codes), lengths[0])


def lists_of(codes_NL: Codes) -> pa.Array:
    """codes_NL as a column of lists."""
    offsets = np.arange(len(codes_NL) + 1, dtype=np.int32) * np.int32(codes_NL.shape[1])
    flat = pa.array(np.ascontiguousarray(codes_NL, dtype=np.int32).reshape(-1))
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def _as_parquet(rows: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(rows, content, compression="zstd")
    return content.getvalue()


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, columns=READ.names).cast(READ)
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise LakeError(f"{path} is no whole file of the ledger ({error}): restore it, published IDs are in it") from None
