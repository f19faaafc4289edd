"""Recommend notes to every user who was active in the window of days that ends with the day, the best first.

The recommender is the one that was current as of the day. Where none was, the neighbours of a user's history stand in;
users without any history that is left get what most users acted on, which also fills lists that are too short.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.config import Config, add_run_arguments
from jobs.event_days import add_window_arguments, event_days
from jobs.lake import Lake
from jobs.recommend.content_neighbours import content_reads, make_content
from jobs.recommend.engagements import engagements
from jobs.recommend.fallbacks import neighbour_notes, popular_notes
from jobs.recommend.histories import histories, window_bounds
from jobs.recommend.list_workers import Serving, listing
from jobs.recommend.settings import Recommend
from jobs.recommend.speaker import Speaker, require_servable, speaker_of
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from schemas.recommend_tables import PROFILE, RECOMMENDATIONS, SOURCES, UNKNOWN, USERS
from schemas.tables import EVENTS, NOTE_PAIRS, SEMANTIC_IDS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READS = ("events", "semantic_ids", "note_pairs", "users", "note_embeddings")
WRITES = ("recommendations",)
USERS_A_TASK = 2048  # some ten seconds of a core
DECIDING = ("history_days", "history", "beams", "top", "guidance", "content", "exclude_seen")
log = logging.getLogger("notemill")


def plan_of(lake: Lake, day: str, config: Config, days: list[str], speaker: Speaker) -> Plan:
    """All that the day's lists depend on. Raises `LakeError` where a table is not published."""
    wanted = [(SEMANTIC_IDS, day), *((EVENTS, d) for d in days)]
    wanted += [] if speaker.recommender else [(NOTE_PAIRS, day)]
    wanted += [(USERS, day)] if lake.partition(USERS, day) else []
    settings = asdict(config.recommend)
    reads = published_reads(lake, wanted)
    if speaker.recommender:
        reads |= content_reads(lake, day, config.recommend)
    params = {"timezone": config.timezone, **{name: settings[name] for name in DECIDING}}
    return Plan("recommend", day, reads, artifacts=speaker._asdict(), params=params)


def with_profiles(spark: SparkSession, lake: Lake, told: DataFrame, plan: Plan) -> DataFrame:
    """Users with what is known of them; unknown where nothing is."""
    names = [column.name for column in PROFILE]
    if f"{USERS.name}/ds={plan.day}" not in plan.reads:
        return told.select("*", *(F.lit(UNKNOWN).alias(name) for name in names))
    users = spark.read.parquet(*lake.files(USERS, plan.day)).select("user_id", *names)
    return told.join(users, on="user_id", how="left").fillna(UNKNOWN, names)


def with_neighbours(
    spark: SparkSession, lake: Lake, told: DataFrame, ids: DataFrame, settings: Recommend, plan: Plan
) -> DataFrame:
    """Users with the neighbours of their history, where no recommender speaks."""
    if plan.artifacts["recommender"]:
        nothing = "array<struct<place: int, score: double, note_id: string, semantic_id: string>>"
        return told.withColumn("neighbours", F.lit(None).cast(nothing))
    pairs = spark.read.parquet(*lake.files(NOTE_PAIRS, plan.day))
    near = neighbour_notes(told, pairs, ids, limit=settings.top, exclude_seen=settings.exclude_seen)
    return told.join(near, on="user_id", how="left")


def stage(config: Config, lake: Lake, plan: Plan, days: list[str]) -> None:
    """Read the window, make the lists, and stage them."""
    spark, settings = spark_session("recommend"), config.recommend
    files = [file for day in days for file in lake.files(EVENTS, day)]
    events = spark.read.parquet(*files) if files else spark.createDataFrame([], EVENTS.ddl())
    ids = spark.read.parquet(*lake.files(SEMANTIC_IDS, plan.day)).select("note_id", "semantic_id")
    acted = engagements(events, ids, *window_bounds(config, plan.day))
    with persisted(histories(acted, length=settings.history), plan) as told:
        totals = told.agg(F.count("*"), F.coalesce(F.sum("num_withdrawn"), F.lit(0))).first()
        assert totals is not None  # an aggregate without groups is one row
        num_users, num_withdrawn = (int(value) for value in totals)
        popular = popular_notes(acted, ids, 2 * settings.top + settings.history)
        speaker = Speaker(**plan.artifacts)
        content = make_content(lake, plan.day, plan.reads)
        serving = Serving(
            str(lake.root), plan.day, speaker, settings.num_beams, settings.guidance,
            settings.top, settings.exclude_seen, tuple(popular), content, settings.content,
        )  # fmt: skip
        log.info("recommend ds=%s: %d users, by %s", plan.day, num_users, speaker.recommender or "neighbours")
        asked = with_profiles(spark, lake, with_neighbours(spark, lake, told, ids, settings, plan), plan)
        # Who shares a batch follows from the users alone, and with it every last bit.
        num_tasks = -(-max(num_users, 1) // USERS_A_TASK)
        tasks = asked.repartition(num_tasks, "user_id").sortWithinPartitions("user_id")
        started = time.monotonic()
        with persisted(tasks.mapInArrow(listing(serving), RECOMMENDATIONS.ddl()), plan) as rows:
            counts = {"num_active_users": num_users, "num_withdrawn": num_withdrawn, **_by_source(rows)}
            counts |= {
                "num_top": settings.top,
                "num_masked": settings.history if settings.exclude_seen else 0,
            }
            seconds = time.monotonic() - started
            log.info(
                "recommend ds=%s: %s; %.1f s, %.0f users/s",
                plan.day, ", ".join(f"{name[4:]} {count}" for name, count in counts.items()), seconds,
                num_users / max(seconds, 1e-9),
            )  # fmt: skip
            stage_spark(lake, RECOMMENDATIONS, plan, rows, lambda: counts, num_users * settings.top)


def _by_source(rows: DataFrame) -> dict[str, int]:
    """How many users' lists begin with which source."""
    by = {row["source"]: row["count"] for row in rows.where("rank = 1").groupBy("source").count().collect()}
    return {f"num_{source}": int(by.get(source, 0)) for source in SOURCES}


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, `--since` and `--allow-gaps`; how lists are made is `recommend` in the configuration."""
    return add_window_arguments(add_run_arguments(argparse.ArgumentParser("recommend", description=__doc__)))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    require_servable(config.recommend)
    num_days = config.recommend.history_days
    days = event_days(config, lake, "recommend", args.day, num_days, args.since, args.allow_gaps)
    plan = plan_of(lake, args.day, config, days, speaker_of(lake, args.day))
    run_once(lake, plan, (RECOMMENDATIONS,), lambda: stage(config, lake, plan, days))


if __name__ == "__main__":
    run_job(main)
