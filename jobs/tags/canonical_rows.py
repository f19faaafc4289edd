"""Rows of `note_tags` by the vocabulary: made canonical, carried over from an earlier day, and turned into postings.

Not in `tag_notes.py`, since what a worker keeps between batches must belong to a module that it can import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from models.tags.canonical import IN_USE, NoteTag, canonical, is_still_canonical
from models.tags.handbook import Page, page_version
from models.tags.prompt import prompt_version
from schemas.tag_tables import NOTE_TAGS, TAG_POSTINGS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEY = ["note_id", "content_hash"]
SAID = [name for name in NOTE_TAGS.column_names if name not in ("unmapped", "vocabulary")]


class Words(NamedTuple):
    """A published vocabulary: its files and the name of its partition."""

    files: tuple[str, ...]
    partition: str


def with_canonical_tags(said: DataFrame, words: Words) -> DataFrame:
    """Rows of `note_tags` from `SAID`, by a vocabulary."""

    def mapped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [_canonical_row(row, words) for row in batch.to_pylist()]
            yield pa.RecordBatch.from_pylist(rows, schema=NOTE_TAGS.arrow_schema())

    return said.select(*SAID).mapInArrow(mapped, NOTE_TAGS.ddl())


def _canonical_row(row: dict[str, Any], words: Words) -> dict[str, Any]:
    tags, unmapped = canonical(_tags_of(row), vocabulary_in(words.files))
    status = "empty" if row["status"] == "ok" and not tags else row["status"]
    lists = {
        "dimensions": [t.dimension for t in tags],
        "tags": [t.tag for t in tags],
        "evidence": [t.evidence for t in tags],
        "confidences": [t.confidence for t in tags],
    }
    return {**row, **lists, "status": status, "unmapped": list(unmapped), "vocabulary": words.partition}


def _tags_of(row: Mapping[str, Any]) -> list[NoteTag]:
    lists = (row[name] for name in ("dimensions", "tags", "evidence", "confidences"))
    return [NoteTag(*each) for each in zip(*lists, strict=True)]


@cache
def vocabulary_in(files: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """The published vocabulary that lies in `files`, read once a process."""
    import pyarrow.parquet as pq

    rows = pq.read_table(list(files), columns=["dimension", "surface", "tag", "status"]).to_pylist()
    return {(r["dimension"], r["surface"]): r["tag"] for r in rows if r["status"] in IN_USE}


def with_pages(notes: DataFrame, pages: Mapping[str, Page]) -> DataFrame:
    """Key and page version of notes."""

    def versions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = pa.array([page_version(pages, path) for path in batch.column("category").to_pylist()], pa.string())
            keys = [batch.column(name) for name in KEY]
            yield pa.RecordBatch.from_arrays([*keys, found], [*KEY, "handbook"])

    wanted = "note_id string, content_hash string, handbook string"
    return notes.select(*KEY, "category").mapInArrow(versions, wanted)


def carried(last: DataFrame, notes: DataFrame, pages: Mapping[str, Page], words: Words) -> DataFrame:
    """What the same student said on an earlier day and would say again: note, prompt and page are as they were, and so is
    what the vocabulary makes of it."""

    def unchanged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [
                {**row, "vocabulary": words.partition}
                for row in batch.to_pylist()
                if is_still_canonical(_tags_of(row), row["unmapped"], vocabulary_in(words.files))
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=NOTE_TAGS.arrow_schema())

    same = last.where("source = 'student'").where(last.prompt == prompt_version())
    same = same.join(with_pages(notes, pages), on=[*KEY, "handbook"], how="left_semi")
    return same.select(*NOTE_TAGS.column_names).mapInArrow(unchanged, NOTE_TAGS.ddl())


def postings(note_tags: DataFrame) -> DataFrame:
    """Rows of `tag_postings`: the notes of every tag, the most certain first."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    num_all = note_tags.select(F.count(F.lit(1)).alias("num_all"))
    zipped = F.arrays_zip("dimensions", "tags", "confidences")
    each = note_tags.select("note_id", F.explode(zipped).alias("t")).select(
        "note_id", F.col("t.dimensions").alias("dimension"), F.col("t.tags").alias("tag"),
        F.col("t.confidences").cast("double").alias("confidence"),
    )  # fmt: skip
    of_tag = Window.partitionBy("dimension", "tag")
    ranked = each.withColumns(
        {
            "num_notes": F.count(F.lit(1)).over(of_tag),
            "rank": F.row_number().over(of_tag.orderBy(F.desc("confidence"), "note_id")),
        }
    ).crossJoin(F.broadcast(num_all))
    weight = F.col("confidence") * F.log1p(F.col("num_all") / F.col("num_notes"))
    return ranked.withColumn("weight", weight).select(*TAG_POSTINGS.column_names)
