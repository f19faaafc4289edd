"""A user's history: the notes acted on within a window of days, oldest first, as the IDs of one day tell them apart.

Any event but an impression counts. Order is by time, then note; a note acted on several times in a row counts once. Notes
that have no ID on the day (withdrawn) are dropped first, and counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.config import Config
from jobs.lake import Lake, days_before
from jobs.sources import day_bounds
from schemas.tables import EVENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def window_days(config: Config, lake: Lake, day: str) -> list[str]:
    """The published days of the window that ends with the day."""
    return [d for d in days_before(day, config.recommend.history_days) if lake.partition(EVENTS, d)]


def window_bounds(config: Config, day: str) -> tuple[datetime, datetime]:
    """The first instant of the window and the one after its last."""
    first = days_before(day, config.recommend.history_days)[0]
    return day_bounds(first, config.timezone)[0], day_bounds(day, config.timezone)[1]


def engaged_between(events: DataFrame, since: datetime, until: datetime) -> DataFrame:
    """What users did with notes, impressions aside, of since <= ts < until."""
    in_window = (F.col("ts") >= F.lit(since)) & (F.col("ts") < F.lit(until))
    return events.where((F.col("event") != "impression") & in_window).select("user_id", "note_id", "ts")


def histories(engaged: DataFrame, ids: DataFrame, *, length: int) -> DataFrame:
    """One row a user: `user_id`, `note_ids` and `semantic_ids` of the `length` latest notes, `num_withdrawn` events."""
    known = engaged.join(ids.select("note_id", "semantic_id"), on="note_id", how="left")
    known = known.withColumn("is_known", F.col("semantic_id").isNotNull()).repartition("user_id")
    # Windows sort on the disk where they must: nobody's whole month is held, however long it is.
    before = F.lag("note_id").over(Window.partitionBy("user_id", "is_known").orderBy("ts", "note_id"))
    steps = known.withColumn("is_step", F.col("is_known") & ~before.eqNullSafe(F.col("note_id")))
    latest_first = Window.partitionBy("user_id", "is_step").orderBy(F.desc("ts"), F.desc("note_id"))
    kept = steps.withColumn("age", F.row_number().over(latest_first))
    is_kept = F.col("is_step") & (F.col("age") <= length)
    entry = F.when(is_kept, F.struct((-F.col("age")).alias("at"), "note_id", "semantic_id"))
    told = kept.groupBy("user_id").agg(
        F.sort_array(F.collect_list(entry)).alias("told"),
        F.sum((~F.col("is_known")).cast("bigint")).alias("num_withdrawn"),
    )
    return told.select(
        "user_id",
        F.col("told.note_id").alias("note_ids"),
        F.col("told.semantic_id").alias("semantic_ids"),
        "num_withdrawn",
    )
