"""Clean the notes that exist at the end of a day: every raw row is kept, quarantined with a reason, or cleaned away."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.config import Config, add_run_arguments, optional_path
from jobs.lake import Lake
from jobs.quarantine import refused
from jobs.session import run_job, spark_session
from jobs.sources import Drop, day_bounds, find_drop, read_drop
from jobs.staging import Plan, persisted, run_once, stage_spark
from models.notes.pictures import why_broken
from schemas.tables import NOTES, NOTES_QUARANTINE, RAW_NOTES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READS: tuple[str, ...] = ()
WRITES = ("notes", "notes_quarantine")
log = logging.getLogger("notemill")

TEXT_COLUMNS = ("title", "body", "category", "hashtags")
CONTENT_COLUMNS = (*TEXT_COLUMNS, "image_uris")


def with_defaults(raw: DataFrame) -> DataFrame:
    """Missing text becomes empty text, missing lists empty lists; runs of white space become one space."""
    text = {
        name: F.trim(F.regexp_replace(F.coalesce(F.col(name), F.lit("")), r"\s+", " "))
        for name in ("title", "body")
    }
    lists = {
        name: F.filter(
            F.coalesce(F.col(name), F.array().cast("array<string>")), lambda item: F.length(F.trim(item)) > 0
        )
        for name in ("category", "hashtags", "image_uris")
    }
    hashtags = F.transform(lists["hashtags"], lambda tag: F.regexp_replace(F.trim(tag), "^#+|#+$", ""))
    return raw.withColumns({**text, **lists, "hashtags": hashtags})


def judged(raw: DataFrame, *, day_end: datetime, min_characters: int) -> DataFrame:
    """One row per different raw row with `copies` (how often it came) and `verdict`: null where the row is kept.

    A verdict that starts with `cleaned` is lawful and only counted; any other names the rule that the row broke. Of
    several contents under one note_id the one created last is kept.
    """
    alike = raw.groupBy(*RAW_NOTES.column_names, "_unreadable", "_record").agg(
        F.count("*").alias("copies"), F.min("_source").alias("_source")
    )
    letters = F.length(F.regexp_replace(F.concat("title", "body"), r"[^\p{L}\p{N}]", ""))
    rule = (
        F.when(F.col("_unreadable").isNotNull(), "unreadable_value")
        .when(F.col("note_id").isNull() | ~F.col("note_id").rlike(r"^\S.{0,255}$"), "bad_note_id")
        .when(
            F.col("created_at").isNull() | (F.col("created_at") < F.lit("1990-01-01").cast("timestamp")),
            "bad_created_at",
        )
        .when(F.col("created_at") >= F.lit(day_end), "cleaned: created after the day")
        .when(letters < min_characters, "near_empty")
    )
    newest = Window.partitionBy("note_id", rule.isNull()).orderBy(
        F.desc("created_at"), F.sha2("_record", 256)
    )
    return (
        with_defaults(alike)
        .withColumn("rule", rule)
        .withColumn("place", F.row_number().over(newest))
        .withColumn(
            "verdict",
            F.when(F.col("rule").isNull() & (F.col("place") > 1), "conflicting_content").otherwise(
                F.col("rule")
            ),
        )
    )


def quarantined(rows: DataFrame) -> DataFrame:
    """The rows that broke a rule, once for each time they came, in the columns of the quarantine."""
    detail = F.concat_ws(
        "", F.lit("note "), F.coalesce("note_id", F.lit("without id")), F.lit(": "), _what_was_seen()
    )
    return refused(rows, detail)


def _what_was_seen() -> F.Column:
    return (
        F.when(
            F.col("verdict") == "unreadable_value",
            F.concat(F.lit("value of "), "_unreadable", F.lit(" does not read as its type")),
        )
        .when(
            F.col("verdict") == "conflicting_content", F.lit("another content of the same note_id is newer")
        )
        .when(F.col("verdict") == "near_empty", F.lit("title and body hold next to no letters"))
        .otherwise(F.lit("see the record"))
    )


def cleaned_notes(rows: DataFrame, roots: tuple[Path, ...]) -> DataFrame:
    """The notes that are kept, with hashes of their content and the pictures that do not open set apart."""
    kept = rows.where(F.col("verdict").isNull())
    checked = _with_broken_images(kept.select(*RAW_NOTES.column_names), roots)
    text_hash = F.sha2(F.to_json(F.struct(*TEXT_COLUMNS)), 256)
    content_hash = F.sha2(F.to_json(F.struct(*CONTENT_COLUMNS)), 256)
    hashed = checked.withColumns({"content_hash": content_hash, "text_hash": text_hash})
    return hashed.withColumn("num_same_text", F.count("*").over(Window.partitionBy("text_hash")))


def _with_broken_images(notes: DataFrame, roots: tuple[Path, ...]) -> DataFrame:
    folders = tuple(str(root) for root in roots)

    def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            uris = batch.column("image_uris").to_pylist()
            why = [[(uri, why_broken(uri, folders)) for uri in row] for row in uris]
            opens = pa.array(
                [[uri for uri, reason in row if reason is None] for row in why], pa.list_(pa.string())
            )
            broken = pa.array(
                [[f"{uri}: {reason}" for uri, reason in row if reason] for row in why], pa.list_(pa.string())
            )
            at = batch.schema.get_field_index("image_uris")
            yield batch.set_column(at, "image_uris", opens).append_column("broken_images", broken)

    columns = ", ".join(
        f"`{name}` {RAW_NOTES.columns[i].type}" for i, name in enumerate(RAW_NOTES.column_names)
    )
    return notes.mapInArrow(look, f"{columns}, `broken_images` array<string>")


def counts_of(rows: DataFrame) -> dict[str, int]:
    """How many raw rows met which verdict; `num_cleaned` holds exact duplicates too."""
    found = (
        rows.groupBy("verdict")
        .agg(F.sum("copies").alias("n"), F.sum(F.col("copies") - 1).alias("extra"))
        .collect()
    )
    cleaned = sum(r["n"] for r in found if (r["verdict"] or "").startswith("cleaned"))
    duplicates = sum(r["extra"] for r in found if r["verdict"] is None)
    reasons = {
        f"num_{r['verdict']}": r["n"]
        for r in found
        if r["verdict"] and not r["verdict"].startswith("cleaned")
    }
    return {
        "num_cleaned": cleaned + duplicates,
        "num_exact_duplicates": duplicates,
        "num_created_after_the_day": cleaned,
        "num_quarantined": sum(reasons.values()),
        **reasons,
    }


def stage(config: Config, lake: Lake, plan: Plan, drop: Drop) -> None:
    """Read, judge and stage the day."""
    spark = spark_session("clean_notes")
    _, day_end = day_bounds(plan.day, config.timezone)
    raw = read_drop(spark, drop)
    judgement = judged(raw, day_end=day_end, min_characters=config.ingest.min_note_characters)
    with persisted(judgement, plan) as rows:
        counts = {"num_source": drop.num_rows(), **counts_of(rows)}
        stage_spark(
            lake, NOTES_QUARANTINE, plan, quarantined(rows), lambda: counts, counts["num_quarantined"]
        )
        stage_spark(
            lake, NOTES, plan, cleaned_notes(rows, config.image_roots), lambda: counts, counts["num_source"]
        )
    log.info("notes ds=%s: %s", plan.day, ", ".join(f"{k[4:]} {v}" for k, v in counts.items()))


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, and where to read the day's notes from instead of the configured source."""
    parser = add_run_arguments(argparse.ArgumentParser("clean_notes", description=__doc__))
    parser.add_argument(
        "--notes-from", type=optional_path, help="a folder inside the lake or a source, read instead"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    override = args.notes_from and config.inside_allowed_roots(args.notes_from, "notes_from")
    drop = find_drop(config, RAW_NOTES, "notes", args.day, override)
    params = {"timezone": config.timezone, "min_note_characters": config.ingest.min_note_characters}
    plan = Plan("clean_notes", args.day, sources=drop.hashes(), params=params)
    run_once(lake, plan, (NOTES_QUARANTINE, NOTES), lambda: stage(config, lake, plan, drop))


if __name__ == "__main__":
    run_job(main)
