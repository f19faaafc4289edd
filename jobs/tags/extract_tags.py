"""Ask the teacher for the tags of a day's notes: only those that are new or changed, within the budget, none lost.

What lies beyond the budget is `skipped`, and asked by the next run, of this day or another. Where a student is promoted,
the teacher is asked about a share of the new notes alone, which keeps lessons and judgements fresh; the rest is left to
the student.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.config import Config, ConfigError, add_run_arguments
from jobs.lake import Lake
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from jobs.tags.choosing import in_sample, in_share
from jobs.tags.note_questions import NOTE_COLUMNS, PREPARED_DDL, prepared
from jobs.tags.student import student_generation
from jobs.tags.teacher_calls import Terms, asked_once, counts_of, terms_of
from models.tags.prompt import prompt_version
from schemas.tables import NOTES
from schemas.tag_tables import TEACHER_TAGS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

READS = ("notes", "interest_handbook")
WRITES = ("teacher_tags",)
log = logging.getLogger("notemill")

NOT_SAMPLED = "not in the sample of this run"
LEFT_TO_STUDENT = "left to the student, which tag_notes asks; the teacher is asked about tags.teacher_share of new notes"
SAME = ("note_id", "content_hash", "teacher", "prompt", "handbook", "picture")  # then the answer is the same


def sameness() -> Column:
    """One text for all that an answer depends on; JSON leaves nulls out by name, so that they equal each other only."""
    return F.sha2(F.to_json(F.struct(*SAME)), 256)


def unchanged(spark: SparkSession, lake: Lake, day: str) -> DataFrame:
    """What teachers said, as published for the nearest days on both sides; the earlier where both know."""
    days = lake.days(TEACHER_TAGS)
    near = [d for d in days if d <= day][-1:] + [d for d in days if d > day][:1]
    known = spark.createDataFrame([], TEACHER_TAGS.ddl()).withColumn("same", sameness())
    for found in near:
        read = spark.read.parquet(*lake.files(TEACHER_TAGS, found)).withColumn("same", sameness())
        said = read.where(~F.col("status").isin("failed", "skipped"))
        known = known.unionByName(said.join(known.select("same"), on="same", how="left_anti"))
    return known


@dataclass(frozen=True)
class Run:
    """One run of the job: the plan, whom it asks, and which notes it leaves out."""

    plan: Plan
    terms: Terms
    sample: int
    share: float  # of the new notes that the teacher is asked about; the student does the rest


def passed_over(share: float) -> Column:
    """Why a note is not asked about: it is not of the sample, or is the student's and was never answered."""
    is_left = ~F.col("is_filed") & ~in_share(F.col("note_id"), share)
    return F.when(~F.col("is_sampled"), NOT_SAMPLED).when(is_left, LEFT_TO_STUDENT)


def stage(lake: Lake, run: Run) -> None:
    """Find what must be asked, ask it once, and stage it with what is unchanged."""
    spark = spark_session("extract_tags")
    notes = spark.read.parquet(*lake.files(NOTES, run.plan.day)).select(*NOTE_COLUMNS)
    ready = in_sample(notes.mapInArrow(prepared(run.terms.asking), PREPARED_DDL), run.sample)
    num_notes = lake.manifest(NOTES, run.plan.day)["rows"]
    with persisted(ready.withColumn("same", sameness()), run.plan) as found:
        known = unchanged(spark, lake, run.plan.day)
        kept = known.join(found.select("same"), on="same", how="left_semi").select(*TEACHER_TAGS.column_names)
        todo = found.join(known.select("same"), on="same", how="left_anti")
        what = f"of {num_notes} notes are new or changed"
        with asked_once(todo, run.terms, run.plan, what, passed_over(run.share)) as fresh:
            counts = {"num_notes": num_notes, **counts_with_left(fresh, run)}
            log.info("extract_tags ds=%s: %s", run.plan.day, ", ".join(f"{k} {v}" for k, v in counts.items()))
            rows = kept.unionByName(fresh.select(*TEACHER_TAGS.column_names))
            stage_spark(lake, TEACHER_TAGS, run.plan, rows, lambda: counts, num_notes)


def counts_with_left(fresh: DataFrame, run: Run) -> dict[str, int]:
    """What this run did, those it left to the student, and those that it left for the next run."""
    counts = counts_of(fresh)
    num_students = fresh.where(F.col("problem") == LEFT_TO_STUDENT).count() if run.share < 1 else 0
    num_left = counts["num_failed"] + counts["num_skipped"] - num_students
    return {**counts, "num_left": num_left if run.terms.asking.teacher else 0, "num_left_to_student": num_students}


def retry_of(lake: Lake, day: str) -> str:
    """The partition whose failed and skipped notes this run asks again; the plan names it, or a rerun would be reused."""
    if lake.partition(TEACHER_TAGS, day) is None:
        return ""
    manifest = lake.manifest(TEACHER_TAGS, day)
    is_left = manifest["counts"].get("num_left", 0) > 0
    return str(manifest["partition"] if is_left else manifest["params"].get("retry_of", ""))


def planned(config: Config, lake: Lake, day: str, sample: int) -> Run:
    """What a run reads, whom it asks, and on what terms. Raises `ConfigError` where the teacher cannot be had."""
    tags, terms = config.tags, terms_of(config, lake, day)
    if tags.teacher_share > 1:
        raise ConfigError(f"tags.teacher_share is {tags.teacher_share}: it is a share of the new notes, from 0 to 1")
    student = student_generation(lake, day) if terms.asking.teacher else None
    params = {
        "prompt": prompt_version(),
        "use_pictures": tags.use_pictures,
        "sample": sample,
        "budget": terms.budget,
        "retry_of": retry_of(lake, day) if terms.asking.teacher else "",
    }
    artifacts = dict(terms.artifacts)
    if student:
        artifacts["student"], params["teacher_share"] = student, tags.teacher_share
    reads = {**published_reads(lake, [(NOTES, day)]), **terms.handbook}
    plan = Plan("extract_tags", day, reads, artifacts=artifacts, params=params)
    return Run(plan, terms, sample, tags.teacher_share if student else 1.0)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day` and `--sample`; the teacher and the budget are `tags` in the configuration."""
    parser = add_run_arguments(argparse.ArgumentParser("extract_tags", description=__doc__))
    parser.add_argument("--sample", type=int, default=0, help="ask about so many notes only; 0: all")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    run = planned(args.config, lake, args.day, args.sample)
    run_once(lake, run.plan, (TEACHER_TAGS,), lambda: stage(lake, run))


if __name__ == "__main__":
    run_job(main)
