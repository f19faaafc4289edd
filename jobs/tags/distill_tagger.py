"""Teach a small student what the teacher said of notes, hold it against the teacher on unseen notes, and promote it."""

from __future__ import annotations

import argparse
import logging
import shutil

from jobs.artifact import Artifacts
from jobs.bounds import require_within
from jobs.config import Config, Tags, add_run_arguments
from jobs.lake import Lake, hold
from jobs.session import run_job
from jobs.tags.lessons import Lessons, read_lessons
from jobs.tags.student import KIND, load_student
from jobs.tags.tagger_gate import MAX_JUDGED, OVERALL, figures, judge, shortfalls
from jobs.tags.tagger_inputs import Inputs, inputs_of

READS = ("teacher_tags", "notes", "interest_handbook", "events")
WRITES: tuple[str, ...] = ()
MIN_TRAINING, MIN_HELD_OUT = 20, 3  # notes, below which nothing can be learned or judged
PROMOTIONS = ("true", "false", "if-better")
log = logging.getLogger("notemill")


def make_generation(lake: Lake, config: Config, inputs: Inputs) -> str | None:
    """The name of the trained student, trained if it is not there yet; None, with the reason logged, where there is
    too little to learn from. For a caller that holds the lock on trainings."""
    from jobs.tags.tagger_training import train

    artifacts, generation = Artifacts(lake, KIND), inputs.generation(config.tags)
    if generation in artifacts.generations():
        log.info("tagger %s: trained already from the same inputs", generation)
        return generation
    lessons = read_lessons(lake, inputs.reads, config.image_roots)
    missing = too_little(lessons)
    if missing:
        log.info(
            "distill_tagger: nothing to learn from yet: %s. Configure tags.teacher and run extract_tags",
            missing,
        )
        return None
    artifacts.write(generation, lambda folder: train(lake, config, generation, inputs, lessons, folder))
    for left_behind in artifacts.room.glob(
        ".g*"
    ):  # by this training, or one that was killed and never resumed
        shutil.rmtree(left_behind, ignore_errors=True)
    return generation


def too_little(lessons: Lessons) -> str:
    """What there is too little of, in words; empty where there is enough."""
    if not lessons.num_lessons:
        return "no published teacher_tags of the window has a note with tags"
    slices = (
        ("to learn from", lessons.training, MIN_TRAINING),
        ("to say when to stop", lessons.stopping, MIN_HELD_OUT),
        ("to judge by", lessons.frozen, MIN_HELD_OUT),
    )
    short = [
        f"{len(found)} notes {what}, at least {least} are needed"
        for what, found, least in slices
        if len(found) < least
    ]
    return "; ".join(short)


def promote(lake: Lake, day: str, config: Config, inputs: Inputs, generation: str, how: str) -> None:
    """Make the student current from the day on if it is good enough; else the one before stays, and the log says why."""
    artifacts = Artifacts(lake, KIND)
    gate, before = artifacts.manifest(generation)["figures"], artifacts.current(day)
    whole = gate[OVERALL]
    log.info(
        "tagger %s: F1 %.3f (precision %.3f, recall %.3f) against the teacher on %d frozen notes, see %s",
        generation, whole["f1"], whole["precision"], whole["recall"], whole["num_notes"],
        artifacts.folder(generation) / "card.md",
    )  # fmt: skip
    if how == "false" or before == generation:
        return
    short = shortfalls(gate, config.tags.min_agreement)
    if not short and how == "if-better" and before:
        short = worse_than_before(lake, day, config, inputs, whole["f1"])
    if short:
        stays = f"{before} stays current" if before else "none is current yet"
        log.warning("tagger %s is not promoted, %s: %s", generation, stays, "; ".join(short))
        return
    artifacts.promote(generation, day)
    log.info("tagger %s: current since ds=%s", generation, day)


def worse_than_before(lake: Lake, day: str, config: Config, inputs: Inputs, f1: float) -> list[str]:
    """Why the current student is the better one on the same frozen notes; none where it is not."""
    current = load_student(lake, day, config)
    frozen = read_lessons(lake, inputs.reads, config.image_roots).frozen[:MAX_JUDGED]
    theirs = figures(judge(current, frozen, inputs.pages))["f1"] if current else 0.0
    return (
        [f"F1 is {f1:.3f}, the current one has {theirs:.3f} on the same frozen notes"] if f1 < theirs else []
    )


def run(config: Config, day: str, how: str) -> None:
    """Train, judge and promote, one training at a time."""
    lake = config.open_lake()
    require_sane(config.tags)
    with hold(lake.root / "locks" / f"artifacts.{KIND}"):
        inputs = inputs_of(lake, day, config)
        generation = make_generation(lake, config, inputs)
        if generation:
            promote(lake, day, config, inputs, generation, how)


def require_sane(settings: Tags) -> None:
    """Raise `LakeError` where the configured settings cannot make a student."""
    bounds = (
        ("distill_days", 1, 3650),
        ("distill_steps", 1, 10_000_000),
        ("rationale_weight", 0, 100),
        ("lora_rank", 0, 1024),
        ("min_agreement", 0, 1),
    )
    require_within("tags", settings, bounds)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, and when to promote."""
    parser = add_run_arguments(argparse.ArgumentParser("distill_tagger", description=__doc__))
    meaning = "make it current from --day on: if-better (good enough and no worse than the current one), true, false"
    parser.add_argument(
        "--promote", choices=PROMOTIONS, nargs="?", const="true", default="if-better", help=meaning
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    run(args.config, args.day, args.promote)


if __name__ == "__main__":
    run_job(main)
