"""Take a promotion of the quantizer back: the generation before becomes current again from a day on."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.ids.quantizer import KIND, require_whole
from jobs.lake import Lake, LakeError, day_text, hold
from jobs.session import run_job

READS: tuple[str, ...] = ()
WRITES: tuple[str, ...] = ()
log = logging.getLogger("notemill")


def before_current(promotions: Sequence[dict[str, str]], since: str) -> tuple[str, str]:
    """The generation current as of a day, and the one that was current as of it before.

    Raises `LakeError` where there is none to go back to.
    """
    known = [entry["generation"] for entry in promotions if entry["since"] <= since]
    older = [generation for generation in known if generation != known[-1]]
    if not older:
        only = f"{known[-1]} is the only one" if known else "none is"
        raise LakeError(f"there is no quantizer to go back to: {only} ever promoted for ds={since} or earlier")
    return known[-1], older[-1]


def rollback(lake: Lake, since: str) -> str:
    """Make the generation before current again from `since` on; its name. Raises `LakeError` as `before_current`."""
    artifacts = Artifacts(lake, KIND)
    with hold(lake.root / "locks" / f"artifacts.{KIND}"):
        current, older = before_current(artifacts.promotions(), since)
        require_whole(artifacts, older)
        artifacts.promote(older, since)
    log.info(
        "quantizer %s: current again since ds=%s (%s no more). Its IDs are in its ledger as they were; run the days from "
        "there on again to publish them",
        older,
        since,
        current,
    )
    return older


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and the first day."""
    parser = argparse.ArgumentParser("rollback_quantizer", description=__doc__)
    parser.add_argument("--config", type=load_config, required=True, help="the deployment's YAML file")
    parser.add_argument("--since", type=day_text, required=True, help="the first day that goes back, YYYY-MM-DD")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    rollback(args.config.open_lake(), args.since)


if __name__ == "__main__":
    run_job(main)
