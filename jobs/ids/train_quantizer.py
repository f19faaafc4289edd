"""Train the quantizer on a day's published embeddings, judge it by the health of its IDs, and promote it if it is sound."""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Mapping
from typing import Any

from jobs.artifact import Artifacts
from jobs.bounds import require_within
from jobs.config import add_run_arguments, yes_or_no
from jobs.ids.gates import weaknesses
from jobs.ids.inputs import require_sane_inputs, training_reads
from jobs.ids.settings import Quantizer
from jobs.lake import Lake, LakeError, hold
from jobs.session import run_job
from models.ids.text import MAX_LEVELS

# Beside embeddings only what the settings ask for: pictures or clicks as inputs, pairs for communities, category paths.
READS = ("note_embeddings", "picture_embeddings", "note_pairs", "notes")
WRITES: tuple[str, ...] = ()
KIND = "quantizer"
MAX_CODES = 65_536
log = logging.getLogger("notemill")


def require_sane(settings: Quantizer) -> None:
    """Raise `LakeError` where the configured settings cannot make semantic IDs."""
    levels = MAX_LEVELS - (settings.collisions == "extra")
    bounds = (
        ("levels", 1, levels),
        ("codes", 1, MAX_CODES),
        ("epochs", 1, 1_000_000),
        ("min_separated_share", 0, 1),
        ("min_used_share", 0, 1),
        ("min_last_perplexity_share", 0, 1),
        ("max_shared_share", 0, 1),
    )
    require_within("quantizer", settings, bounds)


def before_of(artifacts: Artifacts, day: str, recipe: str) -> tuple[str | None, bool]:
    """The generation current as of the day, and whether it is what this very training made."""
    current = artifacts.current(day)
    return current, bool(current) and artifacts.manifest(current or "").get("recipe") == recipe


def make_generation(lake: Lake, day: str, settings: Quantizer) -> str:
    """The name of the generation that the day's embeddings and the settings lead to, trained if it is not there yet.

    Its codes are numbered like those of the generation that is current as of the day. For a caller that holds the lock
    on trainings.
    """
    from jobs.ids.generations import build, generation_of, recipe_hash

    require_sane(settings)
    require_sane_inputs(settings)
    reads = training_reads(lake, day, settings)
    artifacts, recipe = Artifacts(lake, KIND), recipe_hash(reads, settings)
    before, is_made = before_of(artifacts, day, recipe)
    if before and is_made:
        log.info("quantizer %s: trained on the same notes with the same settings, and current already", before)
        return before
    generation = generation_of(recipe, before)
    folder = artifacts.write(generation, lambda half: build(lake, day, settings, generation, reads, before, half))
    for left_behind in artifacts.room.glob(".g*"):  # by this training, or by one that was killed and never resumed
        shutil.rmtree(left_behind, ignore_errors=True)
    facts = artifacts.manifest(generation)
    log.info("quantizer %s: %s, see %s", generation, _in_short(facts), folder / "card.md")
    return generation


def _in_short(facts: Mapping[str, Any]) -> str:
    from jobs.ids.quantizer import churn_sentence

    figures, handled = facts["figures"], facts["collisions"]
    used = "/".join(str(level["codes_used"]) for level in figures["levels"])
    return (
        f"codes used {used}, {figures['shared_share']:.1%} of notes have no ID of their own from the tokenizer, "
        f"{handled['num_tied'] / facts['num_rows']:.1%} after equal codes were treated. {churn_sentence(dict(facts))}"
    )


def promote_sound(lake: Lake, generation: str, since: str, settings: Quantizer) -> None:
    """Make a sound generation current from `since` on.

    Raises `LakeError` with all that is weak about it otherwise; the one before stays current.
    """
    artifacts = Artifacts(lake, KIND)
    weak = weaknesses(artifacts.manifest(generation), settings)
    if weak:
        before = artifacts.current(since)
        stays = f"{before} stays current" if before else "none is current yet"
        raise LakeError(
            f"quantizer {generation} is not promoted, {stays}: {'; '.join(weak)}. Look at "
            f"{artifacts.folder(generation) / 'card.md'}; train on a day with more notes, or after a look promote it by "
            f"hand: promote_quantizer --generation {generation} --since {since}"
        )
    artifacts.promote(generation, since)
    log.info("quantizer %s: current since ds=%s", generation, since)


def run(lake: Lake, day: str, settings: Quantizer, if_missing: bool, promote: bool) -> None:
    """Train, and promote if wanted; with `if_missing` not where a generation is current already."""
    artifacts = Artifacts(lake, KIND)
    if if_missing and not artifacts.current(day):
        log.info("quantizer: none is promoted yet, training the first one on ds=%s", day)
    with hold(lake.root / "locks" / f"artifacts.{KIND}"):
        # Asked under the lock: of two first days side by side one trains, and the other finds what it promoted.
        current = artifacts.current(day)
        if if_missing and current:
            log.info("quantizer: %s is current as of ds=%s, nothing to train", current, day)
            return
        generation = make_generation(lake, day, settings)
        if promote:
            promote_sound(lake, generation, day, settings)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, and what to do beside training."""
    parser = add_run_arguments(argparse.ArgumentParser("train_quantizer", description=__doc__))
    parser.add_argument("--if-missing", action="store_true", help="only where no generation is promoted yet; promotes it")
    promoted = "make it current from --day on, if its IDs are sound"
    parser.add_argument("--promote", type=yes_or_no, nargs="?", const=True, default=False, help=promoted)
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    run(args.config.open_lake(), args.day, args.config.quantizer, args.if_missing, args.promote or args.if_missing)


if __name__ == "__main__":
    run_job(main)
