"""Give every note of a day its canonical tags: the student's, and the teacher's where the student is not sure or missing."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from jobs.config import Config, add_run_arguments
from jobs.lake import Lake
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from jobs.tags.asking import Teacher
from jobs.tags.canonical_rows import KEY, SAID, Words, carried, postings, with_canonical_tags
from jobs.tags.pages import current_pages
from jobs.tags.student import load_student, student_generation
from jobs.tags.student_answers import ask_student
from models.tags.handbook import Page
from models.tags.prompt import prompt_version
from schemas.tables import NOTES
from schemas.tag_tables import INTEREST_HANDBOOK, NOTE_TAGS, TAG_POSTINGS, TAG_VOCABULARY, TEACHER_TAGS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READS = ("notes", "teacher_tags", "tag_vocabulary")
WRITES = ("note_tags", "tag_postings")
log = logging.getLogger("notemill")

SAID_SCHEMA = pa.schema([NOTE_TAGS.arrow_schema().field(name) for name in SAID])
SAID_DDL = ", ".join(f"{c.name} {c.type}" for c in NOTE_TAGS.columns if c.name in SAID)
NOTES_A_CALL = 256
NOTES_A_TASK = 1024


class Asking(NamedTuple):
    """The student of a day: how to load it, the handbook's pages that guide it, and where pictures may lie."""

    load: Callable[[], Teacher | None]
    pages: Mapping[str, Page]
    roots: tuple[str, ...]
    min_confidence: float


def said_by_teacher(teacher_tags: DataFrame) -> DataFrame:
    """What the teacher said, as `SAID`."""
    from pyspark.sql import functions as F

    source = F.when(F.col("status").isin("ok", "empty"), "teacher").otherwise("none")
    named = teacher_tags.withColumn("source", source).withColumnRenamed("teacher", "model")
    return named.select(*SAID)


def said_by_student(notes: DataFrame, asking: Asking) -> DataFrame:
    """What the student says of notes, as `SAID`: one model a worker, asked over whole batches."""

    def answers(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        student = None
        for batch in batches:
            student = student or asking.load()
            if student is None:
                raise RuntimeError("the student is no longer promoted: run the day again")
            for at in range(0, len(batch), NOTES_A_CALL):
                rows = ask_student(student, batch.slice(at, NOTES_A_CALL).to_pylist(), asking.pages, asking.roots)
                yield pa.RecordBatch.from_pylist(rows, schema=SAID_SCHEMA)

    return notes.mapInArrow(answers, SAID_DDL)


def fallback(doubtful: DataFrame, teacher: DataFrame) -> DataFrame:
    """The rows that the teacher has for notes whose student is not sure: here, by what it has said already.

    A note that the teacher was not asked about keeps the student's tags; whoever asks the teacher anew does it here.
    """
    answered = teacher.where("status in ('ok', 'empty')")
    return answered.join(doubtful.select(*KEY), on=KEY, how="left_semi")


def chosen(student: DataFrame, teacher: DataFrame, min_confidence: float) -> DataFrame:
    """The student's rows of `note_tags`, and the teacher's in place of those that the student is not sure of.

    It is sure where it has canonical tags and their mean probability is at least `min_confidence`.
    """
    from pyspark.sql import functions as F

    total = F.aggregate("confidences", F.lit(0.0), lambda before, each: before + each)
    is_sure = (F.col("status") == "ok") & (total / F.greatest(F.size("confidences"), F.lit(1)) >= min_confidence)
    second = fallback(student.where(~is_sure), teacher)
    return student.join(second, on=KEY, how="left_anti").unionByName(second)


def tagged(spark: SparkSession, lake: Lake, plan: Plan, asking: Asking | None, held: ExitStack) -> DataFrame:
    """The rows of `note_tags`; the student is asked about what was not settled on the last day, once: its answers are
    kept until `held` ends."""
    words = Words(tuple(lake.files(TAG_VOCABULARY, plan.day)), lake.manifest(TAG_VOCABULARY, plan.day)["partition"])
    said = said_by_teacher(spark.read.parquet(*lake.files(TEACHER_TAGS, plan.day)))
    teacher = with_canonical_tags(said, words)
    if asking is None:
        return teacher
    notes = spark.read.parquet(*lake.files(NOTES, plan.day))
    last = _last_of_student(spark, lake, plan)
    kept = carried(last, notes, asking.pages, words)
    again = fallback(last.where("source = 'teacher'"), teacher) if _asked_alike(lake, plan) else teacher.limit(0)
    todo = notes.join(kept.select(*KEY), on=KEY, how="left_anti").join(again.select(*KEY), on=KEY, how="left_anti")
    num_todo = todo.count()
    log.info("tag_notes ds=%s: the student is asked about %d notes", plan.day, num_todo)
    asked = said_by_student(todo.repartition(-(-max(num_todo, 1) // NOTES_A_TASK) + 1, "note_id"), asking)
    student = held.enter_context(persisted(kept.unionByName(with_canonical_tags(asked, words)), plan))
    return chosen(student, teacher, asking.min_confidence).unionByName(again)


def _last_of_student(spark: SparkSession, lake: Lake, plan: Plan) -> DataFrame:
    """The tags published last before the day, if the same student was asked then; else no rows."""
    before = lake.last_before(NOTE_TAGS, plan.day)
    if before and lake.manifest(NOTE_TAGS, before)["artifacts"] == dict(plan.artifacts):
        return spark.read.parquet(*lake.files(NOTE_TAGS, before))
    return spark.createDataFrame([], NOTE_TAGS.ddl())


def _asked_alike(lake: Lake, plan: Plan) -> bool:
    """Whether on the last day the student was asked in the same words under the same handbook, and believed as much:
    then it is as unsure today of what it was unsure of."""
    before = lake.last_before(NOTE_TAGS, plan.day)
    if not before:
        return False
    then = lake.manifest(NOTE_TAGS, before)
    is_same = then["artifacts"] == dict(plan.artifacts) and then["params"] == dict(plan.params)
    return is_same and _handbook_of(then["reads"]) == _handbook_of(plan.reads)


def _handbook_of(reads: Mapping[str, str]) -> list[str]:
    return [partition for name, partition in sorted(reads.items()) if name.startswith(f"{INTEREST_HANDBOOK.name}/")]


def stage(lake: Lake, plan: Plan, asking: Asking | None) -> None:
    """Tag the notes of the day and stage them with their postings."""
    spark = spark_session("tag_notes")
    with ExitStack() as held:
        rows = held.enter_context(persisted(tagged(spark, lake, plan, asking, held), plan))
        counts = _counts(rows)
        log.info("tag_notes ds=%s: %s", plan.day, ", ".join(f"{v} {k[4:]}" for k, v in counts.items()))
        stage_spark(lake, NOTE_TAGS, plan, rows, lambda: counts, counts["num_notes"])
        stage_spark(lake, TAG_POSTINGS, plan, postings(rows), lambda: counts, counts["num_tags"])


def _counts(rows: DataFrame) -> dict[str, int]:
    found = rows.groupBy("source").agg({"*": "count"}).collect()
    by_source = {f"num_by_{r['source']}": int(r["count(1)"]) for r in sorted(found, key=lambda r: r["source"])}
    totals = rows.selectExpr("coalesce(sum(size(tags)), 0) as tags", "coalesce(sum(size(unmapped)), 0) as unmapped").first()
    assert totals is not None  # an aggregate without groups is one row
    return {
        "num_notes": sum(by_source.values()),
        **by_source,
        "num_tags": int(totals["tags"]),
        "num_unmapped": int(totals["unmapped"]),
    }


def asking_of(lake: Lake, day: str, config: Config) -> Asking | None:
    """The student of a day; None where none is promoted."""
    if student_generation(lake, day) is None:
        return None
    pages = current_pages(lake, day)[0] if config.tags.use_handbook else {}
    roots = tuple(str(root) for root in config.image_roots) if config.tags.use_pictures else ()
    return Asking(partial(load_student, lake, day, config), pages, roots, config.tags.min_confidence)


def plan_of(lake: Lake, day: str, config: Config) -> Plan:
    """All that the day's tags depend on. Raises `LakeError` where a table is not published."""
    generation = student_generation(lake, day)
    reads = published_reads(lake, [(NOTES, day), (TEACHER_TAGS, day), (TAG_VOCABULARY, day)])
    if generation and config.tags.use_handbook:
        reads |= current_pages(lake, day)[1]
    params = {
        "min_confidence": config.tags.min_confidence,
        "use_handbook": config.tags.use_handbook,
        "use_pictures": config.tags.use_pictures,
        "prompt": prompt_version(),
    }
    artifacts = {"student": generation} if generation else {}
    return Plan("tag_notes", day, reads, artifacts=artifacts, params=params if generation else {})


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("tag_notes", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    plan = plan_of(lake, args.day, args.config)
    run_once(lake, plan, (NOTE_TAGS, TAG_POSTINGS), lambda: stage(lake, plan, asking_of(lake, args.day, args.config)))


if __name__ == "__main__":
    run_job(main)
