"""Vectors of the day's pictures by note, read in bounded pieces, and the encoder that they are bound to."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.ids.vectors import Vectors
from jobs.lake import Lake, LakeError
from schemas.tables import PICTURE_EMBEDDINGS

if TYPE_CHECKING:
    from models.ids.inputs import Block

log = logging.getLogger("notemill")


class Span(NamedTuple):
    """A row group with rows, and the first and the last note in it."""

    path: str
    group: int
    first: str
    last: str


class Pictures:
    """What `of` is asked is read then: one row group of every file is held, of 512 numbers a picture 134 MB.

    Made of paths alone, so that it can be sent to a worker. Notes asked for in the order of the tables' files, as the
    text vectors are read, have a row group read once for every file of text vectors.
    """

    def __init__(self, files: Sequence[str], day: str) -> None:
        self.files, self.day = list(files), day
        self._spans: list[Span] | None = None
        self._held: dict[str, tuple[int, pa.Table]] = {}
        self._width = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Pictures, (self.files, self.day)

    def of(self, note_ids: pa.Array) -> Block | None:
        """The vectors of these notes' pictures and who has one; None where the table has no rows at all.

        Raises `LakeError` where vectors differ in length.
        """
        from models.ids.inputs import Block

        spans = self._found_spans()
        if not spans:
            return None
        self._width = self._width or self._matrix(spans[0]).shape[1]
        block = Block(np.zeros((len(note_ids), self._width), np.float32), np.zeros(len(note_ids), np.bool_))
        lowest, highest = pc.min(note_ids).as_py() or "", pc.max(note_ids).as_py() or ""
        for span in spans:
            if span.first <= highest and span.last >= lowest:
                self._fill(block, note_ids, span)
        return block

    def _fill(self, block: Block, note_ids: pa.Array, span: Span) -> None:
        here = self._rows(span).column("note_id").combine_chunks()
        at_N = np.asarray(pc.fill_null(pc.index_in(note_ids, value_set=here), -1))
        if (at_N >= 0).any():
            block.vectors_NP[at_N >= 0] = self._matrix(span)[at_N[at_N >= 0]]
            block.has_N[at_N >= 0] = True

    def _matrix(self, span: Span) -> Vectors:
        column = self._rows(span).column("embedding").combine_chunks()
        widths = sorted({*pc.unique(column.value_lengths()).to_pylist(), *([self._width] if self._width else [])})
        if len(widths) != 1:
            raise LakeError(f"table picture_embeddings ds={self.day}: vectors of several lengths {widths}, one was due")
        flat: Any = column.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat, dtype=np.float32).reshape(len(column), widths[0])

    def _found_spans(self) -> list[Span]:
        if self._spans is None:
            self._spans = [span for path in self.files for span in _spans(path)]
        return self._spans

    def _rows(self, span: Span) -> pa.Table:
        held = self._held.get(span.path)
        if held is None or held[0] != span.group:
            columns = ["note_id", "embedding"]
            held = span.group, pq.ParquetFile(span.path).read_row_group(span.group, columns=columns)
            self._held[span.path] = held
        return held[1]


def _spans(path: str) -> Iterator[Span]:
    metadata = pq.read_metadata(path)
    for number in range(metadata.num_row_groups):
        told = metadata.row_group(number).column(0).statistics  # of note_id, the first column
        known = told is not None and told.has_min_max
        if metadata.row_group(number).num_rows:
            yield Span(path, number, told.min if known else "", told.max if known else "\U0010ffff")


def picture_encoders(lake: Lake, day: str) -> list[str]:
    """The encoders of the day's pictures, one or none: what a quantizer that reads pictures is bound to."""
    files = lake.files(PICTURE_EMBEDDINGS, day)
    return sorted(pq.read_table(files, columns=["encoder"]).column("encoder").unique().to_pylist())


def require_picture_encoder(lake: Lake, day: str, generation: str, trained: Sequence[str]) -> None:
    """Raise `LakeError` where the day's pictures come from another encoder than the generation was trained on.

    A day without any vector of a picture passes, with a warning: what its pictures would say is predicted from texts.
    """
    found = picture_encoders(lake, day)
    if set(found) - set(trained):
        raise LakeError(
            f"table picture_embeddings ds={day} holds vectors of {', '.join(found)}, but quantizer {generation} was trained "
            f"on those of {', '.join(trained) or 'no encoder'}: train a quantizer on this day (train_quantizer --promote "
            f"--day {day}), or set image_encoder back"
        )
    if not found:
        told = "quantizer %s reads pictures and picture_embeddings ds=%s has none: they are predicted from the texts"
        log.warning(told, generation, day)
