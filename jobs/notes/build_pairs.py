"""Build the related notes of every note: whom users clicked next, over the week that ends with the day (NoteLLM 3.2).

Two passes. The first sends each user's clicks to one task, 28 bytes a click, which packs first clicks in order of
time into lists of 8 bytes a click; ids go along once a note and batch. The second sends every block of notes A the
rest of each list from its first A on, and one task a block adds up the pairs (`models/notes/pairs.py`). How many
tasks there are follows from the number of clicks and the exact lengths of the lists, so that what a task holds does
not grow with the input; a user who clicks without end is cut short while read, and a block that outgrows its share,
because of one very popular note, goes to disk and is added up part by part. Spark only moves bytes, which it spills.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from pyspark import StorageLevel
from pyspark.sql import functions as F

from jobs.config import Config, Pairs, add_run_arguments
from jobs.event_days import add_window_arguments, event_days
from jobs.lake import Lake, LakeError, days_before
from jobs.notes.pair_workers import (
    BLOCKS,
    CLICKS,
    LISTS,
    NOTE_IDS,
    RELATED,
    USERS,
    counting,
    cutting,
    naming,
    packing,
    relating,
    spreading,
)
from jobs.session import run_job, spark_session
from jobs.sources import day_bounds
from jobs.staging import Plan, published_reads, run_once, stage_spark
from models.notes.click_lists import num_blocks_for
from schemas.tables import EVENTS, NOTE_PAIRS, NOTES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

READS = ("events", "notes")
WRITES = ("note_pairs",)
log = logging.getLogger("notemill")

PLACES_A_TASK = 16_000_000  # the memory bound: a task of the second pass holds about 25 bytes a place, 0.4 GB
PAIRS_A_TASK = 64_000_000  # bounds the time of a task, and with it what a lost task costs
CLICKS_A_TASK = 2_500_000  # of the first pass: 0.3 GB while they are sorted; a Python task costs a tenth of a second
# Batches between Spark and Python. The first pass sends clicks, counted; with a limit in bytes (any but this one)
# Spark measures the whole batch again after every row, which doubles the cost. The second pass sends few large rows.
BATCH_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
FIRST_PASS = {"spark.sql.execution.arrow.maxRecordsPerBatch": "10000", BATCH_BYTES: str((1 << 31) - 1)}
SECOND_PASS = {BATCH_BYTES: str(32 << 20)}


class NotePairs(NamedTuple):
    """The rows of `note_pairs`, not yet computed, and what was counted and left out."""

    frame: DataFrame
    counts: dict[str, int]


def clicks_between(events: DataFrame, since: datetime, until: datetime) -> DataFrame:
    """The clicks of since <= ts < until."""
    in_window = (F.col("ts") >= F.lit(since)) & (F.col("ts") < F.lit(until))
    return events.where((F.col("event") == "click") & in_window).select("user_id", "note_id", "ts")


@contextmanager
def note_pairs(clicks: DataFrame, settings: Pairs) -> Iterator[NotePairs]:
    """The related notes of every clicked note; the frame is good inside the `with`, which frees what it kept.

    Users of more than `max_clicks_per_user` notes are hot: left out. Notes clicked by more than `hot_note_share` of
    the users left, and by at least `hot_note_min_users`, are hot: they make no pairs, but count in N_u. Of equal
    scores (to 9 decimals) the note with the smaller xxhash64 comes first.
    """
    with ExitStack() as kept:
        kept.enter_context(_settings(clicks.sparkSession, FIRST_PASS))
        lists, counts, histogram_N = _lists_without_collision(clicks, settings.max_clicks_per_user, kept)
        kept.enter_context(_settings(clicks.sparkSession, SECOND_PASS))
        notes = lists.select("ids").mapInArrow(naming, NOTE_IDS)
        hot = _hot_notes(notes, lists, counts["num_users"], settings)
        blocks = num_blocks_for(histogram_N, PLACES_A_TASK * 3 // 4, PAIRS_A_TASK)
        related = related_by_hash(lists, blocks, hot, settings)
        counts = {**counts, "num_hot_notes": len(hot), "num_blocks": blocks}
        yield NotePairs(with_note_ids(related, notes), counts)


@contextmanager
def _settings(spark: SparkSession, values: dict[str, str]) -> Iterator[None]:
    """Have these settings in the session, and put back what was there before."""
    before = {key: spark.conf.get(key) for key in values}
    try:
        for key, value in values.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            spark.conf.set(key, str(old))


def _lists_without_collision(
    clicks: DataFrame, max_notes: int, kept: ExitStack
) -> tuple[DataFrame, dict[str, int], npt.NDArray[np.int64]]:
    """The packed lists under the first salt that gives no two notes one hash: hashes then stand for ids exactly.

    Raises `LakeError` where none does, which hashes of ids that nobody chose to collide will not bring about.
    """
    num_clicks = clicks.count()
    for salt in range(8):
        lists = packed_lists(clicks, salt, max_notes, max(1, -(-num_clicks // CLICKS_A_TASK)))
        lists = lists.persist(StorageLevel.DISK_ONLY)
        kept.callback(lists.unpersist)
        counts, histogram_N = _counted(lists)
        if not counts.pop("num_collisions"):
            return lists, {"num_clicks": num_clicks, **counts}, histogram_N
        log.warning("hashes of two note ids are the same under salt %d: beginning again with the next one", salt)
    raise LakeError("column note_id: ids collide under every salt of their hash; look for ids made to collide")


def note_hash(salt: int) -> Column:
    """63 bits of the note's id; bit 0 is free for `click_lists.TIED`."""
    return F.xxhash64(F.lit(salt), F.col("note_id")).bitwiseAND(F.lit(-2))


def packed_lists(clicks: DataFrame, salt: int, max_notes: int, num_tasks: int) -> DataFrame:
    """Each user's first clicks in order of time, packed, one row a task, in the columns of `LISTS`.

    Users are told apart by two independent hashes, 96 bits: two of a billion users meet with probability 6e-12.
    """
    user = (F.xxhash64("user_id").alias("user"), F.hash("user_id").alias("check"))
    keyed = clicks.select(*user, F.unix_micros("ts").alias("ts"), note_hash(salt).alias("note"), "note_id")
    spread = keyed.mapInArrow(spreading(num_tasks, max_notes), CLICKS).repartitionById(num_tasks, "task")
    return spread.mapInArrow(packing(max_notes), LISTS)


def related_by_hash(lists: DataFrame, blocks: int, hot: list[int], settings: Pairs) -> DataFrame:
    """The related notes of every note, notes as hashes, in the columns of `RELATED`."""
    cut = lists.select("notes", "lengths").mapInArrow(cutting(blocks, np.array(hot, np.int64)), BLOCKS)
    relate = relating(blocks, PLACES_A_TASK, low=settings.low, high=settings.high, top=settings.top)
    return cut.repartitionById(blocks, "block").mapInArrow(relate, RELATED)


def with_note_ids(related: DataFrame, notes: DataFrame) -> DataFrame:
    """The columns of `note_pairs`: ids in place of hashes."""
    left = notes.select("note", "note_id")
    right = notes.select(F.col("note").alias("related_note"), F.col("note_id").alias("related_note_id"))
    named = related.join(left, on="note", how="inner").join(right, on="related_note", how="inner")
    return named.select(*NOTE_PAIRS.column_names)


def _counted(lists: DataFrame) -> tuple[dict[str, int], npt.NDArray[np.int64]]:
    """What the lists hold in all, and how many users have how many notes."""
    rows = lists.select("num_hot_users", "histogram", "num_collisions", "num_notes").collect()
    histogram_N = np.zeros(1, np.int64) + sum(np.frombuffer(row["histogram"], np.int64) for row in rows)
    n = np.arange(len(histogram_N))
    counts = {
        "num_notes": sum(row["num_notes"] for row in rows),
        "num_collisions": sum(row["num_collisions"] for row in rows),
        "num_users": int(histogram_N.sum()),
        "num_hot_users": sum(row["num_hot_users"] for row in rows),
        "num_first_clicks": int((histogram_N * n).sum()),
        "num_ordered_pairs": int((histogram_N * n * (n - 1)).sum()) // 2,
    }
    return counts, histogram_N


def _hot_notes(notes: DataFrame, lists: DataFrame, num_users: int, settings: Pairs) -> list[int]:
    """The hashes of the hot notes. Few notes have clicks enough; only of those are the users counted."""
    at_least = settings.hot_note_min_users
    enough = (F.col("num_clicks") > settings.hot_note_share * num_users) & (F.col("num_clicks") >= at_least)
    wanted = [row["note"] for row in notes.where(enough).select("note").collect()]
    if not wanted:
        return []
    users = lists.select("notes").mapInArrow(counting(np.array(sorted(wanted), np.int64)), USERS)
    hot = F.col("num_users") > settings.hot_note_share * num_users
    total = users.groupBy("note").agg(F.sum("num_users").alias("num_users"))
    return sorted(row["note"] for row in total.where(hot & (F.col("num_users") >= at_least)).collect())


def stage(config: Config, lake: Lake, plan: Plan, days: list[str]) -> None:
    """Read the week, relate its notes and stage them. Clicks on notes that exist no more are not counted."""
    spark = spark_session("build_pairs")
    first = days_before(plan.day, config.pairs.window_days)[0]
    since, until = day_bounds(first, config.timezone)[0], day_bounds(plan.day, config.timezone)[1]
    published = [file for day in days for file in lake.files(EVENTS, day)]
    notes = spark.read.parquet(*lake.files(NOTES, plan.day)).select("note_id")
    clicks = clicks_between(spark.read.parquet(*published), since, until).join(notes, on="note_id", how="left_semi")
    with note_pairs(clicks, config.pairs) as pairs:
        most = min(pairs.counts["num_ordered_pairs"], pairs.counts["num_notes"] * config.pairs.top)
        stage_spark(lake, NOTE_PAIRS, plan, pairs.frame, lambda: pairs.counts, most)
    log.info("note_pairs ds=%s: %s", plan.day, ", ".join(f"{k[4:]} {v}" for k, v in pairs.counts.items()))


def window(config: Config, lake: Lake, day: str, since: str | None, allow_gaps: bool) -> list[str]:
    """The days of the window that are published. Raises `LakeError` as `event_days`."""
    return event_days(config, lake, "build_pairs", day, config.pairs.window_days, since, allow_gaps)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, `--since` and `--allow-gaps`; the window, bounds and caps are `pairs` in the configuration."""
    return add_window_arguments(add_run_arguments(argparse.ArgumentParser("build_pairs", description=__doc__)))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    days = window(config, lake, args.day, args.since, args.allow_gaps)
    reads = published_reads(lake, [(NOTES, args.day), (EVENTS, args.day), *((EVENTS, day) for day in days)])
    plan = Plan("build_pairs", args.day, reads, params={"timezone": config.timezone, **asdict(config.pairs)})
    run_once(lake, plan, (NOTE_PAIRS,), lambda: stage(config, lake, plan, days))


if __name__ == "__main__":
    run_job(main)
