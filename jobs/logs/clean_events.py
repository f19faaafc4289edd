"""Clean a day of click logs: every raw row is kept, quarantined with a reason, or cleaned away as an exact duplicate.

The lateness rule: a row belongs to the day it arrives on. One that happened up to `max_lateness_days` earlier is kept
there and marked `is_late`, so that a published day never changes; windows look at `ts`. A source without day folders
is cut by `ts` in the configured time zone, and nothing in it can be late; a row of it whose `ts` does not read belongs to
no day, and is quarantined on each.
"""

from __future__ import annotations

import argparse
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.config import Config, add_run_arguments, optional_path
from jobs.lake import Lake
from jobs.quarantine import refused
from jobs.session import run_job, spark_session
from jobs.sources import Drop, day_bounds, find_drop, read_drop
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from schemas.tables import EVENT_KINDS, EVENTS, EVENTS_QUARANTINE, NOTES, RAW_EVENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READS = ("notes",)
WRITES = ("events", "events_quarantine")
log = logging.getLogger("notemill")

EARLIEST = "1990-01-01"
CLOCK_SKEW = timedelta(hours=1)


def once_each(raw: DataFrame) -> DataFrame:
    """One row per different raw row, with `copies`: how often it came."""
    return raw.groupBy(*RAW_EVENTS.column_names, "_unreadable", "_record").agg(
        F.count("*").alias("copies"), F.min("_source").alias("_source")
    )


def robots(events: DataFrame, *, events_per_minute: int) -> DataFrame:
    """Users with more than `events_per_minute` different events within one minute of the clock."""
    minute = F.date_trunc("minute", "ts")
    timed = events.where(F.col("ts").isNotNull())
    busy = timed.groupBy("user_id", minute.alias("minute")).count().where(F.col("count") > events_per_minute)
    return busy.groupBy("user_id").agg(F.max("count").alias("_rate"))


def judged(
    rows: DataFrame, notes: DataFrame, *, day: tuple[datetime, datetime], lateness: int, rate: int
) -> DataFrame:
    """`rows` with `verdict`: null where the row is kept, else the rule it broke. `day` is first and next instant, UTC."""
    start, end = (F.lit(instant) for instant in day)
    written = notes.select("note_id", F.col("created_at").alias("_created_at"))
    busy = robots(rows, events_per_minute=rate)
    joined = rows.join(written, on="note_id", how="left").join(F.broadcast(busy), on="user_id", how="left")
    verdict = (
        F.when(F.col("_unreadable").isNotNull(), "unreadable_value")
        .when(F.col("user_id").isNull() | ~F.col("user_id").rlike(r"^\S.{0,255}$"), "bad_user_id")
        .when(F.col("note_id").isNull(), "bad_note_id")
        .when(F.col("event").isNull() | ~F.col("event").isin(*EVENT_KINDS), "unknown_event")
        .when(F.col("ts").isNull() | (F.col("ts") < F.lit(EARLIEST).cast("timestamp")), "impossible_time")
        .when(F.col("ts") >= end, "future_time")
        .when(F.col("ts") < start - F.make_dt_interval(days=F.lit(lateness)), "too_late")
        .when(F.col("_created_at").isNull(), "unknown_note")
        .when(F.col("ts") < F.col("_created_at") - F.lit(CLOCK_SKEW), "before_note_was_created")
        .when(F.col("_rate").isNotNull(), "robot")
    )
    return joined.withColumns({"verdict": verdict, "is_late": F.col("ts") < start})


def quarantined(rows: DataFrame) -> DataFrame:
    """The rows that broke a rule, once for each time they came, in the columns of the quarantine."""
    seen = (
        F.when(
            F.col("verdict") == "unreadable_value",
            F.concat(F.lit("value of "), "_unreadable", F.lit(" does not read as its type")),
        )
        .when(
            F.col("verdict") == "robot",
            F.concat(F.lit("user has "), F.col("_rate").cast("string"), F.lit(" events in one minute")),
        )
        .when(
            F.col("verdict") == "unknown_event",
            F.concat(F.lit("event is "), F.coalesce("event", F.lit("null"))),
        )
        .when(
            F.col("verdict") == "unknown_note",
            F.concat(F.lit("no note "), F.col("note_id"), F.lit(" in notes of the day")),
        )
        .otherwise(F.concat(F.lit("ts is "), F.coalesce(F.col("ts").cast("string"), F.lit("null"))))
    )
    return refused(rows, seen)


def counts_of(rows: DataFrame) -> dict[str, int]:
    """How many raw rows met which verdict."""
    found = rows.groupBy("verdict").agg(
        F.sum("copies").alias("n"),
        F.sum(F.col("copies") - 1).alias("extra"),
        F.sum(F.col("is_late").cast("int")).alias("late"),
    )
    by = {r["verdict"]: r for r in found.collect()}
    reasons = {
        f"num_{verdict}": r["n"]
        for verdict, r in sorted(by.items(), key=lambda item: item[0] or "")
        if verdict
    }
    kept = by.get(None)
    return {
        "num_cleaned": kept["extra"] if kept else 0,
        "num_late": kept["late"] if kept else 0,
        "num_quarantined": sum(reasons.values()),
        **reasons,
    }


def stage(config: Config, lake: Lake, plan: Plan, drop: Drop) -> None:
    """Read, judge and stage the day."""
    spark = spark_session("clean_events")
    day = day_bounds(plan.day, config.timezone)
    raw = read_drop(spark, drop)
    num_source = drop.num_rows()
    if drop.is_cut_by_time:
        of_day = raw.where(
            F.coalesce((F.col("ts") >= F.lit(day[0])) & (F.col("ts") < F.lit(day[1])), F.col("ts").isNull())
        )
        raw, num_source = of_day, of_day.count()
    notes = spark.read.parquet(*lake.files(NOTES, plan.day)).select("note_id", "created_at")
    rules = config.ingest
    judgement = judged(
        once_each(raw), notes, day=day, lateness=rules.max_lateness_days, rate=rules.robot_events_per_minute
    )
    with persisted(judgement, plan) as rows:
        counts = {"num_source": num_source, "num_closed": int(drop.is_closed), **counts_of(rows)}
        stage_spark(
            lake, EVENTS_QUARANTINE, plan, quarantined(rows), lambda: counts, counts["num_quarantined"]
        )
        kept = rows.where(F.col("verdict").isNull()).select(*EVENTS.column_names)
        stage_spark(lake, EVENTS, plan, kept, lambda: counts, num_source)
    log.info("events ds=%s: %s", plan.day, ", ".join(f"{k[4:]} {v}" for k, v in counts.items()))


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, and where to read the day's events from instead of the configured source."""
    parser = add_run_arguments(argparse.ArgumentParser("clean_events", description=__doc__))
    parser.add_argument(
        "--events-from", type=optional_path, help="a folder inside the lake or a source, read instead"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    override = args.events_from and config.inside_allowed_roots(args.events_from, "events_from")
    drop = find_drop(config, RAW_EVENTS, "events", args.day, override)
    params = {
        "timezone": config.timezone,
        "lateness": config.ingest.max_lateness_days,
        "rate": config.ingest.robot_events_per_minute,
    }
    plan = Plan(
        "clean_events", args.day, published_reads(lake, [(NOTES, args.day)]), drop.hashes(), params=params
    )
    run_once(lake, plan, (EVENTS_QUARANTINE, EVENTS), lambda: stage(config, lake, plan, drop))


if __name__ == "__main__":
    run_job(main)
