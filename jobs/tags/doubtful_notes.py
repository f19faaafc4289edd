"""Notes of which the student is not sure: what the teacher has said of them, and asking it where it has said nothing."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from jobs.staging import Plan
from jobs.tags.canonical_rows import KEY, SAID, Words, with_canonical_tags
from jobs.tags.note_questions import NOTE_COLUMNS, PREPARED_DDL, prepared
from jobs.tags.teacher_calls import Terms, asked_once, counts_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

log = logging.getLogger("notemill")
SPENT = ("num_asked", "num_calls", "tokens_in", "tokens_out", "cost_millionths")
NOTHING_ASKED = {"num_over_budget": 0, **dict.fromkeys(SPENT, 0)}


class Second(NamedTuple):
    """The rows of `note_tags` that take the place of a student's, and what it took to have them."""

    rows: DataFrame
    counts: dict[str, int]


def is_sure(min_confidence: float) -> Column:
    """Whether a student is sure of a note: it has canonical tags, and their mean probability is at least that."""
    from pyspark.sql import functions as F

    total = F.aggregate("confidences", F.lit(0.0), lambda before, each: before + each)
    mean = total / F.greatest(F.size("confidences"), F.lit(1))
    return (F.col("status") == "ok") & (mean >= min_confidence)


def said_by_teacher(teacher_tags: DataFrame) -> DataFrame:
    """What the teacher said, as `SAID`."""
    from pyspark.sql import functions as F

    source = F.when(F.col("status").isin("ok", "empty"), "teacher").otherwise("none")
    named = teacher_tags.withColumn("source", source).withColumnRenamed("teacher", "model")
    return named.select(*SAID)


def fallback(doubtful: DataFrame, teacher: DataFrame) -> DataFrame:
    """The rows of an answer that the teacher has for doubtful notes. A note without one keeps the student's tags."""
    answered = teacher.where("status in ('ok', 'empty')")
    return answered.join(doubtful.select(*KEY), on=KEY, how="left_semi")


def second_opinions(
    doubtful: DataFrame, notes: DataFrame, teacher: DataFrame, terms: Terms | None, words: Words, plan: Plan,
    held: ExitStack,
) -> Second:  # fmt: skip
    """The teacher's rows for doubtful notes: by what `teacher` has said already, and of the rest, the newest first, by
    asking it within the budget of `terms`; its answers are kept until `held` ends. Raises `LakeError` where it is gone."""
    said = fallback(doubtful, teacher)
    if terms is None or terms.asking.teacher is None:
        return Second(said, NOTHING_ASKED)
    rest = doubtful.select(*KEY).join(said.select(*KEY), on=KEY, how="left_anti")
    todo = notes.join(rest, on=KEY, how="left_semi").select(*NOTE_COLUMNS)
    ready = todo.mapInArrow(prepared(terms.asking), PREPARED_DDL)
    what = "notes of which the student is not sure have no answer of the teacher"
    fresh = held.enter_context(asked_once(ready, terms, plan, what))
    counts = counts_of(fresh)
    anew = fallback(rest, with_canonical_tags(said_by_teacher(fresh), words))
    spent = {"num_over_budget": counts["num_skipped"], **{name: counts[name] for name in SPENT}}
    return Second(said.unionByName(anew), spent)
