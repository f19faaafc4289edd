"""What is asked of a recommender, not yet in words: users' steps after what came before them, and notes by their names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.lake import days_before
from jobs.recommend.engagements import with_history
from jobs.sources import day_bounds
from schemas.recommend_tables import PROFILE, UNKNOWN

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Cut:
    """The instants from which on a row is valid and test by date."""

    valid: datetime
    test: datetime

    def split(self, ts: Column) -> Column:
        """Which of the three a row of that time is."""
        return (
            F.when(ts >= F.lit(self.test), "test").when(ts >= F.lit(self.valid), "valid").otherwise("train")
        )


def cut_of(day: str, zone: str, holdout_days: int) -> Cut:
    """Whole local days: the last `holdout_days` up to `day` are test, as many before them valid."""
    test, valid = (day_bounds(days_before(day, n * holdout_days + 1)[0], zone)[1] for n in (1, 2))
    return Cut(valid, test)


def catalogue(notes: DataFrame, ids: DataFrame) -> DataFrame:
    """note_id, semantic_id, title and created_at of the day's notes."""
    return notes.select("note_id", "title", "created_at").join(
        ids.select("note_id", "semantic_id"), on="note_id", how="inner"
    )


def targets(steps: DataFrame, users: DataFrame, cut: Cut, *, history: int, max_targets: int) -> DataFrame:
    """The steps that are asked for, the first of a user never, with history, profile and splits."""
    is_asked = (F.col("position") > 0) & (F.col("position") >= F.col("num_steps") - max_targets)
    found = with_history(steps, history=history).where(is_asked).join(users, on="user_id", how="left")
    left = F.col("num_steps") - F.col("position")
    split = F.when(left == 1, "test").when(left == 2, "valid").otherwise("train")
    profile = {column.name: F.coalesce(column.name, F.lit(UNKNOWN)) for column in PROFILE}
    return found.withColumns({**profile, "leave_one_out": split, "by_date": cut.split(F.col("ts"))})


def named_notes(notes: DataFrame, cut: Cut) -> DataFrame:
    """The catalogue in the columns of `targets`: no user, no history; the time is when the note was written."""
    nobody = {column.name: F.lit(UNKNOWN) for column in PROFILE}
    nothing = {f"history_{n}s": F.array().cast("array<string>") for n in ("note_id", "semantic_id")}
    return notes.withColumns(
        {
            **nobody,
            **nothing,
            "user_id": F.lit(None).cast("string"),
            "ts": F.col("created_at"),
            "position": F.lit(0),
            "leave_one_out": F.lit("train"),
            "by_date": cut.split(F.col("created_at")),
        }
    )
