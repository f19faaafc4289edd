"""Training of SASRec, the neural baseline: the same sequences, recipe and seed give the same weights on a CPU.

Arrays in, a network out: who trains it reads and keeps the rest. Shapes: W windows, T places, B windows of a batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jobs.ids.training import make_deterministic
from models.recommend.judging import judge_scores
from models.recommend.sasrec import Config, SASRec
from models.recommend.sequences import PAD, Cases, Items, Sequences

log = logging.getLogger("notemill")


@dataclass(frozen=True)
class Recipe:
    """Of Amazon Scientific's validation answers the defaults find their best after 18 epochs, 80 seconds of one core."""

    epochs: int = 60  # at most
    patience: int = 3  # judgements without a better NDCG@10
    judge_epochs: int = 3  # between judgements
    batch_size: int = 128
    learning_rate: float = 0.001
    weight_decay: float = 0.01
    exclude_seen: bool = True
    seed: int = 17


class Trained(NamedTuple):
    """The network with its best weights, and the curve that they were chosen by."""

    model: SASRec
    epoch: int
    curve: list[dict[str, float]]


def train_sasrec(
    sequences: Sequences, num_items: int, valid: Cases, config: Config, recipe: Recipe
) -> Trained:
    """Learn each item of a sequence from those before it; keep the weights of the best NDCG@10 on `valid`.

    Raises `ValueError` where no user has two items, or nothing is there to judge by.
    """
    windows_WT = windows(sequences, config.length)
    if not len(windows_WT) or not len(valid.target_Q):
        raise ValueError(
            f"SASRec learns from users with two items and is judged by held-out ones: "
            f"there are {len(windows_WT)} sequences and {len(valid.target_Q)} held-out items"
        )
    make_deterministic(recipe.seed)
    model, dice = SASRec(num_items, config), np.random.default_rng(recipe.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    best, curve, kept, started = -1.0, list[dict[str, float]](), dict[str, Tensor](), time.monotonic()
    epoch_of_best = 0
    for epoch in range(1, recipe.epochs + 1):
        loss = _epoch(model, optimizer, batches(windows_WT, recipe.batch_size, dice))
        if epoch % recipe.judge_epochs and epoch != recipe.epochs:
            continue
        hits = judge_scores(model.scores, valid, exclude_seen=recipe.exclude_seen, ks=(10,))
        figures = {"epoch": epoch, "loss": loss, "hr_10": hits.hr_QK.mean(), "ndcg_10": hits.ndcg_QK.mean()}
        curve.append({name: float(value) for name, value in figures.items()})
        log.info("SASRec: %s, %.0f s", curve[-1], time.monotonic() - started)
        if curve[-1]["ndcg_10"] > best:
            best, epoch_of_best = curve[-1]["ndcg_10"], epoch
            kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
        elif epoch - epoch_of_best >= recipe.patience * recipe.judge_epochs:
            break
    model.load_state_dict(kept)
    model.eval()
    return Trained(model, epoch_of_best, curve)


def _epoch(model: SASRec, optimizer: torch.optim.Optimizer, steps: Iterator[Items]) -> float:
    """One pass; the mean loss of an answer."""
    model.train()
    total, num = 0.0, 0
    for window_BT in steps:
        window = torch.from_numpy(window_BT)
        next_BT = window[:, 1:].masked_fill(window[:, :-1] == PAD, PAD)  # from nothing nothing is learned
        loss = model.loss(window[:, :-1], next_BT)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0, foreach=False)
        optimizer.step()
        answers = int((next_BT != PAD).sum())
        total, num = total + float(loss.detach()) * answers, num + answers
    return total / num


def windows(sequences: Sequences, length: int) -> Items:
    """window_WT of `length` + 1 places, padded on their left: long sequences are cut from their end, and a window
    begins with the last item of the one before it, so that every item but a user's first is an answer once."""
    found = []
    for user in range(sequences.num_users):
        items = sequences.item_M[sequences.indptr_U1[user] : sequences.indptr_U1[user + 1]]
        for stop in range(len(items), 1, -length):
            part = items[max(0, stop - length - 1) : stop]
            found.append(np.concatenate([np.full(length + 1 - len(part), PAD), part]))
    return np.array(found, dtype=np.int64).reshape(-1, length + 1)


def batches(windows_WT: Items, size: int, dice: np.random.Generator) -> Iterator[Items]:
    """Windows of like length together, without the padding that all have, in random order."""
    num_W = (windows_WT != PAD).sum(axis=1)
    order_W = np.lexsort((dice.random(len(windows_WT)), num_W))
    starts = np.arange(0, len(order_W), size)
    for start in dice.permutation(starts):
        part = order_W[start : start + size]
        yield windows_WT[part, -int(num_W[part].max()) :]
