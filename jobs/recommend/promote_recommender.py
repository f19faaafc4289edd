"""Make a recommender current from a day on if its published figures allow it; by hand whatever they say; or go back.

Without --generation it is the one that `recommender_metrics` of the day judge. With --force any generation is promoted,
whatever its figures; with --rollback the one before the current one is current again.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any

from jobs.config import add_run_arguments
from jobs.lake import Lake, LakeError, hold
from jobs.recommend.evaluations import published_evaluation
from jobs.recommend.promotions import KIND, before_current, current_recommender, promote
from jobs.recommend.recommender_gate import not_compared, shortfalls, worse_than_current
from jobs.recommend.speaker import require_whole
from jobs.session import run_job

READS = ("recommender_metrics",)
WRITES: tuple[str, ...] = ()
PROMOTIONS = ("true", "false", "if-better")
log = logging.getLogger("notemill")


def gated(lake: Lake, day: str, generation: str, how: str) -> bool:
    """Promote the judged recommender if it may be; whether it is current now. The log says why, or why not."""
    figures = published_evaluation(lake, day)
    if generation and figures["recommender"] != generation:
        raise LakeError(
            f"recommender_metrics ds={day} judge {figures['recommender']}, not {generation}: run evaluate_recommender --day "
            f"{day} --generation {generation} and publish it, or promote it with --force"
        )
    judged, before = figures["recommender"], current_recommender(lake, day)
    if how == "false" or before == judged:
        log.info(
            "recommender %s: %s", judged, "current already" if before == judged else "not promoted, as asked"
        )
        return before == judged
    short = shortfalls(figures) + (_worse(lake, day, figures) if how == "if-better" else [])
    if short:
        stays = f"{before} stays current" if before else "none is current yet"
        log.warning("recommender %s is not promoted, %s: %s", judged, stays, "; ".join(short))
        return False
    _promote(lake, judged, day, before)
    return True


def _worse(lake: Lake, day: str, figures: dict[str, Any]) -> list[str]:
    """Why the current one is better. Raises `LakeError` where the figures were made beside another one."""
    now, then = current_recommender(lake, day), (figures["current"] or {}).get("recommender")
    if now != then:
        raise LakeError(
            f"recommender {now or 'none'} is current as of ds={day}, the figures were made beside {then or 'none'}: run "
            f"evaluate_recommender --day {day} again, publish recommender_metrics, and then this"
        )
    if not_compared(figures):
        log.info(
            "recommender %s: only the floors are asked: %s", figures["recommender"], not_compared(figures)
        )
    return worse_than_current(figures)


def _promote(lake: Lake, generation: str, day: str, before: str | None) -> None:
    require_whole(lake, generation)
    promote(lake, generation, day)
    log.info("recommender %s: current since ds=%s (before: %s)", generation, day, before or "none")


def forced(lake: Lake, day: str, generation: str) -> None:
    """Promote a generation whatever its figures."""
    _promote(lake, generation, day, current_recommender(lake, day))


def rollback(lake: Lake, day: str) -> str:
    """Make the generation before current again; its name. Raises `LakeError` where there is none."""
    current, older = before_current(lake, day)
    _promote(lake, older, day, current)
    log.info("run the days from ds=%s on again to publish its recommendations", day)
    return older


def run(lake: Lake, args: argparse.Namespace) -> None:
    """Do what was asked, one promotion at a time."""
    if args.rollback and (args.force or args.generation):
        raise LakeError(
            "--rollback goes back to the generation before: it takes neither --generation nor --force"
        )
    if args.force and not args.generation:
        raise LakeError("--force promotes a generation by its name: give --generation")
    with hold(lake.root / "locks" / f"artifacts.{KIND}"):
        if args.rollback:
            rollback(lake, args.day)
        elif args.force:
            forced(lake, args.day, args.generation)
        else:
            gated(lake, args.day, args.generation, args.promote)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day` (the first day it is current for), which one, and how."""
    parser = add_run_arguments(argparse.ArgumentParser("promote_recommender", description=__doc__))
    parser.add_argument(
        "--generation", default="", help="which one; without it the one that the day's figures judge"
    )
    meaning = (
        "if-better: above the floors and no worse than the current one; true: above the floors; false: no"
    )
    parser.add_argument(
        "--promote", choices=PROMOTIONS, nargs="?", const="true", default="if-better", help=meaning
    )
    parser.add_argument("--force", action="store_true", help="promote --generation whatever its figures")
    parser.add_argument(
        "--rollback", action="store_true", help="make the generation before current again from --day on"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    run(args.config.open_lake(), args)


if __name__ == "__main__":
    run_job(main)
