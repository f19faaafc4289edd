"""Ask the teacher for the tags of a day's notes: only those that are new or changed, within the budget, none lost.

What is asked is decided before anything is: of the notes whose answer is not filed the newest first, until the most that
the next one can cost would leave the budget. The rest is `skipped`, and asked by the next run, of this day or another.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.config import Config, Tags, add_run_arguments
from jobs.lake import Lake, LakeError
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from jobs.tags.answers import Answers
from jobs.tags.budget import NO_BUDGET, Purse
from jobs.tags.choosing import Choice, in_sample, within_budget
from jobs.tags.note_questions import (
    LOOKED_UP_DDL,
    NOTE_COLUMNS,
    PREPARED_DDL,
    ROWS_DDL,
    Asking,
    asked_rows,
    looked_up,
    prepared,
)
from jobs.tags.pages import current_pages
from jobs.tags.teachers import NO_HANDBOOK, NO_TEACHER, find_teacher, is_on_server
from models.tags.prompt import prompt_version
from schemas.tables import NOTES
from schemas.tag_tables import STATUSES, TEACHER_TAGS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

READS = ("notes", "interest_handbook")
WRITES = ("teacher_tags",)
log = logging.getLogger("notemill")

ROWS_A_TASK = 128  # asked of a local model: what a lost task costs, and how evenly workers are busy
READY_ROWS_A_TASK = 8192  # answered already, or not to be asked
NOT_SAMPLED = "not in the sample of this run"
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


def judged(todo: DataFrame, choice: Choice, otherwise: str = NO_BUDGET) -> DataFrame:
    """The notes with their `verdict`: why nobody is asked, empty where somebody is, or was."""
    verdict = (
        F.when(~F.col("is_sampled"), NOT_SAMPLED)
        .when(F.col("is_filed") | choice.condition, "")
        .otherwise(otherwise)
    )
    return todo.withColumn("verdict", verdict)


def with_answers(todo: DataFrame, asking: Asking, num_tasks: int, num_todo: int) -> DataFrame:
    """The rows of judged notes, those that call the teacher laid out over `num_tasks` tasks, the same on every run."""
    is_call = ~F.col("is_filed") & (F.col("verdict") == "")
    calls = todo.where(is_call).repartition(num_tasks, "note_id").sortWithinPartitions("note_id")
    num_ready = -(-max(num_todo, 1) // READY_ROWS_A_TASK)
    ready = todo.where(~is_call).repartition(num_ready, "note_id").sortWithinPartitions("note_id")
    rows = asked_rows(asking)
    return ready.mapInArrow(rows, ROWS_DDL).unionByName(calls.mapInArrow(rows, ROWS_DDL))


@dataclass(frozen=True)
class Run:
    """One run of the job: the plan, the settings, and what workers need."""

    plan: Plan
    tags: Tags
    asking: Asking
    sample: int
    why_nobody: str  # why nobody is asked at all; empty where somebody is

    @property
    def purse(self) -> Purse:
        """The whole budget; none where there is nobody to ask."""
        if self.asking.teacher is None:
            return Purse(0, 0)
        return Purse(self.tags.max_calls, self.tags.max_cost, self.tags.price_in, self.tags.price_out)


def stage(lake: Lake, run: Run) -> None:
    """Find what must be asked, say what it will cost, ask it, and stage it with what is unchanged."""
    spark = spark_session("extract_tags")
    notes = spark.read.parquet(*lake.files(NOTES, run.plan.day)).select(*NOTE_COLUMNS)
    ready = in_sample(notes.mapInArrow(prepared(run.asking), PREPARED_DDL), run.sample)
    with persisted(ready.withColumn("same", sameness()), run.plan) as found:
        known = unchanged(spark, lake, run.plan.day)
        kept = known.join(found.select("same"), on="same", how="left_semi").select(*TEACHER_TAGS.column_names)
        todo = found.join(known.select("same"), on="same", how="left_anti")
        num_notes = lake.manifest(NOTES, run.plan.day)["rows"]
        with fresh_rows(todo, run, num_notes) as (fresh, counts):
            rows = kept.unionByName(fresh.select(*TEACHER_TAGS.column_names))
            stage_spark(lake, TEACHER_TAGS, run.plan, rows, lambda: counts, num_notes)


@contextmanager
def fresh_rows(todo: DataFrame, run: Run, num_notes: int) -> Iterator[tuple[DataFrame, dict[str, int]]]:
    """The rows of notes that no published partition answers, asked once, and the counts of the whole run."""
    columns = [name for name in todo.columns if name != "same"]
    looked = todo.select(*columns).mapInArrow(looked_up(run.asking), LOOKED_UP_DDL)
    with persisted(looked, run.plan) as looked, teacher_errors(run.plan.day):
        wanted = looked.where(~F.col("is_filed") & F.col("is_sampled"))
        num_todo = looked.count()
        choice = within_budget(wanted, run.purse, run.tags.max_new_tokens)
        log_estimate(run, num_notes, num_todo, choice)
        asking = with_shares(run.asking, run.purse, choice)
        num_tasks = 1 if is_on_server(run.tags) else max(1, -(-choice.num_calls // ROWS_A_TASK))
        verdicts = judged(looked, choice, run.why_nobody or NO_BUDGET)
        with persisted(with_answers(verdicts, asking, num_tasks, num_todo), run.plan) as fresh:
            counts = {"num_notes": num_notes, **counts_of(fresh, is_asking=run.asking.teacher is not None)}
            log.info("extract_tags ds=%s: %s", run.plan.day, ", ".join(f"{k} {v}" for k, v in counts.items()))
            yield fresh, counts


def with_shares(asking: Asking, purse: Purse, choice: Choice) -> Asking:
    """With what each call brings to its task's purse: its own price, and a part of what is left of the budget."""
    num_calls = max(choice.num_calls, 1)
    spare_cost = (purse.cost - choice.cost) / num_calls
    return replace(asking, calls_each=purse.calls / num_calls, spare_cost_each=spare_cost)


def log_estimate(run: Run, num_notes: int, num_new: int, choice: Choice) -> None:
    """Say what will be asked and what it costs at most, before it is."""
    if run.asking.teacher is None:
        log.warning("extract_tags ds=%s: %d notes are skipped: %s", run.plan.day, num_new, run.why_nobody)
        return
    log.info(
        "extract_tags ds=%s: %d of %d notes are new or changed; asking %s about %d of them, those answered before not "
        "counted (at most %d calls with repeated ones): up to %d tokens in, %d out, cost %.4f of %.4f",
        run.plan.day,
        num_new,
        num_notes,
        run.asking.identity,
        choice.num_calls,
        run.tags.max_calls,
        choice.tokens_in,
        choice.tokens_out,
        choice.cost,
        run.tags.max_cost,
    )


def counts_of(fresh: DataFrame, *, is_asking: bool) -> dict[str, int]:
    """What this run did: notes by status, those it left for the next run, and what its calls took and cost."""
    spent = ("num_calls", "tokens_in", "tokens_out", "cost")
    sums = [F.sum(F.when(F.col("is_new"), F.col(name)).otherwise(0)).alias(name) for name in spent]
    rows = fresh.groupBy("status").agg(F.count("*").alias("n"), F.sum(F.col("is_new").cast("int")).alias("new"), *sums)
    found = {row["status"]: row for row in rows.collect()}
    left = sum(found[name]["n"] for name in ("failed", "skipped") if name in found)
    return {
        "num_fresh": sum(row["n"] for row in found.values()),
        "num_asked": sum(row["new"] for row in found.values()),
        "num_left": left if is_asking else 0,
        **{f"num_{status}": found[status]["n"] if status in found else 0 for status in STATUSES},
        **{name: sum(int(row[name]) for row in found.values()) for name in spent[:-1]},
        "cost_millionths": round(sum(row["cost"] for row in found.values()) * 1e6),
    }


@contextmanager
def teacher_errors(day: str) -> Iterator[None]:
    """Turn what a worker says of its teacher into one line for the person who runs the job."""
    try:
        yield
    except Exception as error:
        found = re.search(r"(?:TeacherGoneError|ConfigError): (.+)", str(error))
        if found is None:
            raise
        raise LakeError(f"extract_tags ds={day}: {found[1]}") from None


def retry_of(lake: Lake, day: str) -> str:
    """The partition whose failed and skipped notes this run asks again; the plan names it, or a rerun would be reused."""
    if lake.partition(TEACHER_TAGS, day) is None:
        return ""
    manifest = lake.manifest(TEACHER_TAGS, day)
    is_left = manifest["counts"].get("num_left", 0) > 0
    return str(manifest["partition"] if is_left else manifest["params"].get("retry_of", ""))


def planned(config: Config, lake: Lake, day: str, sample: int) -> Run:
    """What a run reads, whom it asks, and on what terms. Raises `ConfigError` where the teacher cannot be had."""
    tags = config.tags
    teacher = find_teacher(tags, config.home)
    pages, reads = current_pages(lake, day) if tags.use_handbook else ({}, {})
    why_nobody = "" if teacher else NO_TEACHER
    if teacher and tags.use_handbook and not pages:
        teacher, why_nobody = None, NO_HANDBOOK
    roots = tuple(str(root) for root in config.image_roots) if tags.use_pictures else ()
    asking = Asking(
        teacher,
        Answers.of(lake),
        pages,
        roots,
        prices=(tags.price_in, tags.price_out),
        max_new_tokens=tags.max_new_tokens,
    )
    params = {
        "prompt": prompt_version(),
        "use_pictures": tags.use_pictures,
        "sample": sample,
        "budget": [tags.max_calls, tags.max_cost, tags.price_in, tags.price_out],
        "retry_of": retry_of(lake, day) if teacher else "",
    }
    artifacts = {"teacher": teacher.identity} if teacher else {}
    reads = {**published_reads(lake, [(NOTES, day)]), **reads}
    return Run(Plan("extract_tags", day, reads, artifacts=artifacts, params=params), tags, asking, sample, why_nobody)


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
