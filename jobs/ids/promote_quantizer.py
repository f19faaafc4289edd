"""Make a generation of the quantizer current from a day on, by hand, whatever its health (rollback_quantizer goes back)."""

from __future__ import annotations

import argparse
import logging

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.ids.quantizer import require_whole
from jobs.lake import day_text
from jobs.session import run_job

READS: tuple[str, ...] = ()
WRITES: tuple[str, ...] = ()
log = logging.getLogger("notemill")


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, the generation and its first day."""
    parser = argparse.ArgumentParser("promote_quantizer", description=__doc__)
    parser.add_argument("--config", type=load_config, required=True, help="the deployment's YAML file")
    parser.add_argument("--generation", required=True, help="which one, such as g0123456789ab")
    parser.add_argument("--since", type=day_text, required=True, help="the first day it is current for, YYYY-MM-DD")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    artifacts = Artifacts(args.config.open_lake(), "quantizer")
    before = artifacts.current(args.since)
    require_whole(artifacts, args.generation)
    artifacts.promote(args.generation, args.since)
    log.info("quantizer %s: current since ds=%s (before: %s)", args.generation, args.since, before or "none")


if __name__ == "__main__":
    run_job(main)
