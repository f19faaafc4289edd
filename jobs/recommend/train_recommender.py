"""Train the generative recommender on a day's published instructions: a candidate, which `promote_recommender` judges."""

from __future__ import annotations

import argparse
import logging
import shutil

from jobs.artifact import Artifacts
from jobs.bounds import require_within
from jobs.config import Config, ConfigError, add_run_arguments
from jobs.lake import Lake, LakeError, hold
from jobs.recommend.settings import Recommend
from jobs.session import run_job

READS = ("recommend_instructions", "semantic_ids", "note_embeddings")
WRITES: tuple[str, ...] = ()
KIND = "recommender"
log = logging.getLogger("notemill")


def require_sane(settings: Recommend) -> None:
    """Raise `LakeError` where the configured settings cannot make a recommender."""
    from jobs.recommend.base_model import LAZY, is_compact

    bounds = (
        ("history", 1, 200),
        ("epochs", 1, 10_000),
        ("batch_size", 1, 1_000_000),
        ("parts", 1, 1_000_000),
        ("learning_rate", 1e-7, 1),
        ("dropout", 0, 0.9),
        ("neighbours", 0, 0.9),
        ("patience", 1, 10_000),
        ("lora_rank", 0, 1024),
        ("processes", 1, 64),
    )
    require_within("recommend", settings, bounds)
    if settings.processes > settings.batch_size:
        raise LakeError(
            f"recommend.processes is {settings.processes}: no more than recommend.batch_size ({settings.batch_size})"
        )
    if not settings.model:
        raise LakeError("recommend.model is empty: write lazy, causal, t5, a folder or a Hugging Face id")
    if settings.model == LAZY and settings.tasks != "next_item":
        raise ConfigError(
            f"recommend.tasks is {settings.tasks}: the model {LAZY} reads and writes no text; write next_item, or another "
            "recommend.model (causal, t5, a folder or a Hugging Face id)"
        )
    if settings.lora_rank and is_compact(settings):
        raise LakeError(
            f"recommend.lora_rank is {settings.lora_rank}: the compact model {settings.model} has nothing to adapt, it is "
            "trained whole: write 0"
        )


def make_generation(lake: Lake, day: str, config: Config) -> str:
    """The name of the recommender that the day's instructions and the settings lead to, trained if it is not there yet.

    For a caller that holds the lock on trainings.
    """
    from jobs.recommend.recommender_inputs import inputs_of
    from jobs.recommend.recommender_training import build

    inputs = inputs_of(lake, day, config)
    artifacts, generation = Artifacts(lake, KIND), inputs.generation(config.recommend)
    if generation in artifacts.generations():
        log.info("recommender %s: trained already from the same inputs", generation)
        return generation
    log.info("recommender %s: trains on ds=%s", generation, day)
    folder = artifacts.write(generation, lambda half: build(lake, day, config, generation, inputs, half))
    for left_behind in artifacts.room.glob(
        ".g*"
    ):  # by this training, or by one that was killed and never resumed
        shutil.rmtree(left_behind, ignore_errors=True)
    facts = artifacts.manifest(generation)
    log.info(
        "recommender %s: a candidate after %d epochs, valid loss %.4f, see %s",
        generation, len(facts["curve"]), facts["best_loss"], folder / "card.md",
    )  # fmt: skip
    return generation


def run(config: Config, day: str) -> str:
    """Train, one training at a time; the candidate's name."""
    require_sane(config.recommend)
    lake = config.open_lake()
    with hold(lake.root / "locks" / f"artifacts.{KIND}"):
        return make_generation(lake, day, config)


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("train_recommender", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    run(args.config, args.day)


if __name__ == "__main__":
    run_job(main)
