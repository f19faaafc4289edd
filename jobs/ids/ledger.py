"""The ledger of a quantizer's generation: every semantic ID it ever gave, append-only.

    <lake>/ledgers/semantic_ids/{generation}/000001.parquet, 000002.parquet, ...

A row, once there, is the note's ID under this generation for good: also when the note's content changes, and whatever
days are made again, in whatever order. The tie-break is the note's rank among the notes with its codes in the order of
the rows here. A file appears whole under a number that only one process can get, so that days made side by side need
no lock: who loses the number reads again what the other gave, and ranks its own notes after them.
"""

from __future__ import annotations

import hashlib
import io
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
from models.ids.health import row_groups

SCHEMA = pa.schema(
    [
        pa.field("note_id", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("codes", pa.list_(pa.int32()), nullable=False),
        pa.field("tie_break", pa.int32(), nullable=False),
        pa.field("since", pa.date32(), nullable=False),
    ]
)


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
        return Entries(pa.concat_tables([SCHEMA.empty_table(), *map(_read, paths)]), len(paths))

    def give(self, note_ids: list[str], content_hashes: list[str], codes_NL: NDArray[np.int32], day: str) -> Entries:
        """Give every note that has none yet an ID of these codes, and return the ledger with them in it."""
        arrivals = _arrivals(note_ids, content_hashes, codes_NL, day)
        while True:
            entries = self.read()
            new = arrivals.filter(entries.places(arrivals.column("note_id")) < 0)
            if not len(new):
                return entries
            ranked = _ranked(entries.rows, new)
            try:
                create_numbered(self._made_folder(), entries.last + 1, "parquet", _as_parquet(ranked))
            except FileExistsError:
                continue  # another run gave IDs since the read: rank after them
            return Entries(pa.concat_tables([entries.rows, ranked]), entries.last + 1)

    def _made_folder(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder


def _arrivals(note_ids: list[str], content_hashes: list[str], codes_NL: NDArray[np.int32], day: str) -> pa.Table:
    """The notes in the order in which one run lets them arrive: by hash, which favours no note for long."""
    hashes = [hashlib.sha256(f"{n}{c}".encode()).digest() for n, c in zip(note_ids, content_hashes, strict=True)]
    order = sorted(range(len(note_ids)), key=hashes.__getitem__)
    columns: dict[str, Any] = {
        "note_id": [note_ids[i] for i in order],
        "content_hash": [content_hashes[i] for i in order],
        "codes": pa.array(list(codes_NL[order]), pa.list_(pa.int32())),
        "tie_break": np.zeros(len(order), dtype=np.int32),
        "since": [date.fromisoformat(day)] * len(order),
    }
    return pa.table(columns, schema=SCHEMA)


def _ranked(old: pa.Table, new: pa.Table) -> pa.Table:
    """`new` with each row's rank among all rows of its codes, the old ones first."""
    codes_NL = codes_matrix(pa.concat_tables([old, new]).column("codes"))
    group_N = row_groups(codes_NL)
    order_N = np.argsort(group_N, kind="stable")
    starts_N = np.searchsorted(group_N[order_N], group_N[order_N])
    rank_N = np.empty(len(group_N), dtype=np.int32)
    rank_N[order_N] = np.arange(len(group_N)) - starts_N
    at = SCHEMA.get_field_index("tie_break")
    return new.set_column(at, SCHEMA.field("tie_break"), pa.array(rank_N[len(old) :], pa.int32()))


def codes_matrix(codes: pa.ChunkedArray) -> NDArray[np.int32]:
    """A column of code lists as codes_NL. Raises `LakeError` where they differ in length."""
    lengths = pc.unique(pc.list_value_length(codes)).to_pylist()
    if len(lengths) != 1:
        raise LakeError(f"semantic IDs of one generation have codes of {len(lengths)} lengths ({lengths}); expected one")
    return np.asarray(pc.list_flatten(codes).to_numpy(), dtype=np.int32).reshape(len(codes), lengths[0])


def _as_parquet(rows: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(rows, content, compression="zstd")
    return content.getvalue()


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path).cast(SCHEMA)
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise LakeError(f"{path} is no whole file of the ledger ({error}): restore it, published IDs are in it") from None
