"""Codes of many vectors: every row group of the day's embeddings is a task that reads itself, on Spark or right here.

A task is the path of a Parquet file, the number of a row group and which of its rows are wanted; what comes back is the
codes of those rows, 4 bytes a code. So vectors cross no process, a task holds a few thousand of them at a time, row groups
of which nothing is wanted stay unread, and what a row gets does not depend on who computed it (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.artifact import Artifacts
from jobs.ids.inputs import fused_vectors, pictures_of
from jobs.ids.quantizer import KIND, load_fuse, load_quantizer
from jobs.ids.soundness import NAMED, require_sound, unsound
from jobs.lake import Lake, LakeError
from jobs.session import spark_session
from schemas.tables import NOTE_EMBEDDINGS

if TYPE_CHECKING:
    from jobs.ids.pictures import Pictures
    from models.ids.inputs import Fuse
    from models.ids.tokenizer import Codes, Tokenizer

BATCH_ROWS = 8192  # at 384 dimensions 13 MB
HERE_ROWS = 65_536  # up to so many a job encodes in its own process: a session and its workers would take longer
TASKS = pa.schema([("number", pa.int32()), ("path", pa.string()), ("group", pa.int32()), ("wanted", pa.binary())])
FOUND_DDL = "number int, widths array<int>, codes binary, num_unsound bigint, unsound array<string>"
Wanted = NDArray[np.bool_]


def row_groups_of(lake: Lake, day: str) -> list[tuple[str, int, int]]:
    """Path, number and rows of every row group of the day's embeddings, in the order in which they are read."""
    found = []
    for path in lake.files(NOTE_EMBEDDINGS, day):
        metadata = pq.read_metadata(path)
        found += [(path, number, metadata.row_group(number).num_rows) for number in range(metadata.num_row_groups)]
    return found


def tasks_of(groups: list[tuple[str, int, int]], wanted_N: Wanted) -> pa.Table:
    """The tasks that the wanted rows make, `wanted_N` over all rows of the day in the order of the row groups."""
    rows: list[dict[str, object]] = []
    start = 0
    for path, number, count in groups:
        here = wanted_N[start : start + count]
        if here.any():
            rows.append({"number": len(rows), "path": path, "group": number, "wanted": np.packbits(here).tobytes()})
        start += count
    return pa.Table.from_pylist(rows, schema=TASKS)


def encode(lake: Lake, generation: str, day: str, wanted_N: Wanted) -> Codes:
    """codes_NL of the wanted rows, in the order of the day's rows.

    Raises `LakeError` where vectors are unsound or of another width than the quantizer reads.
    """
    groups = row_groups_of(lake, day)
    tasks = tasks_of(groups, wanted_N)
    tokenizer, fuse = tokenizer_of(str(lake.root), generation), fuse_of(str(lake.root), generation)
    worker = Worker(str(lake.root), generation, pictures_of(lake, day, fuse) if fuse else None)
    if int(wanted_N.sum()) <= HERE_ROWS:
        found = pa.Table.from_batches(list(worker(iter(tasks.to_batches()))))
    else:
        spark = spark_session("assign_ids")
        frame = spark.createDataFrame(tasks).repartitionById(len(tasks), "number")
        found = frame.mapInArrow(worker, FOUND_DDL).toArrow()
    text_dim = fuse.text_dim if fuse else tokenizer.input_dim
    return _checked(found.sort_by("number"), tokenizer.levels, text_dim, generation, day)


def _checked(found: pa.Table, levels: int, text_dim: int, generation: str, day: str) -> Codes:
    widths = sorted({width for seen in found.column("widths").to_pylist() for width in seen})
    if len(widths) > 1:
        raise LakeError(
            f"table note_embeddings ds={day}: vectors of several lengths {widths}; one quantizer reads one length"
        )
    if widths != [text_dim]:
        raise LakeError(
            f"table note_embeddings ds={day}: vectors have {widths[0]} dimensions, quantizer {generation} reads "
            f"{text_dim}: train a quantizer on this day's embeddings"
        )
    named = [note for notes in found.column("unsound").to_pylist() for note in notes]
    require_sound(day, sum(found.column("num_unsound").to_pylist()), named)
    parts = [np.frombuffer(codes.as_buffer(), dtype=np.int32) for codes in found.column("codes")]
    return np.concatenate(parts).reshape(-1, levels)


@cache
def tokenizer_of(root: str, generation: str) -> Tokenizer:
    """The tokenizer of a generation, loaded once a process."""
    import torch

    torch.set_num_threads(1)  # Spark's tasks share the cores
    return load_quantizer(Artifacts(Lake(Path(root)), KIND), generation)


@cache
def fuse_of(root: str, generation: str) -> Fuse | None:
    """The fusion of a generation's inputs, loaded once a process."""
    return load_fuse(Artifacts(Lake(Path(root)), KIND), generation)


class Worker:
    """Carries out tasks in whatever process it finds itself."""

    def __init__(self, root: str, generation: str, pictures: Pictures | None = None) -> None:
        self.root, self.generation, self.pictures = root, generation, pictures

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.to_pylist():
                yield self._done(task["number"], task["path"], task["group"], task["wanted"])

    def _done(self, number: int, path: str, group: int, wanted: bytes) -> pa.RecordBatch:
        tokenizer, fuse = tokenizer_of(self.root, self.generation), fuse_of(self.root, self.generation)
        text_dim = fuse.text_dim if fuse else tokenizer.input_dim
        widths: set[int] = set()
        codes: list[bytes] = []
        wrong: list[str] = []
        for note_ids, vectors_ND in vectors_in(path, group, wanted, widths):
            wrong_N = unsound(vectors_ND)
            wrong += note_ids.filter(pa.array(wrong_N)).to_pylist()
            if widths == {text_dim} and not wrong:
                read_NF = fused_vectors(vectors_ND, note_ids, fuse, self.pictures) if fuse else vectors_ND
                codes.append(tokenizer.encode(read_NF).astype(np.int32).tobytes())
        values = [number, sorted(widths), b"".join(codes), len(wrong), sorted(wrong)[:NAMED]]
        types = [pa.int32(), pa.list_(pa.int32()), pa.binary(), pa.int64(), pa.list_(pa.string())]
        arrays = [pa.array([value], kind) for value, kind in zip(values, types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, ["number", "widths", "codes", "num_unsound", "unsound"])


def vectors_in(path: str, group: int, wanted: bytes, widths: set[int]) -> Iterator[tuple[pa.Array, NDArray[np.float32]]]:
    """The wanted rows of a row group, at most BATCH_ROWS at a time; `widths` collects the lengths of all vectors seen.

    What follows a vector of another length is not given: the caller stops there.
    """
    file = pq.ParquetFile(path)
    mask = np.unpackbits(np.frombuffer(wanted, dtype=np.uint8)).astype(np.bool_)
    start = 0
    for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=["note_id", "embedding"]):
        rows = batch.filter(pa.array(mask[start : start + len(batch)]))
        start += len(batch)
        if not len(rows):
            continue
        lengths = rows.column("embedding").value_lengths().unique().to_pylist()
        widths.update(lengths)
        if len(widths) > 1:
            return
        flat = np.array(rows.column("embedding").flatten().to_numpy(zero_copy_only=False), dtype=np.float32)
        yield rows.column("note_id"), flat.reshape(len(rows), lengths[0])
