"""Embed the notes of a day: only those whose content or encoder changed are computed, on Spark, a model a worker."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.config import Config, add_run_arguments
from jobs.lake import Lake
from jobs.notes.encoders import Encoder, embed_texts, find_encoder
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from models.notes.text import language, note_text
from schemas.tables import NOTE_EMBEDDINGS, NOTES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READS = ("notes",)
WRITES = ("note_embeddings",)
log = logging.getLogger("notemill")

ROWS_A_CALL = 2048  # sorted by length among themselves, so that little is padded
ROWS_A_TASK = 8192
TEXT_COLUMNS = ("title", "body", "category", "hashtags")
TODO_DDL = "note_id string, content_hash string, encoder string, language string, text string"
Encoders = dict[str, Encoder]


def with_texts(notes: DataFrame, encoders: Encoders) -> DataFrame:
    """`note_id`, `content_hash`, the identity of the encoder that the note's language asks for, and the text."""

    def texts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.to_pylist()
            text = [note_text(*(row[name] for name in TEXT_COLUMNS)) for row in rows]
            spoken = [language(t) for t in text]
            chosen = [encoders.get(s, encoders["default"]).identity for s in spoken]
            arrays = [batch.column("note_id"), batch.column("content_hash"), chosen, spoken, text]
            yield pa.RecordBatch.from_arrays(
                [pa.array(a, pa.string()) for a in arrays], TODO_DDL.replace(" string", "").split(", ")
            )

    return notes.select("note_id", "content_hash", *TEXT_COLUMNS).mapInArrow(texts, TODO_DDL)


def reusable(spark: SparkSession, lake: Lake, day: str) -> DataFrame:
    """Vectors published for the nearest days on both sides: what they say of a content holds on any day."""
    days = lake.days(NOTE_EMBEDDINGS)
    near = [d for d in days if d <= day][-1:] + [d for d in days if d > day][:1]
    files = [path for d in near for path in lake.files(NOTE_EMBEDDINGS, d)]
    read = spark.read.parquet(*files) if files else spark.createDataFrame([], NOTE_EMBEDDINGS.ddl())
    # A content has the same vector on both days, so either of two rows will do.
    return read.dropDuplicates(["note_id", "content_hash", "encoder"])


def embedded(todo: DataFrame, encoders: Encoders) -> DataFrame:
    """The rows of `todo` with their vectors."""
    folders = {encoder.identity: encoder.folder for encoder in encoders.values()}

    def vectors(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from (
                _with_vectors(batch.slice(at, ROWS_A_CALL), folders)
                for at in range(0, len(batch), ROWS_A_CALL)
            )

    return todo.mapInArrow(vectors, NOTE_EMBEDDINGS.ddl())


def _with_vectors(batch: pa.RecordBatch, folders: dict[str, Path]) -> pa.RecordBatch:
    wanted, texts = batch.column("encoder").to_pylist(), batch.column("text").to_pylist()
    vectors: list[list[float] | None] = [None] * len(batch)
    for identity in sorted(set(wanted)):
        members = [i for i, name in enumerate(wanted) if name == identity]
        for i, vector in zip(
            members, embed_texts(folders[identity], [texts[i] for i in members]), strict=True
        ):
            vectors[i] = vector
    columns = [batch.column(name) for name in ("note_id", "content_hash", "encoder")]
    return pa.RecordBatch.from_arrays(
        [*columns, pa.array(vectors, pa.list_(pa.float32()))], NOTE_EMBEDDINGS.column_names
    )


def stage(lake: Lake, plan: Plan, encoders: Encoders) -> None:
    """Find what must be computed, compute it, and stage it with what is reused."""
    spark = spark_session("embed_notes")
    key = ["note_id", "content_hash", "encoder"]
    notes = spark.read.parquet(*lake.files(NOTES, plan.day))
    with persisted(with_texts(notes, encoders), plan) as texts:
        known = reusable(spark, lake, plan.day)
        todo = texts.join(known, on=key, how="left_anti")
        kept = known.join(texts.select(*key), on=key, how="left_semi")
        counts = _counts(texts, kept, encoders)
        log.info(
            "embed_notes ds=%s: %d of %d notes are new or changed",
            plan.day,
            counts["num_computed"],
            counts["num_notes"],
        )
        fresh = embedded(
            todo.repartition(-(-max(counts["num_computed"], 1) // ROWS_A_TASK) + 1, "note_id"), encoders
        )
        rows = kept.select(*NOTE_EMBEDDINGS.column_names).unionByName(fresh)
        stage_spark(lake, NOTE_EMBEDDINGS, plan, rows, lambda: counts, counts["num_notes"])


def _counts(texts: DataFrame, kept: DataFrame, encoders: Encoders) -> dict[str, int]:
    found = texts.groupBy("encoder", "language").count().collect()
    spoken = {(row["encoder"], row["language"]): row["count"] for row in found}
    num_notes = sum(spoken.values())
    unread = _warn_of_unread(spoken, encoders)
    return {"num_notes": num_notes, "num_computed": num_notes - kept.count(), "num_unreadable": unread}


def _warn_of_unread(spoken: dict[tuple[str, str], int], encoders: Encoders) -> int:
    blind = {
        (e.name, lang): count
        for (identity, lang), count in spoken.items()
        for e in encoders.values()
        if e.identity == identity and not e.reads(lang)
    }
    for (name, lang), count in sorted(blind.items()):
        log.warning(
            "embed_notes: %d of %d notes are written in %s, which encoder %s cannot read; their vectors say little. "
            "Name one that can as encoders.%s in the configuration",
            count,
            sum(spoken.values()),
            lang,
            name,
            lang,
        )
    return sum(blind.values())


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("embed_notes", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config: Config = args.config
    lake = config.open_lake()
    encoders = {lang: find_encoder(name, config.home) for lang, name in config.encoders.items()}
    artifacts = {f"encoder {lang}": encoder.identity for lang, encoder in encoders.items()}
    plan = Plan("embed_notes", args.day, published_reads(lake, [(NOTES, args.day)]), artifacts=artifacts)
    run_once(lake, plan, (NOTE_EMBEDDINGS,), lambda: stage(lake, plan, encoders))


if __name__ == "__main__":
    run_job(main)
