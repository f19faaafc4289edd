"""What is recommended where no recommender speaks: the neighbours of a history, and what most users acted on.

`neighbours` sums the scores of `note_pairs` over a history, the latest note counting most. `popular` counts the users of the
window. Sums are of whole numbers, so that their order decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DECAY = 0.8  # of a pair's score for every note that came after in the history; as the collaborative scorer's
SCALE = 1_000_000_000


class Popular(NamedTuple):
    """A note by how many users of the window acted on it."""

    note_id: str
    semantic_id: str
    num_users: int


def popular_notes(engaged: DataFrame, ids: DataFrame, limit: int) -> list[Popular]:
    """The first `limit` notes of the catalogue by users of the window; of equal ones the smaller id, down to no users."""
    users = engaged.groupBy("note_id").agg(F.count_distinct("user_id").alias("num_users"))
    counted = ids.select("note_id", "semantic_id").join(users, on="note_id", how="left")
    first = counted.fillna(0, ["num_users"]).orderBy(F.desc("num_users"), "note_id").limit(limit)
    return [Popular(row["note_id"], row["semantic_id"], row["num_users"]) for row in first.collect()]


def neighbour_notes(
    histories: DataFrame, pairs: DataFrame, ids: DataFrame, *, limit: int, exclude_seen: bool
) -> DataFrame:
    """`user_id`, `neighbours`: the best `limit` notes related to the user's history, best first, as (score, note_id,
    semantic_id). Users whose history has no related note have no row.
    """
    seen = histories.select("user_id", F.posexplode(F.reverse("note_ids")).alias("age", "note_id"))
    part = F.round(F.col("score") * F.pow(F.lit(DECAY), F.col("age")) * SCALE).cast("bigint")
    related = pairs.select("note_id", F.col("related_note_id"), "score")
    summed = (
        seen.join(related, on="note_id", how="inner")
        .groupBy("user_id", F.col("related_note_id").alias("note_id"))
        .agg(F.sum(part).alias("billionths"))
    )
    if exclude_seen:
        summed = summed.join(
            seen.select("user_id", "note_id").distinct(), on=["user_id", "note_id"], how="left_anti"
        )
    known = summed.join(ids.select("note_id", "semantic_id"), on="note_id", how="inner")
    order = Window.partitionBy("user_id").orderBy(F.desc("billionths"), "note_id")
    best = known.withColumn("place", F.row_number().over(order)).where(F.col("place") <= limit)
    score = (F.col("billionths") / SCALE).alias("score")
    entry = F.struct("place", score, "note_id", "semantic_id")
    return best.groupBy("user_id").agg(F.sort_array(F.collect_list(entry)).alias("neighbours"))
