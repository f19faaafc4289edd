"""Build the User Interest Handbook: what users of every category act on, mined from what they clicked and searched for."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.config import Config, add_run_arguments
from jobs.lake import Lake, LakeError, days_before
from jobs.notes.encoders import Encoder, find_encoder
from jobs.session import run_job, spark_session
from jobs.staging import Plan, file_hash, persisted, published_reads, run_once, stage_arrow
from jobs.tags import mined, phrase_workers
from jobs.tags.answers import Answers, Filing
from jobs.tags.decision_files import names_path, read_names
from jobs.tags.dimensions import grouped_phrases
from jobs.tags.handbook_rows import Measured, diff, measured, rows_of
from jobs.tags.mined import Evidence
from jobs.tags.naming import Draft, Named, named_pages
from jobs.tags.pages import last_pages
from jobs.tags.teachers import find_teacher
from models.tags import cohesion, mining
from models.tags.dimension_names import NO_NAMES, Names
from models.tags.handbook import Page
from models.tags.mining import Use
from schemas.tables import EVENTS, NOTES
from schemas.tag_tables import INTEREST_HANDBOOK

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.tags.asking import Teacher

READS = ("notes", "events")
WRITES = ("interest_handbook",)
log = logging.getLogger("notemill")
MAX_DIFF_LINES = 200


def window(lake: Lake, day: str, num_days: int) -> list[str]:
    """The days of the window whose events are published. Raises `LakeError` where none is."""
    days = days_before(day, max(num_days, 1))
    found = [d for d in days if lake.partition(EVENTS, d)]
    if not found:
        raise LakeError(
            f"build_handbook ds={day}: table events has no published day from {days[0]} to {day}: run clean_events "
            "for one of them, or raise tags.handbook_days"
        )
    for missing in sorted({*days} - {*found}):
        log.info("build_handbook ds=%s: events of %s are not published, passed over", day, missing)
    return found


def rows(
    notes: DataFrame,
    events: DataFrame,
    plan: Plan,
    encoders: Mapping[str, Encoder],
    last: Mapping[str, Page],
    teacher: Teacher | None,
    min_support: int,
    names: Names = NO_NAMES,
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The handbook's rows and counts. Raises `LakeError` where nothing was clicked."""
    with (
        persisted(mined.acts_of(events), plan) as done,
        persisted(mined.with_category_text(notes), plan) as texts,
    ):
        searches = done.where("query is not null and num_clicks > 0").select("query").distinct()
        sample = mined.sampled(texts, texts.count())
        vocabulary = mined.phrases(sample, searches, cohesion.Config())
        found = texts.mapInArrow(phrase_workers.phrases_of_notes(vocabulary), phrase_workers.NOTES)
        with (
            persisted(found, plan) as said,
            persisted(mined.with_phrases(done, said, vocabulary), plan) as acts,
        ):
            totals, leaves = mined.totals(acts), mined.uses(acts)
            if not totals[mining.ROOT].num_clicks:
                raise LakeError(
                    f"build_handbook ds={plan.day}: nobody clicked a note of the day in {', '.join(plan.reads)}: there "
                    "is nothing to mine; look at the events, or raise tags.handbook_days"
                )
            contexts = mined.context_counts(sample, searches, vocabulary)
            groups, spelt = grouped_phrases(contexts, mined.sampled(said, said.count()), leaves, encoders)
            readers, named = pages_of_groups(leaves, totals, groups, spelt, last, teacher, min_support, names)
            pages, explained = measured_pages(acts, named, readers, totals, spelt)
    result = rows_of(pages, readers, last)
    return result, _counts(result, readers, totals, len(vocabulary), explained, last)


def pages_of_groups(
    leaves: Mapping[tuple[str, str], Use],
    totals: Mapping[str, Use],
    groups: Sequence[Sequence[str]],
    spelt: Mapping[str, str],
    last: Mapping[str, Page],
    teacher: Teacher | None,
    min_support: int,
    names: Names = NO_NAMES,
) -> tuple[dict[str, str], dict[str, Named]]:
    """By category whose page it reads, and the dimensions of every page that is a category's own."""
    uses = mining.rolled_up(leaves)
    readers = mining.lenders(totals, min_support)
    drafts = []
    for category in sorted(set(readers.values())):
        found = mining.drafts(uses.get(category, {}), groups, totals[category], mining.Config())
        # A name is taken from the whole top category, so that all pages within call a dimension the same.
        top = uses.get(mining.prefixes(category)[: 1 + bool(category)][-1], {})
        clicks = {spelt[p]: use.num_clicks for p, use in top.items() if p in spelt}
        drafts.append(Draft(category, [[spelt[p] for p in values] for values in found], clicks))
    full = {d.category for d in drafts if d.groups}
    readers = {
        c: next((p for p in reversed(mining.prefixes(r)) if p in full), mining.ROOT)
        for c, r in readers.items()
    }
    return readers, named_pages([d for d in drafts if d.groups], last, teacher, names)


def measured_pages(
    acts: DataFrame,
    named: Mapping[str, Named],
    readers: Mapping[str, str],
    totals: Mapping[str, Use],
    spelt: Mapping[str, str],
) -> tuple[dict[str, Measured], int]:
    """Every own page with exact figures, and the engaged clicks that the page of the note's category explains."""
    phrase_of = {value: phrase for phrase, value in spelt.items()}
    places = {
        c: {phrase_of[v]: at for at, d in enumerate(n.dimensions) for v in d.values} for c, n in named.items()
    }
    hits = mined.hits(acts, places, readers)
    explained = sum(use.num_clicks for (_, at), use in hits.items() if at < 0)
    behind = _evidence(acts, places)
    return {
        c: measured(
            c,
            n,
            {at: use for (category, at), use in hits.items() if category == c and at >= 0},
            totals[c],
            {spelt[p]: e for p, e in behind.get(c, {}).items()},
        )
        for c, n in named.items()
    }, explained


def _evidence(acts: DataFrame, places: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, Evidence]]:
    """By page and phrase, from the evidence of the categories within: none of the best is lost in adding up."""
    found: dict[str, dict[str, Evidence]] = {}
    for (category, phrase), new in mined.evidence(acts).items():
        for prefix in mining.prefixes(category):
            if phrase in places.get(prefix, {}):
                old = found.setdefault(prefix, {}).get(phrase, Evidence((), ()))
                found[prefix][phrase] = Evidence([*old.notes, *new.notes], [*old.queries, *new.queries])
    return found


def _counts(
    found: Sequence[Mapping[str, Any]],
    readers: Mapping[str, str],
    totals: Mapping[str, Use],
    num_phrases: int,
    explained: int,
    last: Mapping[str, Page],
) -> dict[str, int]:
    changes = [row["change"] for row in found]
    keys = {(row["category"], row["dimension"]) for row in found}
    return {
        "num_engaged_clicks": totals[mining.ROOT].num_clicks,
        "num_explained_clicks": explained,
        "num_phrases": num_phrases,
        "num_pages": len(readers),
        "num_inherited_pages": sum(c != r for c, r in readers.items()),
        **{f"num_{kind}": changes.count(kind) for kind in ("new", "changed", "kept")},
        "num_gone": sum((c, d.name) not in keys for c, page in last.items() for d in page.dimensions),
    }


def stage(config: Config, lake: Lake, plan: Plan, days: Sequence[str], teacher: Teacher | None) -> None:
    """Mine the days, stage the handbook, and say what is new against the last one."""
    spark = spark_session("build_handbook")
    notes = spark.read.parquet(*lake.files(NOTES, plan.day))
    events = spark.read.parquet(*(file for day in days for file in lake.files(EVENTS, day)))
    encoders = {lang: find_encoder(name, config.home) for lang, name in config.encoders.items()}
    last, _ = last_pages(lake, plan.day)
    found, counts = rows(
        notes, events, plan, encoders, last, teacher, config.tags.min_support, read_names(names_path(lake))
    )
    stage_arrow(
        lake, INTEREST_HANDBOOK, plan, pa.Table.from_pylist(found, INTEREST_HANDBOOK.arrow_schema()), counts
    )
    told = diff(found, last)
    for line in told[:MAX_DIFF_LINES]:
        log.info("%s", line)
    left = f", {len(told) - MAX_DIFF_LINES} more lines of the diff" if len(told) > MAX_DIFF_LINES else ""
    log.info(
        "interest_handbook ds=%s: %s%s", plan.day, ", ".join(f"{k[4:]} {v}" for k, v in counts.items()), left
    )


def planned(config: Config, lake: Lake, day: str, days: Sequence[str], teacher: Teacher | None) -> Plan:
    """All that the handbook depends on: notes, events, the last handbook, the encoders and the teacher."""
    reads = published_reads(lake, [(NOTES, day), *((EVENTS, d) for d in days)])
    artifacts = {
        f"encoder {lang}": find_encoder(name, config.home).identity for lang, name in config.encoders.items()
    }
    artifacts |= {"teacher": teacher.identity} if teacher else {}
    names = names_path(lake)
    read_names(names)  # what is wrong with the file is said before anything is computed
    params = {"min_support": config.tags.min_support, **asdict(mining.Config()), **asdict(cohesion.Config())}
    return Plan(
        "build_handbook",
        day,
        {**reads, **last_pages(lake, day)[1]},
        sources={"names": file_hash(names)} if names.exists() else {},
        artifacts=artifacts,
        params=params,
    )


def teacher_of(config: Config, lake: Lake) -> Teacher | None:
    """The configured teacher, whose answers are filed. Raises `ConfigError` where it cannot be had."""
    found = find_teacher(config.tags, config.home)
    return Filing(found, Answers.of(lake)) if found else None


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`; the window and the least support are `tags` in the configuration."""
    return add_run_arguments(argparse.ArgumentParser("build_handbook", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    days = window(lake, args.day, config.tags.handbook_days)
    teacher = teacher_of(config, lake)
    plan = planned(config, lake, args.day, days, teacher)
    run_once(lake, plan, (INTEREST_HANDBOOK,), lambda: stage(config, lake, plan, days, teacher))


if __name__ == "__main__":
    run_job(main)
