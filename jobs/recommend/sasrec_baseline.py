"""SASRec as a baseline of evaluations, trained once for the sequences that recommenders of a day learn from.

<lake>/artifacts/recommender_baseline/sasrec-{hash}/   model.safetensors; the hash is of all that decided the weights
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError, canonical_json, write_atomically
from jobs.recommend.sasrec_training import Recipe, train_sasrec, windows
from jobs.staging import code_hash, file_hash
from models.recommend.sasrec import Config, SASRec
from models.recommend.sequences import Cases, Sequences

KIND = "recommender_baseline"
WEIGHTS = "model.safetensors"
MAX_ITEMS = 100_000  # above which a softmax over all notes is no small baseline any more
MAX_STEPS = 3000  # of 128 windows: some minutes of a core
log = logging.getLogger("notemill")


def bounded(recipe: Recipe, num_windows: int) -> Recipe:
    """The recipe with no more epochs than `MAX_STEPS` allow: a baseline must not take longer than what it is beside."""
    steps_an_epoch = max(1, -(-num_windows // recipe.batch_size))
    return replace(recipe, epochs=max(1, min(recipe.epochs, MAX_STEPS // steps_an_epoch)))


def sasrec_of(
    lake: Lake,
    reads: Mapping[str, str],
    sequences: Sequences,
    valid: Cases,
    num_items: int,
    length: int,
    recipe: Recipe,
) -> SASRec | None:
    """The network for sequences that were read from `reads`, trained if it is not there yet; None, with the reason logged,
    where the catalogue is too large or there is nothing to learn. Raises `LakeError` where its file is another by now."""
    if num_items > MAX_ITEMS:
        log.info("sasrec           left out: %d notes are more than %d", num_items, MAX_ITEMS)
        return None
    config, recipe = Config(length=length), bounded(recipe, len(windows(sequences, length)))
    identity = {"reads": dict(reads), "config": asdict(config), "recipe": asdict(recipe), "code": code_hash()}
    name = "sasrec-" + hashlib.sha256(canonical_json(identity)).hexdigest()[:16]

    def fill(folder: Path) -> dict[str, Any]:
        found = train_sasrec(sequences, num_items, valid, config, recipe)
        tensors = {key: value.contiguous() for key, value in found.model.state_dict().items()}
        write_atomically(folder / WEIGHTS, save(tensors))
        return {"depends_on": identity, "curve": found.curve, "epoch": found.epoch}

    artifacts, network = Artifacts(lake, KIND), SASRec(num_items, config)
    try:
        path = artifacts.write(name, fill) / WEIGHTS
    except ValueError as error:
        log.info("sasrec           left out: %s", error)
        return None
    if not path.exists() or file_hash(path) != artifacts.manifest(name)["files"].get(WEIGHTS):
        raise LakeError(
            f"{path} is not the file that its manifest names: delete its folder and run evaluate_recommender"
        )
    network.load_state_dict(load(path.read_bytes()))
    return network.eval()
