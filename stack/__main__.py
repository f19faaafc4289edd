"""The embedded stack's command line: `python -m stack demo | run | train | ui | status | down`."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path

from stack import commands
from stack.environment import num_cores
from stack.home import StackError, base_folder


def arg_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__, allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", required=True)
    demo = actions.add_parser("demo", help="generate a world and run the daily DAG over it")
    demo.add_argument("--notes", type=positive, default=500)
    demo.add_argument("--days", type=positive, default=commands.DEMO_DAYS)
    demo.add_argument("--teacher", action="store_true", help="train a small model first that tags the last day's notes")
    run = actions.add_parser("run", help="run the daily DAG on your own data")
    run.add_argument("--config", type=existing_file, required=True)
    run.add_argument("--day", type=day, help="one day, started by hand")
    run.add_argument("--from", dest="first", type=day, metavar="DAY", help="the first day of a backfill")
    run.add_argument("--to", dest="last", type=day, metavar="DAY", help="the last day of a backfill, included")
    run.add_argument("--reprocess", choices=("none", "failed", "completed"), default="failed", help="days that ran before")
    for action in (demo, run):
        action.add_argument("--max-active-runs", type=positive, default=num_cores(), metavar="N", help="days at once")
    train = actions.add_parser("train", help="run the training DAG")
    train.add_argument("--day", type=day)
    ui = actions.add_parser("ui", help="leave the servers up")
    ui.add_argument("--schedule", action="store_true", help="let unpaused DAGs start on their schedule")
    for action in (train, ui):
        action.add_argument("--config", type=existing_file, default=base_folder() / "demo" / "config.yaml")
    actions.add_parser("status", help="what runs, and where")
    actions.add_parser("down", help="stop it")
    return parser


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write YYYY-MM-DD") from None


def existing_file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def days_of(options: argparse.Namespace) -> commands.Days:
    """The wanted days. Raises StackError where neither a day nor a range is given, or the range is reversed."""
    if options.day:
        return commands.Days(options.day, options.day)
    if not (options.first and options.last):
        raise StackError("say which days: DAY=YYYY-MM-DD, or FROM=YYYY-MM-DD TO=YYYY-MM-DD")
    if options.first > options.last:
        raise StackError(f"the range ends ({options.last}) before it begins ({options.first})")
    return commands.Days(options.first, options.last)


def act(options: argparse.Namespace) -> int:
    if options.action == "demo":
        return commands.demo(
            options.notes, options.days, options.max_active_runs, with_teacher=options.teacher
        )
    if options.action == "run":
        return commands.run(
            options.config,
            days_of(options),
            by_hand=options.day is not None,
            num_active=options.max_active_runs,
            reprocess=options.reprocess,
        )
    if options.action == "train":
        return commands.train(options.config, options.day.isoformat() if options.day else None)
    if options.action == "ui":
        return commands.ui(options.config, "--triggerer", *(["--schedule"] if options.schedule else []))
    return commands.status() if options.action == "status" else commands.down()


def main() -> int:
    try:
        return act(arg_parser().parse_args())
    except StackError as error:
        sys.stderr.write(f"\nnotemill: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
