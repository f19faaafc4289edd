"""Give every note of a day its canonical tags: the student's, and the teacher's where the student is not sure or missing.

Of a note that the student is not sure of the teacher is asked, the newest first and within the budget, unless it has said
something of it already; beyond the budget the student's tags stay. Answers are filed: nothing is asked twice.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from jobs.config import Config, add_run_arguments
from jobs.lake import Lake
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_spark
from jobs.tags.asking import Teacher
from jobs.tags.canonical_rows import KEY, SAID, Words, carried, postings, with_canonical_tags
from jobs.tags.doubtful_notes import fallback, is_sure, said_by_teacher, second_opinions
from jobs.tags.student import load_student, student_generation
from jobs.tags.student_answers import ask_student
from jobs.tags.teacher_calls import Terms, terms_of
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
    """The student of a day: how to load it, the handbook's pages that guide it, where pictures may lie, how sure it must
    be, and on what terms the teacher stands behind it."""

    load: Callable[[], Teacher | None]
    pages: Mapping[str, Page]
    roots: tuple[str, ...]
    min_confidence: float
    terms: Terms | None = None


class Tagged(NamedTuple):
    """Rows of `note_tags`, and what became of notes that the student is not sure of (empty where there is no student)."""

    rows: DataFrame
    asked: dict[str, int]


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


def tagged(spark: SparkSession, lake: Lake, plan: Plan, asking: Asking | None, held: ExitStack) -> Tagged:
    """The rows of `note_tags`; the student is asked about what was not settled on the last day, and the teacher about what
    the student is not sure of, once: answers are kept until `held` ends."""
    words = Words(tuple(lake.files(TAG_VOCABULARY, plan.day)), lake.manifest(TAG_VOCABULARY, plan.day)["partition"])
    said = said_by_teacher(spark.read.parquet(*lake.files(TEACHER_TAGS, plan.day)))
    teacher = with_canonical_tags(said, words)
    if asking is None:
        return Tagged(teacher, {})
    notes = spark.read.parquet(*lake.files(NOTES, plan.day))
    last = _last_of_student(spark, lake, plan)
    kept = carried(last, notes, asking.pages, words)
    again = fallback(last.where("source = 'teacher'"), teacher) if _asked_alike(lake, plan) else teacher.limit(0)
    todo = notes.join(kept.select(*KEY), on=KEY, how="left_anti").join(again.select(*KEY), on=KEY, how="left_anti")
    num_todo = todo.count()
    log.info("tag_notes ds=%s: the student is asked about %d notes", plan.day, num_todo)
    asked = said_by_student(todo.repartition(-(-max(num_todo, 1) // NOTES_A_TASK) + 1, "note_id"), asking)
    student = held.enter_context(persisted(kept.unionByName(with_canonical_tags(asked, words)), plan))
    doubtful = student.where(~is_sure(asking.min_confidence))
    second = second_opinions(doubtful, notes, teacher, asking.terms, words, plan, held)
    rows = student.join(second.rows, on=KEY, how="left_anti").unionByName(second.rows).unionByName(again)
    return Tagged(rows, {"num_doubtful": doubtful.count() + again.count(), **second.counts})


def _last_of_student(spark: SparkSession, lake: Lake, plan: Plan) -> DataFrame:
    """The tags published last before the day, if the same student was asked then; else no rows."""
    before = lake.last_before(NOTE_TAGS, plan.day)
    if before and _student_of(lake.manifest(NOTE_TAGS, before)["artifacts"]) == _student_of(plan.artifacts):
        return spark.read.parquet(*lake.files(NOTE_TAGS, before))
    return spark.createDataFrame([], NOTE_TAGS.ddl())


def _asked_alike(lake: Lake, plan: Plan) -> bool:
    """Whether on the last day the student was asked in the same words under the same handbook, and believed as much:
    then it is as unsure today of what it was unsure of."""
    before = lake.last_before(NOTE_TAGS, plan.day)
    if not before:
        return False
    then = lake.manifest(NOTE_TAGS, before)
    is_same = _student_of(then["artifacts"]) == _student_of(plan.artifacts)
    is_same = is_same and _terms_of_student(then["params"]) == _terms_of_student(plan.params)
    return is_same and _handbook_of(then["reads"]) == _handbook_of(plan.reads)


def _student_of(artifacts: Mapping[str, str]) -> str | None:
    return artifacts.get("student")


def _terms_of_student(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "budget"}  # which is the teacher's


def _handbook_of(reads: Mapping[str, str]) -> list[str]:
    return [partition for name, partition in sorted(reads.items()) if name.startswith(f"{INTEREST_HANDBOOK.name}/")]


def stage(lake: Lake, plan: Plan, asking: Asking | None) -> None:
    """Tag the notes of the day and stage them with their postings."""
    spark = spark_session("tag_notes")
    with ExitStack() as held:
        found = tagged(spark, lake, plan, asking, held)
        rows = held.enter_context(persisted(found.rows, plan))
        counts = _counts(rows, found.asked)
        log.info("tag_notes ds=%s: %s", plan.day, ", ".join(f"{k.removeprefix('num_')} {v}" for k, v in counts.items()))
        stage_spark(lake, NOTE_TAGS, plan, rows, lambda: counts, counts["num_notes"])
        stage_spark(lake, TAG_POSTINGS, plan, postings(rows), lambda: counts, counts["num_tags"])


def _counts(rows: DataFrame, asked: Mapping[str, int]) -> dict[str, int]:
    found = rows.groupBy("source").agg({"*": "count"}).collect()
    by_source = {f"num_by_{r['source']}": int(r["count(1)"]) for r in sorted(found, key=lambda r: r["source"])}
    totals = rows.selectExpr("coalesce(sum(size(tags)), 0) as tags", "coalesce(sum(size(unmapped)), 0) as unmapped").first()
    assert totals is not None  # an aggregate without groups is one row
    of_teacher = {"num_fallback": by_source.get("num_by_teacher", 0)} if asked else {}
    return {
        "num_notes": sum(by_source.values()),
        **by_source,
        "num_tags": int(totals["tags"]),
        "num_unmapped": int(totals["unmapped"]),
        **of_teacher,
        **asked,
    }


def asking_of(lake: Lake, day: str, config: Config) -> Asking | None:
    """The student of a day and the teacher behind it; None where no student is promoted. Raises `ConfigError`."""
    if student_generation(lake, day) is None:
        return None
    terms = terms_of(config, lake, day)
    load = partial(load_student, lake, day, config)
    return Asking(load, terms.asking.pages, terms.asking.roots, config.tags.min_confidence, terms)


def plan_of(lake: Lake, day: str, config: Config, asking: Asking | None) -> Plan:
    """All that the day's tags depend on. Raises `LakeError` where a table is not published."""
    reads = published_reads(lake, [(NOTES, day), (TEACHER_TAGS, day), (TAG_VOCABULARY, day)])
    generation = student_generation(lake, day)
    if asking is None or asking.terms is None or generation is None:
        return Plan("tag_notes", day, reads)
    params = {
        "min_confidence": config.tags.min_confidence,
        "use_handbook": config.tags.use_handbook,
        "use_pictures": config.tags.use_pictures,
        "prompt": prompt_version(),
    }
    if asking.terms.asking.teacher:
        params["budget"] = asking.terms.budget
    artifacts = {"student": generation, **asking.terms.artifacts}
    return Plan("tag_notes", day, {**reads, **asking.terms.handbook}, artifacts=artifacts, params=params)


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("tag_notes", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    asking = asking_of(lake, args.day, args.config)
    plan = plan_of(lake, args.day, args.config, asking)
    run_once(lake, plan, (NOTE_TAGS, TAG_POSTINGS), lambda: stage(lake, plan, asking))


if __name__ == "__main__":
    run_job(main)
