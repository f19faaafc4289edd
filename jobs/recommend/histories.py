"""The histories that recommendations are made from: of every active user of a window of days the latest notes.

What a step is, and in which order, is that of `engagements.py`: the same that the recommender learned from.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.config import Config
from jobs.lake import days_before
from jobs.recommend.engagements import sequences
from jobs.sources import day_bounds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def window_bounds(config: Config, day: str) -> tuple[datetime, datetime]:
    """The first instant of the window and the one after its last."""
    first = days_before(day, config.recommend.history_days)[0]
    return day_bounds(first, config.timezone)[0], day_bounds(day, config.timezone)[1]


def histories(acted: DataFrame, *, length: int) -> DataFrame:
    """One row a user: `user_id`, `note_ids` and `semantic_ids` of the `length` latest steps, oldest first, and
    `num_withdrawn`: what was done with notes that have no ID on the day. `acted` is of `engagements.engagements`.
    """
    is_known = F.col("semantic_id").isNotNull()
    steps = sequences(acted.where(is_known), last=length)
    told = F.sort_array(F.collect_list(F.struct("position", "note_id", "semantic_id"))).alias("told")
    users = acted.groupBy("user_id").agg(F.sum((~is_known).cast("bigint")).alias("num_withdrawn"))
    joined = users.join(steps.groupBy("user_id").agg(told), on="user_id", how="left")
    none = F.array().cast("array<string>")
    return joined.select(
        "user_id",
        F.coalesce(F.col("told.note_id"), none).alias("note_ids"),
        F.coalesce(F.col("told.semantic_id"), none).alias("semantic_ids"),
        "num_withdrawn",
    )
