"""What users did with notes, as sequences: every user's notes in order of time, and what came before each.

An engagement is any event but an impression. Ties in time go by the note's id. A note that follows itself (a click, then a
like) is one step. Notes without an ID on the day are gone from the catalogue, so that nobody can be led to them: they are
left out before repeats are looked for.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def engagements(events: DataFrame, notes: DataFrame, since: datetime, until: datetime) -> DataFrame:
    """user_id, note_id, ts of since <= ts < until, with the other columns of `notes`: null where a note is not in it."""
    acted = (F.col("event") != "impression") & (F.col("ts") >= F.lit(since)) & (F.col("ts") < F.lit(until))
    return events.where(acted).select("user_id", "note_id", "ts").join(notes, on="note_id", how="left")


def sequences(acted: DataFrame, *, last: int) -> DataFrame:
    """The last `last` steps of every user, with `position` (0 for the first of all) and `num_steps` (of all)."""
    of_user = Window.partitionBy("user_id")
    by_time = of_user.orderBy("ts", "note_id")
    repeats = F.lag("note_id").over(by_time).eqNullSafe(F.col("note_id"))
    steps = acted.withColumn("repeats", repeats).where(~F.col("repeats")).drop("repeats")
    position, num_steps = F.row_number().over(by_time) - 1, F.count("*").over(of_user).cast("int")
    placed = steps.withColumns({"position": position, "num_steps": num_steps})
    return placed.where(F.col("position") >= F.col("num_steps") - last)


def with_history(steps: DataFrame, *, history: int) -> DataFrame:
    """`steps` with what came before each, at most `history` steps, oldest first.

    history_note_ids, history_semantic_ids, and history_titles where `steps` has titles.
    """
    before = Window.partitionBy("user_id").orderBy("ts", "note_id").rowsBetween(-history, -1)
    names = [n for n in ("note_id", "semantic_id", "title") if n in steps.columns]
    found = steps.withColumn("before", F.collect_list(F.struct(*names)).over(before))
    return found.withColumns({f"history_{n}s": F.col("before").getField(n) for n in names}).drop("before")
