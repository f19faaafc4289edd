"""Train the quantizer on a day's published embeddings, judge it by the health of its IDs, and promote it if it is sound."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.artifact import Artifacts
from jobs.config import Quantizer, add_run_arguments, yes_or_no
from jobs.lake import Lake, LakeError, canonical_json, hold
from jobs.session import run_job
from jobs.staging import code_hash, published_reads
from models.ids.text import MAX_LEVELS
from schemas.tables import NOTE_EMBEDDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.ids.rqvae import Config

READS = ("note_embeddings",)
WRITES: tuple[str, ...] = ()
KIND = "quantizer"
# At 384 dimensions 400 MB; more notes than this do not move the centroids of a few hundred codes.
MAX_ROWS = 262_144
MAX_CODES = 65_536
NOTES_A_CODE = 4  # from this many notes for each code on, a level must use half of its codes
log = logging.getLogger("notemill")


class TrainingRows(NamedTuple):
    """What is learned from: vectors_ND in order of note_id, content_N (equal vectors, equal numbers), their encoders."""

    vectors_ND: NDArray[np.float32]
    content_N: NDArray[np.int64]
    encoders: list[str]
    num_notes: int


def generation_of(reads: Mapping[str, str], settings: Quantizer) -> str:
    """The name of what training would make: it stands for the embeddings, the settings and the code."""
    learned_from = {name: value for name, value in dataclasses.asdict(settings).items() if name != "min_separated_share"}
    identity = {"reads": dict(reads), "settings": learned_from, "code": code_hash()}
    return "g" + hashlib.sha256(canonical_json(identity)).hexdigest()[:12]


def weaknesses(facts: Mapping[str, Any], min_separated_share: float) -> list[str]:
    """Why a generation must not be promoted, in words; none where it is sound."""
    codes, figures = facts["settings"]["codes"], facts["figures"]
    found = [
        f"level {number} uses {level['codes_used']} of its {codes} codes, at least half must be in use"
        for number, level in enumerate(figures["levels"], start=1)
        if facts["num_contents"] >= NOTES_A_CODE * codes and level["codes_used"] * 2 < codes
    ]
    if figures["separable_unique_rate"] < min_separated_share:
        found.append(
            f"{facts['num_contents']} different vectors get only {figures['num_ids']} different IDs "
            f"({figures['separable_unique_rate']:.1%}), quantizer.min_separated_share asks for {min_separated_share:.1%}"
        )
    return found


def read_rows(lake: Lake, day: str) -> TrainingRows:
    """The day's vectors. Raises `LakeError` where there are none."""
    import numpy as np

    from jobs.ids.vectors import embedded_notes, sample_ids, vectors_of
    from models.ids.health import row_groups

    notes = embedded_notes(lake, day)
    if not len(notes):
        raise LakeError(f"table note_embeddings ds={day} has no rows to train a quantizer on: choose a day that has notes")
    pieces = list(vectors_of(lake, day, sample_ids(notes, MAX_ROWS)))
    order = np.argsort(np.array([note for piece in pieces for note in piece.note_ids]), kind="stable")
    vectors_ND = np.concatenate([piece.vectors_ND for piece in pieces])[order]
    encoders = sorted(notes.column("encoder").unique().to_pylist())
    return TrainingRows(vectors_ND, row_groups(vectors_ND), encoders, len(notes))


def require_sane(settings: Quantizer) -> None:
    """Raise `LakeError` where the configured settings cannot make semantic IDs."""
    for name, value, low, high in (
        ("levels", settings.levels, 1, MAX_LEVELS),
        ("codes", settings.codes, 1, MAX_CODES),
        ("epochs", settings.epochs, 1, 1_000_000),
        ("min_separated_share", settings.min_separated_share, 0, 1),
    ):
        if not low <= value <= high:
            raise LakeError(f"quantizer.{name} is {value}: it must be from {low} to {high}")


def sized(settings: Quantizer, rows: TrainingRows) -> tuple[Config, str]:
    """The network for these rows, and a sentence on the number of codes: no more than there are different vectors."""
    from models.ids.rqvae import Config

    num_contents = int(rows.content_N.max()) + 1
    codes = max(1, min(settings.codes, num_contents))
    note = f"{codes} codes a level, as configured."
    if codes < settings.codes:
        note = f"{codes} codes a level, not {settings.codes} as configured: there are only {num_contents} different vectors."
        log.warning("quantizer: %s", note)
    return Config(input_dim=rows.vectors_ND.shape[1], levels=settings.levels, codes=codes), note


def train(
    lake: Lake, day: str, settings: Quantizer, generation: str, reads: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """Train into `folder` and return the facts for the manifest."""
    from jobs.ids.quantizer import quantizer_card, save_quantizer
    from jobs.ids.training import Recipe, Training, facts_of, judged, recipe_facts

    rows = read_rows(lake, day)
    config, codes_note = sized(settings, rows)
    recipe = Recipe(settings.epochs, settings.seed)
    log.info("quantizer %s: trains on %d of %d notes of ds=%s", generation, len(rows.content_N), rows.num_notes, day)
    best = Training(config, recipe, rows.vectors_ND, rows.content_N).run(_state_of(lake, generation) / "state.safetensors")
    facts = {
        "trained_on": f"{next(iter(reads))}/{next(iter(reads.values()))}",
        "depends_on": {"reads": dict(reads), "code": code_hash()},
        "encoders": rows.encoders,
        "num_notes": rows.num_notes,
        "num_rows": len(rows.content_N),
        "num_contents": int(rows.content_N.max()) + 1,
        "settings": recipe_facts(config, recipe),
        "codes_note": codes_note,
        "epoch": best.epoch,
        "loss": best.loss,
        "figures": facts_of(judged(config, best.weights, rows.vectors_ND, rows.content_N)),
    }
    save_quantizer(folder, config, best.weights, quantizer_card(generation, facts))
    return facts


def _state_of(lake: Lake, generation: str) -> Path:
    return lake.root / "artifacts" / KIND / f".{generation}.training"


def make_generation(lake: Lake, day: str, settings: Quantizer) -> str:
    """The name of the generation that the day's embeddings and the settings lead to, trained if it is not there yet.

    For a caller that holds the lock on trainings.
    """
    require_sane(settings)
    reads = published_reads(lake, [(NOTE_EMBEDDINGS, day)])
    generation, artifacts = generation_of(reads, settings), Artifacts(lake, KIND)
    folder = artifacts.write(generation, lambda half: train(lake, day, settings, generation, reads, half))
    for left_behind in artifacts.room.glob(".g*"):  # by this training, or by one that was killed and never resumed
        shutil.rmtree(left_behind, ignore_errors=True)
    figures = artifacts.manifest(generation)["figures"]
    log.info("quantizer %s: %s, see %s", generation, _in_short(figures), folder / "card.md")
    return generation


def _in_short(figures: Mapping[str, Any]) -> str:
    used = "/".join(str(level["codes_used"]) for level in figures["levels"])
    return f"codes used {used}, {figures['shared_share']:.1%} of notes have no ID of their own"


def promote_sound(lake: Lake, generation: str, since: str, min_separated_share: float) -> None:
    """Make a sound generation current from `since` on.

    Raises `LakeError` with all that is weak about it otherwise; the one before stays current.
    """
    artifacts = Artifacts(lake, KIND)
    weak = weaknesses(artifacts.manifest(generation), min_separated_share)
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
            promote_sound(lake, generation, day, settings.min_separated_share)


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
