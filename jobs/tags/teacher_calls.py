"""Asking the teacher about a day's notes: on what terms, which of them within the budget, each once, and what it took.

What is asked is decided before anything is: of the notes whose answer is not filed the newest first, until the most that
the next one can cost would leave the budget.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.config import Config, Tags
from jobs.lake import Lake, LakeError
from jobs.staging import Plan, persisted
from jobs.tags.answers import Answers
from jobs.tags.budget import NO_BUDGET, Purse
from jobs.tags.choosing import Choice, within_budget
from jobs.tags.note_questions import LOOKED_UP_DDL, PREPARED_DDL, ROWS_DDL, Asking, asked_rows, looked_up
from jobs.tags.pages import current_pages
from jobs.tags.teachers import NO_HANDBOOK, NO_TEACHER, find_teacher, is_on_server
from schemas.tag_tables import STATUSES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

log = logging.getLogger("notemill")

ROWS_A_TASK = 128  # asked of a local model: what a lost task costs, and how evenly workers are busy
READY_ROWS_A_TASK = 8192  # answered already, or not to be asked
SPENT = ("num_calls", "tokens_in", "tokens_out", "cost")


@dataclass(frozen=True)
class Terms:
    """Whom a run asks, under which handbook, and what that may cost."""

    asking: Asking
    tags: Tags
    handbook: Mapping[str, str]  # what a plan reads of it
    why_nobody: str  # why nobody is asked at all; empty where somebody is

    @property
    def purse(self) -> Purse:
        """The whole budget; none where there is nobody to ask."""
        if self.asking.teacher is None:
            return Purse(0, 0)
        return Purse(self.tags.max_calls, self.tags.max_cost, self.tags.price_in, self.tags.price_out)

    @property
    def budget(self) -> list[float]:
        """What a plan says of it."""
        return [self.tags.max_calls, self.tags.max_cost, self.tags.price_in, self.tags.price_out]

    @property
    def artifacts(self) -> dict[str, str]:
        """What a plan says of the teacher; nothing where there is none to ask."""
        return {"teacher": self.asking.teacher.identity} if self.asking.teacher else {}


def terms_of(config: Config, lake: Lake, day: str) -> Terms:
    """On what terms the teacher of a configuration is asked for a day. Raises `ConfigError` where it cannot be had."""
    tags = config.tags
    teacher = find_teacher(tags, config.home)
    pages, handbook = current_pages(lake, day) if tags.use_handbook else ({}, {})
    why_nobody = "" if teacher else NO_TEACHER
    if teacher and tags.use_handbook and not pages:
        teacher, why_nobody = None, NO_HANDBOOK
    roots = tuple(str(root) for root in config.image_roots) if tags.use_pictures else ()
    prices = (tags.price_in, tags.price_out)
    asking = Asking(
        teacher, Answers.of(lake), pages, roots, prices=prices, max_new_tokens=tags.max_new_tokens
    )
    return Terms(asking, tags, handbook, why_nobody)


@contextmanager
def asked_once(
    todo: DataFrame, terms: Terms, plan: Plan, what: str, passed_over: Column | None = None
) -> Iterator[DataFrame]:
    """Rows of `note_questions.ROWS_DDL` for notes of `PREPARED_DDL`, each asked about once while the block lasts.

    `passed_over` says of notes why they are not asked about, null where they may be; it may look at what `LOOKED_UP_DDL`
    adds. `what` goes on after the number of notes in the log, before the first question. Raises `LakeError` where the
    teacher is gone.
    """
    reason = F.lit(None).cast("string") if passed_over is None else passed_over
    columns = [column.split(" ")[0] for column in PREPARED_DDL.split(", ")]
    found = todo.select(*columns, *(["is_sampled"] if "is_sampled" in todo.columns else []))
    if "is_sampled" not in found.columns:
        found = found.withColumn("is_sampled", F.lit(True))
    with (
        persisted(found.mapInArrow(looked_up(terms.asking), LOOKED_UP_DDL), plan) as looked,
        teacher_errors(plan),
    ):
        num_todo = looked.count()
        choice = within_budget(
            looked.where(~F.col("is_filed") & reason.isNull()), terms.purse, terms.tags.max_new_tokens
        )
        _log_estimate(terms, plan, num_todo, what, choice)
        asking = _with_shares(terms.asking, terms.purse, choice)
        num_tasks = 1 if is_on_server(terms.tags) else max(1, -(-choice.num_calls // ROWS_A_TASK))
        judged = looked.withColumn("verdict", _verdict(reason, choice, terms.why_nobody or NO_BUDGET))
        with persisted(_with_answers(judged, asking, num_tasks, num_todo), plan) as fresh:
            yield fresh


def _verdict(passed_over: Column, choice: Choice, otherwise: str) -> Column:
    """Why nobody is asked about a note; empty where somebody is, or was."""
    known = F.when(F.col("is_filed") | choice.condition, "").otherwise(otherwise)
    return F.coalesce(passed_over, known)


def _with_answers(judged: DataFrame, asking: Asking, num_tasks: int, num_todo: int) -> DataFrame:
    """The rows of judged notes, those that call the teacher laid out over `num_tasks` tasks, the same on every run."""
    is_call = ~F.col("is_filed") & (F.col("verdict") == "")
    calls = judged.where(is_call).repartition(num_tasks, "note_id").sortWithinPartitions("note_id")
    num_ready = -(-max(num_todo, 1) // READY_ROWS_A_TASK)
    ready = judged.where(~is_call).repartition(num_ready, "note_id").sortWithinPartitions("note_id")
    rows = asked_rows(asking)
    return ready.mapInArrow(rows, ROWS_DDL).unionByName(calls.mapInArrow(rows, ROWS_DDL))


def _with_shares(asking: Asking, purse: Purse, choice: Choice) -> Asking:
    """With what each call brings to its task's purse: its own price, and a part of what is left of the budget."""
    num_calls = max(choice.num_calls, 1)
    spare_cost = (purse.cost - choice.cost) / num_calls
    return replace(asking, calls_each=purse.calls / num_calls, spare_cost_each=spare_cost)


def _log_estimate(terms: Terms, plan: Plan, num_todo: int, what: str, choice: Choice) -> None:
    """Say what will be asked and what it costs at most, before it is."""
    if terms.asking.teacher is None:
        log.warning("%s ds=%s: %d notes are skipped: %s", plan.job, plan.day, num_todo, terms.why_nobody)
        return
    log.info(
        "%s ds=%s: %d %s; asking %s about %d of them, those answered before not counted (at most %d calls with repeated "
        "ones): up to %d tokens in, %d out, cost %.4f of %.4f",
        plan.job,
        plan.day,
        num_todo,
        what,
        terms.asking.identity,
        choice.num_calls,
        terms.tags.max_calls,
        choice.tokens_in,
        choice.tokens_out,
        choice.cost,
        terms.tags.max_cost,
    )


def counts_of(fresh: DataFrame) -> dict[str, int]:
    """What was done: notes by status, and what the calls of this run took and cost."""
    sums = [F.sum(F.when(F.col("is_new"), F.col(name)).otherwise(0)).alias(name) for name in SPENT]
    rows = fresh.groupBy("status").agg(F.count("*").alias("n"), F.sum(F.col("is_new").cast("int")).alias("new"), *sums)
    found = {row["status"]: row for row in rows.collect()}
    return {
        "num_fresh": sum(row["n"] for row in found.values()),
        "num_asked": sum(row["new"] for row in found.values()),
        **{f"num_{status}": found[status]["n"] if status in found else 0 for status in STATUSES},
        **{name: sum(int(row[name]) for row in found.values()) for name in SPENT[:-1]},
        "cost_millionths": round(sum(row["cost"] for row in found.values()) * 1e6),
    }


@contextmanager
def teacher_errors(plan: Plan) -> Iterator[None]:
    """Turn what a worker says of its teacher into one line for the person who runs the job."""
    try:
        yield
    except Exception as error:
        found = re.search(r"(?:TeacherGoneError|ConfigError): (.+)", str(error))
        if found is None:
            raise
        raise LakeError(f"{plan.job} ds={plan.day}: {found[1]}") from None
