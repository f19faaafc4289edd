"""SASRec trained as a baseline on the sequences that a recommender learned from, small enough for every evaluation.

    <lake>/artifacts/recommender_baseline/sasrec-{hash}/   model.safetensors; the hash is of all that it was trained on

Trained once for a day's instructions, whichever recommender is judged.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError, canonical_json, write_atomically
from jobs.staging import code_hash, file_hash
from models.recommend.sasrec import Config, SASRec
from models.recommend.sequences import PAD, Cases, Items, Sequences

KIND = "recommender_baseline"
WEIGHTS = "model.safetensors"
MAX_ITEMS = 100_000  # above which a softmax over all notes is no small baseline any more
EPOCHS, PATIENCE, MAX_STEPS = 60, 4, 4000
BATCH, RATE, DECAY = 128, 0.001, 0.01
MAX_VALID = 2048
LOG_SECONDS = 10.0
log = logging.getLogger("notemill")


def sasrec_of(
    lake: Lake, depends_on: Mapping[str, Any], sequences: Sequences, valid: Cases, num_items: int, length: int, seed: int
) -> SASRec | None:
    """The trained network, trained if it is not there yet; None where the catalogue is too large for it.

    `depends_on` names what the sequences were read from. Raises `LakeError` where the weights are not those written.
    """
    if num_items > MAX_ITEMS:
        log.info("sasrec: not trained, %d notes are more than %d", num_items, MAX_ITEMS)
        return None
    identity = {**depends_on, "length": length, "seed": seed, "code": code_hash()}
    name = "sasrec-" + hashlib.sha256(canonical_json(identity)).hexdigest()[:16]
    artifacts, network = Artifacts(lake, KIND), SASRec(num_items, Config(length=length))

    def fill(folder: Path) -> dict[str, Any]:
        curve = trained(network, sequences, valid, seed)
        tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
        write_atomically(folder / WEIGHTS, save(tensors))
        return {"depends_on": identity, "curve": curve}

    path = artifacts.write(name, fill) / WEIGHTS
    if not path.exists() or file_hash(path) != artifacts.manifest(name)["files"].get(WEIGHTS):
        raise LakeError(f"{path} is not the file that its manifest names: delete its folder and run evaluate_recommender")
    network.load_state_dict(load(path.read_bytes()))
    return network.eval()


def trained(network: SASRec, sequences: Sequences, valid: Cases, seed: int) -> list[float]:
    """Train to the best loss on validation answers; the losses after every epoch."""
    torch.manual_seed(seed)
    network.load_state_dict(SASRec(network.num_items, network.config).state_dict())  # begun from the seed alone
    history_WT, next_WT = windows(sequences, network.config.length)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    curve, best, kept, step, told = list[float](), float("inf"), network.state_dict(), 0, time.monotonic()
    for epoch in range(EPOCHS if len(history_WT) else 0):
        network.train()
        for rows_B in _steps(len(history_WT), seed, epoch):
            optimizer.zero_grad(set_to_none=True)
            network.loss(torch.from_numpy(history_WT[rows_B]), torch.from_numpy(next_WT[rows_B])).backward()
            optimizer.step()
            step += 1
        curve.append(_valid_loss(network, valid))
        if curve[-1] < best:
            best, kept = curve[-1], {name: value.clone() for name, value in network.state_dict().items()}
        if time.monotonic() - told > LOG_SECONDS:
            told = time.monotonic()
            log.info("sasrec: epoch %d, valid loss %.4f (best %.4f)", epoch + 1, curve[-1], best)
        if step >= MAX_STEPS or len(curve) - 1 - int(np.argmin(curve)) >= PATIENCE:
            break
    network.load_state_dict(kept)
    return curve


def windows(sequences: Sequences, length: int) -> tuple[Items, Items]:
    """Stretches of at most `length` items of a user and what came after each, padded on the left; every step of every user
    is learned once."""
    parts: list[Items] = []
    for start, stop in zip(sequences.indptr_U1[:-1].tolist(), sequences.indptr_U1[1:].tolist(), strict=True):
        parts += [sequences.item_M[max(start, at - length - 1) : at] for at in range(stop, start + 1, -length)]
    found = np.full((len(parts), length + 1), PAD, dtype=np.int64)
    for row, items in enumerate(parts):
        found[row, length + 1 - len(items) :] = items
    return found[:, :-1], np.where(found[:, :-1] == PAD, PAD, found[:, 1:])


def _steps(num_rows: int, seed: int, epoch: int) -> Iterator[Items]:
    order = np.random.default_rng([seed, epoch]).permutation(num_rows)
    for start in range(0, num_rows, BATCH):
        yield order[start : start + BATCH]


@torch.no_grad()
def _valid_loss(network: SASRec, valid: Cases) -> float:
    """Mean loss of validation answers; 0 where there are none, so that the first epoch stays."""
    network.eval()
    history_QT, target_Q = valid.history_QT[:MAX_VALID, -network.config.length :], valid.target_Q[:MAX_VALID]
    is_told_Q = (target_Q != PAD) & (history_QT != PAD).any(axis=1)
    total, history_QT, target_Q = 0.0, history_QT[is_told_Q], target_Q[is_told_Q]
    for start in range(0, len(target_Q), BATCH):
        part = slice(start, start + BATCH)
        next_QT = np.full_like(history_QT[part], PAD)
        next_QT[:, -1] = target_Q[part]
        total += float(network.loss(torch.from_numpy(history_QT[part]), torch.from_numpy(next_QT))) * len(next_QT)
    return total / max(1, len(target_Q))
