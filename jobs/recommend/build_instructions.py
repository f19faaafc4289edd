"""Build what a recommender learns from: for every note that a user acted on, what came before it, in words.

A row asks for the step after a history that is not empty: a user's first step would teach how popular notes are, which
counting knows better, and no user is ever recommended to without a history. `leave_one_out`: a user's last step is
test, the one before valid. `by_date`: steps of the last `holdout_days` are test, of as many days before them valid; a
training row then holds nothing that was later than them. With `recommend.tasks` mixed the notes' other names are asked
for too: by date a note belongs to the day it was written on, one left out per user says nothing about the catalogue.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from pyspark.sql import functions as F

from jobs.config import Config, ConfigError, Recommend, add_run_arguments
from jobs.event_days import add_window_arguments, event_days
from jobs.lake import Lake, LakeError, days_before
from jobs.recommend.engagements import engagements, sequences
from jobs.recommend.instruction_texts import ALIGNMENT, FUSED, GIVEN, instructing
from jobs.recommend.targets import Cut, catalogue, cut_of, named_notes, targets
from jobs.session import run_job, spark_session
from jobs.sources import day_bounds
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from schemas.recommend_tables import INSTRUCTIONS, USERS
from schemas.tables import EVENTS, NOTES, SEMANTIC_IDS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READS = ("events", "notes", "users", "semantic_ids")
WRITES = ("recommend_instructions",)
log = logging.getLogger("notemill")
NEEDED = ("history_days", "history", "max_targets")  # settings that nothing can be asked with at 0
SETTINGS = (*NEEDED, "holdout_days", "tasks", "languages")  # all that the rows depend on


@dataclass(frozen=True)
class Asked:
    """What is asked, in which languages, in IDs of which quantizer."""

    rules: Recommend
    generation: str

    @property
    def is_mixed(self) -> bool:
        """Whether the notes' other names are asked for."""
        return self.rules.tasks == "mixed"

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the templates."""
        return ("en", "zh") if self.rules.languages == "both" else (self.rules.languages,)

    def expected_rows(self, num_targets: int, num_notes: int) -> int:
        """At most, for the number of files."""
        each = 1 + len(FUSED) if self.is_mixed else 1
        names = len(ALIGNMENT) * num_notes if self.is_mixed else 0
        return (num_targets * each + names) * len(self.languages)


def instructions(steps: DataFrame, notes: DataFrame, users: DataFrame, cut: Cut, asked: Asked) -> DataFrame:
    """The rows of `recommend_instructions`, not yet computed."""
    rules, languages = asked.rules, asked.languages
    generation = F.lit(asked.generation).alias("generation")
    found = targets(steps, users, cut, history=rules.history, max_targets=rules.max_targets)
    more = ("title", "history_titles") if asked.is_mixed else ()
    columns = [name for name in GIVEN if name != "generation"]
    tasks = ("next_item", *(FUSED if asked.is_mixed else ()))
    rows = found.select(*columns, generation, *more).mapInArrow(
        instructing(tasks, languages), INSTRUCTIONS.ddl()
    )
    if not asked.is_mixed:
        return rows
    names = named_notes(notes, cut).select(*columns, generation, "title")
    return rows.unionByName(names.mapInArrow(instructing(ALIGNMENT, languages), INSTRUCTIONS.ddl()))


def counts_of(acted: DataFrame, steps: DataFrame, num_notes: int, max_targets: int) -> dict[str, int]:
    """What was found and what of it is asked for. Raises `LakeError` where there is nothing to learn from."""
    known = F.col("semantic_id").isNotNull()
    found = acted.agg(F.count("*").alias("n"), F.count(F.when(known, 1)).alias("known")).first()
    of_user = steps.where(F.col("position") == F.col("num_steps") - 1).select("num_steps")
    asked = F.least(F.col("num_steps") - 1, F.lit(max_targets))
    users = of_user.agg(
        F.count("*").alias("n"), F.count(F.when(asked == 0, 1)).alias("of_one"), F.sum(asked).alias("targets")
    ).first()
    if found is None or users is None or not users["targets"]:
        raise LakeError(
            "no user acted on two different notes of the catalogue in the window of recommend.history_days, so there is no "
            "next note to learn: look at the events (impressions are not counted) and at which notes have semantic_ids"
        )
    return {
        "num_engagements": found["n"],
        "num_without_id": found["n"] - found["known"],
        "num_users": users["n"],
        "num_users_of_one": users["of_one"],
        "num_targets": users["targets"],
        "num_notes": num_notes,
    }


def generation_of(lake: Lake, day: str) -> tuple[str, int]:
    """The quantizer of the day's IDs, and how many notes have one. Raises `LakeError` where none has."""
    rows = pq.ParquetDataset(lake.files(SEMANTIC_IDS, day)).fragments
    num_notes = int(lake.manifest(SEMANTIC_IDS, day)["rows"])
    if not num_notes:
        raise LakeError(f"semantic_ids ds={day} has no notes: there is nothing that could be recommended")
    return rows[0].head(1, columns=["generation"]).column(0)[0].as_py(), num_notes


def stage(config: Config, lake: Lake, plan: Plan, days: list[str]) -> None:
    """Read the window, put it into words and stage them."""
    spark, rules = spark_session("build_instructions"), config.recommend
    generation, num_notes = generation_of(lake, plan.day)
    asked, cut = Asked(rules, generation), cut_of(plan.day, config.timezone, rules.holdout_days)
    first = days_before(plan.day, rules.history_days)[0]
    since, until = day_bounds(first, config.timezone)[0], day_bounds(plan.day, config.timezone)[1]
    read = {t.name: spark.read.parquet(*lake.files(t, plan.day)) for t in (NOTES, SEMANTIC_IDS, USERS)}
    notes = catalogue(read["notes"], read["semantic_ids"])
    names = notes.drop("created_at") if asked.is_mixed else notes.select("note_id", "semantic_id")
    events = spark.read.parquet(*(file for day in days for file in lake.files(EVENTS, day)))
    acted = engagements(events, names, since, until)
    known = acted.where(F.col("semantic_id").isNotNull())
    with persisted(sequences(known, last=rules.max_targets + rules.history), plan) as steps:
        counts = counts_of(acted, steps, num_notes, rules.max_targets)
        rows = instructions(steps, notes, read["users"], cut, asked)
        expected = asked.expected_rows(counts["num_targets"], num_notes)
        stage_spark(lake, INSTRUCTIONS, plan, rows, lambda: counts, expected)
    said = ", ".join(f"{k[4:]} {v}" for k, v in counts.items())
    log.info("recommend_instructions ds=%s: %s", plan.day, said)


def required(rules: Recommend) -> dict[str, object]:
    """The settings that the rows depend on. Raises `ConfigError` where one of them leaves nothing to ask."""
    for name in NEEDED:
        if not getattr(rules, name):
            raise ConfigError(f"recommend.{name} is 0: it must be at least 1")
    return {name: getattr(rules, name) for name in SETTINGS}


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, `--since` and `--allow-gaps`; what is asked is `recommend` in the configuration."""
    return add_window_arguments(add_run_arguments(argparse.ArgumentParser("build_instructions", description=__doc__)))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    params = {"timezone": config.timezone, **required(config.recommend)}
    num_days = config.recommend.history_days
    days = event_days(config, lake, "build_instructions", args.day, num_days, args.since, args.allow_gaps)
    wanted = [(table, args.day) for table in (EVENTS, NOTES, USERS, SEMANTIC_IDS)]
    reads = published_reads(lake, [*wanted, *((EVENTS, day) for day in days)])
    plan = Plan("build_instructions", args.day, reads, params=params)
    run_once(lake, plan, (INSTRUCTIONS,), lambda: stage(config, lake, plan, days))


if __name__ == "__main__":
    run_job(main)
