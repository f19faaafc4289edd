"""Report the health of semantic IDs: of a day's published table (rows, JSON, a page), or of any published index file.

    python -m jobs.ids.report_health --config C --day D
    python -m jobs.ids.report_health --index theirs.json ours.json --pairs events.parquet --json figures.json
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np

from jobs.artifact import Artifacts
from jobs.config import Config, load_config
from jobs.ids.health_groups import code_groups, collisions
from jobs.ids.health_inputs import (
    DayIds,
    codebook_sizes,
    contents_of,
    day_of_other_generation,
    explained_by,
    ids_of,
    pairs_of,
)
from jobs.ids.health_page import PageParts, health_page
from jobs.ids.health_report import Report, Since, facts_of, rows_of, sentence
from jobs.ids.index_files import read_index, read_pairs
from jobs.lake import Lake, LakeError, day_text, write_atomically
from jobs.session import run_job
from jobs.staging import Plan, published_reads, run_once, stage_arrow
from models.ids.churn import churn
from models.ids.health import health, hit_cap
from models.ids.prefixes import alignment, category_codes
from schemas.id_tables import ID_HEALTH
from schemas.tables import NOTE_EMBEDDINGS, NOTE_PAIRS, NOTES, SEMANTIC_IDS

READS = ("semantic_ids", "notes", "note_pairs", "note_embeddings")
WRITES = ("id_health",)
log = logging.getLogger("notemill")


def report_of_file(path: Path, codes: int, pairs: Path | None) -> Report:
    """The figures of an index file. Raises `LakeError` where it does not read, or does not fit the codebook."""
    items, codes_NL = read_index(path)
    sizes = [codes] * codes_NL.shape[1]
    try:
        report = Report(path.stem, path.stem, sizes, health(codes_NL, sizes))
    except ValueError as error:
        raise LakeError(f"{path}: {error}; --codes gives its size") from None
    if pairs is None:
        return report
    known = read_pairs(pairs, items)
    if not len(known.pairs_P2):
        raise LakeError(f"{pairs} has no pair of two items of {path}")
    try:
        prefixes = alignment(codes_NL, known.pairs_P2, known.weight_P)
        cap = hit_cap(codes_NL, known.target_N) if known.target_N.any() else None
    except ValueError as error:
        raise LakeError(f"{pairs}: {error}") from None
    num_pairs, num_unknown = len(known.pairs_P2), known.num_unknown
    return report._replace(prefixes=prefixes, clicked_cap=cap, num_pairs=num_pairs, unknown_pairs=num_unknown)


def report_files(paths: list[Path], codes: int, pairs: Path | None, json_file: Path | None) -> None:
    """Print every index' figures, and write them all as one JSON list."""
    reports = [report_of_file(path, codes, pairs) for path in paths]
    for report in reports:
        log.info("%s", sentence(report))
    if json_file:
        write_atomically(json_file, _json([facts_of(report) for report in reports]))


def plan_of(lake: Lake, day: str, ids: DayIds) -> Plan:
    """What the figures depend on; of an earlier day only where a generation took another's place."""
    wanted = [(SEMANTIC_IDS, day), (NOTES, day)]
    wanted += [(table, day) for table in (NOTE_PAIRS, NOTE_EMBEDDINGS) if lake.partition(table, day)]
    before = day_of_other_generation(lake, day, ids.generation)
    wanted += [(SEMANTIC_IDS, before)] if before else []
    is_here = ids.generation in Artifacts(lake, "quantizer").generations()
    artifacts = {"quantizer": ids.generation if is_here else ""}
    return Plan("report_health", day, published_reads(lake, wanted), artifacts=artifacts)


def since_of(lake: Lake, day: str, ids: DayIds) -> Since | None:
    """The churn against the last day before, if it is of another generation."""
    before = day_of_other_generation(lake, day, ids.generation)
    if before is None:
        return None
    earlier = ids_of(lake, before)
    return Since(before, earlier.generation, churn(earlier.entries, ids.entries))


def report_day(lake: Lake, day: str, ids: DayIds, roots: tuple[Path, ...]) -> tuple[Report, str]:
    """All figures of a day, and its page."""
    codes_NL, sizes = ids.entries.codes_NL, codebook_sizes(lake, ids)
    contents = contents_of(lake, day, ids.entries.note_ids)
    pairs = pairs_of(lake, day, ids.entries.note_ids)
    try:
        report = Report(f"semantic_ids ds={day}", ids.generation, sizes, health(codes_NL, sizes, contents.text_N))
    except ValueError as error:
        raise LakeError(f"table semantic_ids ds={day} does not fit quantizer {ids.generation}: {error}") from None
    asked_N = np.bincount(pairs.pairs_P2[:, 1], weights=pairs.weight_P, minlength=len(codes_NL)).astype(float)
    if len(pairs.pairs_P2):
        report = report._replace(
            num_pairs=len(pairs.pairs_P2),
            unknown_pairs=pairs.num_unknown,
            prefixes=alignment(codes_NL, pairs.pairs_P2, pairs.weight_P),
            categories=alignment(category_codes(contents.categories), pairs.pairs_P2, pairs.weight_P),
            clicked_cap=hit_cap(codes_NL, asked_N),
        )
    report = report._replace(explained=explained_by(lake, day, ids), since=since_of(lake, day, ids))
    parts = PageParts(
        [np.bincount(codes_N, minlength=size) for codes_N, size in zip(codes_NL.T, sizes, strict=True)],
        code_groups(lake, day, ids, contents, asked_N, roots),
        collisions(lake, day, ids, contents, asked_N, roots),
    )
    return report, health_page(day, report, parts)


def stage_day(lake: Lake, day: str, config: Config, json_file: Path | None) -> None:
    """Stage the rows, and write page and JSON beside each other. Raises `LakeError` where a table does not fit."""
    ids = ids_of(lake, day)
    plan = plan_of(lake, day, ids)
    page = lake.root / "pages" / SEMANTIC_IDS.folder / f"ds={day}.html"
    figures = page.with_suffix(".json")

    def written() -> Report:
        report, text = report_day(lake, day, ids, config.image_roots)
        write_atomically(figures, _json(facts_of(report)))
        write_atomically(page, text.encode())
        return report

    run_once(lake, plan, (ID_HEALTH,), lambda: stage_arrow(lake, ID_HEALTH, plan, rows_of(written())))
    if not (page.exists() and figures.exists()):
        written()  # the rows are published already, but somebody has tidied the pages away
    if json_file:
        write_atomically(json_file, figures.read_bytes())
    log.info("%s", json.loads(figures.read_bytes())["in_words"])
    log.info("report_health ds=%s: %s", day, page)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def arg_parser() -> argparse.ArgumentParser:
    """Either `--index FILE ...`, or `--config` and `--day`."""
    kept = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("report_health", description=__doc__, formatter_class=kept)
    parser.add_argument("--config", type=load_config, help="the deployment's YAML file")
    parser.add_argument("--day", type=day_text, help="the published day, YYYY-MM-DD")
    parser.add_argument("--index", type=Path, nargs="+", default=[], help="JSON files of item to codes")
    parser.add_argument("--codes", type=int, default=256, help="size of a codebook of theirs")
    parser.add_argument("--pairs", type=Path, help="Parquet of pairs or events of their items: see jobs/ids/index_files.py")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    if not args.index and not (args.config and args.day):
        raise LakeError("nothing to report on: give --index FILE, or --config and --day")
    if args.index:
        report_files(args.index, args.codes, args.pairs, args.json)
    else:
        stage_day(args.config.open_lake(), args.day, args.config, args.json)


if __name__ == "__main__":
    run_job(main)
