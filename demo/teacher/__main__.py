"""The command `python -m demo.teacher`: train the demo's teacher, or find it where it was trained before."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from transformers.utils import logging

from demo.teacher.folder import Recipe, make_teacher
from demo.teacher.training import Course, Progress
from demo.world import log

_EVERY_S = 5.0


def arg_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.teacher",
        description="Train the small image-text model that tags a generated world, on the notes of another one. "
        "The last line printed is its folder; run again, nothing is trained.",
    )
    add = parser.add_argument
    add("--world", type=Path, required=True, metavar="DIR", help="the generated world that it will read")
    add("--out", type=Path, required=True, metavar="DIR", help="where teachers are kept")
    add("--steps", type=int, default=Course.steps, help="training steps (%(default)s)")
    add("--seconds", type=float, default=Course.seconds, help="end the schedule early after so long (never)")
    add("--notes", type=int, default=Recipe.num_notes, help="notes of the training world (%(default)s)")
    add("--threads", type=int, default=Course.threads, help="cores to train on (%(default)s)")
    return parser


def world_seed(world: Path) -> int:
    """The seed of a generated world. Raises `ValueError` where the folder is none."""
    try:
        return int(json.loads((world / "world.json").read_text(encoding="utf-8"))["world"]["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"--world {world} is no generated world ({error}): make one with `python -m demo`"
        ) from None


class Teller:
    """Says every few seconds how far the training is."""

    def __init__(self) -> None:
        self.said = time.monotonic() - _EVERY_S

    def __call__(self, progress: Progress) -> None:
        """Print a line where the last one is old, and at the end."""
        if time.monotonic() - self.said < _EVERY_S and progress.step < progress.steps:
            return
        self.said = time.monotonic()
        log(
            f"teacher: {progress.stage}, step {progress.step} of {progress.steps}, loss {progress.loss:.3f}, "
            f"about {progress.seconds_left:.0f} s left"
        )


def main(argv: list[str] | None = None) -> int:
    """Train or find the teacher; 2 where the options do not allow it."""
    parser = arg_parser()
    args = parser.parse_args(argv)
    logging.disable_progress_bar()
    try:
        course = Course(steps=args.steps, seconds=args.seconds, threads=args.threads)
        recipe = Recipe(world_seed(args.world), num_notes=args.notes, course=course)
        started = time.monotonic()
        folder, is_new = make_teacher(recipe, args.out, Teller())
    except (ValueError, OSError) as error:
        parser.error(str(error))
    log(
        f"teacher: trained in {time.monotonic() - started:.0f} s" if is_new else "teacher: was trained before"
    )
    log(str(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
