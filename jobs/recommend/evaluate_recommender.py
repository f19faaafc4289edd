"""Judge a recommender on the held-out answers of a day's instructions, beside what counts and SASRec: rows, JSON, a page.

Test answers are for reporting and for the gate; `--part valid` judges on those that settings are chosen by, and prints
the figures without staging them.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from jobs.artifact import Artifacts
from jobs.config import Config, add_run_arguments
from jobs.ids.catalogue_trie import binding_of, trie_of
from jobs.lake import Lake, LakeError, write_atomically
from jobs.recommend.content_neighbours import content_reads
from jobs.recommend.evaluations import evaluation_name, read_evaluation, write_evaluation
from jobs.recommend.promotions import KIND, current_recommender
from jobs.recommend.recommender_page import recommender_page
from jobs.recommend.speaker import require_servable
from jobs.session import run_job
from jobs.staging import Plan, published_reads, run_once, stage_arrow
from schemas.recommend_tables import INSTRUCTIONS, RECOMMENDER_METRICS
from schemas.tables import NOTES, SEMANTIC_IDS

READS = ("recommend_instructions", "semantic_ids", "notes", "note_embeddings")
WRITES = ("recommender_metrics",)
JUDGED_BY = ("history", "split", "beams", "top", "guidance", "content", "exclude_seen", "max_judged", "seed")
log = logging.getLogger("notemill")


def judged_generation(lake: Lake, day: str, config: Config, named: str) -> str:
    """The recommender that is to be judged: the one named, or the one that this configuration trains on the day, or the
    newest trained from the day's instructions. Raises `LakeError` where there is none."""
    from jobs.recommend.recommender_inputs import inputs_of

    artifacts = Artifacts(lake, KIND)
    if named:
        artifacts.folder(named)
        return named
    key = f"{INSTRUCTIONS.name}/ds={day}"
    partition = published_reads(lake, [(INSTRUCTIONS, day)])[key]
    trained = [
        g
        for g in artifacts.generations()
        if artifacts.manifest(g)["depends_on"]["reads"].get(key) == partition
    ]
    if not trained:
        raise LakeError(
            f"no recommender was trained from recommend_instructions ds={day} as published now, partition {partition}: run "
            f"train_recommender --day {day}, or name a --generation"
        )
    wanted = inputs_of(lake, day, config).generation(config.recommend)
    if wanted in trained:
        return wanted
    newest = max(
        trained, key=lambda name: ((artifacts.folder(name) / "manifest.json").stat().st_mtime_ns, name)
    )
    log.info(
        "recommender %s: the newest of %s trained from the day's instructions", newest, ", ".join(trained)
    )
    return newest


def plan_of(lake: Lake, day: str, config: Config, generation: str, part: str) -> Plan:
    """All that the figures depend on. Raises `LakeError` where the day's IDs are not those that the recommender speaks."""
    reads = published_reads(lake, [(INSTRUCTIONS, day), (SEMANTIC_IDS, day), (NOTES, day)])
    reads |= content_reads(lake, day, config.recommend)
    current = current_recommender(lake, day)
    artifacts = {
        "recommender": generation,
        "current": current if current and current != generation else "",
        "trie": trie_of(lake, day, Artifacts(lake, KIND).manifest(generation)["quantizer"]).manifest[
            "partition"
        ],
        "quantizer": binding_of(lake, day).generation,
    }
    settings = asdict(config.recommend)
    params = {**{name: settings[name] for name in JUDGED_BY}, "part": part}
    return Plan("evaluate_recommender", day, reads, artifacts=artifacts, params=params)


def rows_of(facts: dict[str, Any]) -> pa.Table:
    """The rows of `recommender_metrics`."""
    rows = [{"recommender": facts["recommender"], **figure} for figure in facts["figures"]]
    return pa.Table.from_pylist(rows, schema=RECOMMENDER_METRICS.arrow_schema())


def stage_day(lake: Lake, config: Config, plan: Plan) -> None:
    """Judge, keep the evaluation, and stage its figures; the page lies with those of the other tables."""
    from jobs.recommend.judging_day import judged_day

    generation = plan.artifacts["recommender"]
    name = evaluation_name(generation, plan.fingerprint)

    def compute() -> None:
        facts = judged_day(lake, config, plan)
        write_evaluation(lake, generation, plan.day, plan.fingerprint, facts)
        counts = {"num_cases": facts["num_cases"], "num_users": facts["num_users"]}
        stage_arrow(lake, RECOMMENDER_METRICS, plan, rows_of(facts), counts)

    run_once(lake, plan, (RECOMMENDER_METRICS,), compute)
    facts = read_evaluation(lake, name)
    page = lake.root / "pages" / RECOMMENDER_METRICS.folder / f"ds={plan.day}.html"
    write_atomically(page.with_suffix(".json"), _json(facts))
    write_atomically(page, recommender_page(facts).encode())
    for words in facts["remarks"]:
        log.warning("recommender %s: %s", generation, words)
    log.info("evaluate_recommender ds=%s: %s", plan.day, page)


def print_valid(lake: Lake, config: Config, plan: Plan) -> None:
    """Tell the figures of the validation answers."""
    from jobs.recommend.judging_day import judged_day

    facts = judged_day(lake, config, plan)
    for figure in facts["figures"]:
        if figure["slice"] == "all" and figure["k"] in (1, 10):
            log.info("%(arm)-16s %(metric)s@%(k)d %(value).4f (%(low).4f to %(high).4f)", figure)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, which recommender, and on which answers."""
    parser = add_run_arguments(argparse.ArgumentParser("evaluate_recommender", description=__doc__))
    parser.add_argument(
        "--generation", default="", help="without it the one trained from the day's instructions"
    )
    parser.add_argument(
        "--part", choices=("test", "valid"), default="test", help="valid: print figures to choose by"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    require_servable(args.config.recommend)
    generation = judged_generation(lake, args.day, args.config, args.generation)
    plan = plan_of(lake, args.day, args.config, generation, args.part)
    (stage_day if args.part == "test" else print_valid)(lake, args.config, plan)


if __name__ == "__main__":
    run_job(main)
