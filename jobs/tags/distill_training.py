"""The training loop of a student: the same lessons, recipe and seed give the same weights, also after a kill.

Everything that decides the result follows from the seed and the step's number; the state between steps is one safetensors
file with its facts as JSON, so that a rerun goes on where a killed one stopped.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from jobs.lake import write_atomically
from jobs.tags.lesson_batches import Batch, Pupil, Recipe, divergence, drawn_round, with_fewer_words
from jobs.tags.lessons import Lesson
from models.tags.distillation import reply_loss
from models.tags.looks import looks
from models.tags.prompt import Task

log = logging.getLogger("notemill")

STATE_SECONDS = 20.0
LOG_SECONDS = 10.0


@dataclass
class Best:
    """The checkpoint that told the held-out slice best: the fewest wrong tokens, then the least loss.

    Wrong tokens come first because a tag counts only if it is right to the letter, however sure the student was of it.
    """

    score: tuple[float, float] = (float("inf"), float("inf"))
    step: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)


def make_deterministic(seed: int) -> None:
    """Bits that depend on neither the clock nor the number of cores; an accelerator's may differ from a CPU's."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)


class Training:
    """One training: the student, its optimiser, what it finds hard, its curve and best checkpoint; movable to a file."""

    def __init__(
        self, pupil: Pupil, recipe: Recipe, training: Sequence[Lesson], stopping: Sequence[Lesson]
    ) -> None:
        make_deterministic(recipe.seed)
        self.pupil, self.recipe, self.lessons, self.stopping = pupil, recipe, training, stopping
        self.network = pupil.student.network
        self.weights = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        self.optimizer = _optimizer(self.weights, recipe)
        self.wrong_N = np.full(len(training), np.nan)  # not judged yet
        self.step, self.best, self.curve = 0, Best(), list[dict[str, float]]()
        self.is_stopped = False
        self._round: tuple[int, list[list[tuple[Lesson, Task]]]] = (-1, [])

    def run(self, state: Path | None = None) -> Best:
        """Train to the end, from `state` if an earlier run left it there, and leave the best weights in the student."""
        if state is not None and state.exists():
            self._load(state)
            log.info("tagger: goes on after step %d of an earlier run", self.step)
        said = saved = began = time.monotonic()
        num_tokens, first = 0, self.step
        while self.step < self.recipe.steps and not self.is_stopped:
            losses, length = self._learn()
            self.step += 1
            num_tokens += length
            self._end_of_round(losses)
            now = time.monotonic()
            if now - said > LOG_SECONDS or self.step in (1, self.recipe.steps):
                said = now
                _say(self.step, self.recipe.steps, losses, num_tokens, now - began, self.step - first)
            if state is not None and now - saved > STATE_SECONDS:
                saved = now
                self._save(state)
        self.network.load_state_dict(dict(self.best.weights), strict=False)
        return self.best

    def _learn(self) -> tuple[dict[str, float], int]:
        """One step on one batch: its losses, and how many tokens it was."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)  # for students that have dropout
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * _rate(self.step, self.recipe)
        batch = self._looked_at(self._batch())
        logits_BTV = self.pupil.logits(batch)
        told, apart = reply_loss(logits_BTV, batch.reply_BT), divergence(logits_BTV, batch)
        loss = told.mean_loss if apart is None else told.mean_loss + self.recipe.top_k_weight * apart
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.weights.values()), 1.0, foreach=False)
        self.optimizer.step()
        losses = {"loss": float(told.mean_loss.detach())}
        if apart is not None:
            losses["divergence"] = float(apart.detach())
        return losses, int(batch.inputs["attention_mask"].sum())

    def _batch(self) -> Batch:
        """The step's batch; a round is drawn when its first step comes, or again after a kill, from the same figures."""
        number, place = divmod(self.step, self.recipe.round_steps)
        if self._round[0] != number:
            self._round = (number, drawn_round(number, self.recipe, self.lessons, self.wrong_N))
        members = self._round[1][place]
        if self.recipe.has_looks:
            dice = np.random.default_rng([self.recipe.seed, self.step, 13])
            members = [(with_fewer_words(lesson, dice), task) for lesson, task in members]
        return self.pupil.batch(members)

    def _looked_at(self, batch: Batch) -> Batch:
        """The batch with another look at its pictures, drawn from the step's seed."""
        if not self.recipe.has_looks or "pixel_values" not in batch.inputs:
            return batch
        shown = batch.inputs["pixel_values"]  # (..., 3, side, side)
        seen = looks(shown.flatten(0, -4)).view_as(shown)
        return batch._replace(inputs={**batch.inputs, "pixel_values": seen})

    def _end_of_round(self, losses: Mapping[str, float]) -> None:
        """At the end of a round: keep the best weights, see what is hard now, and stop where nothing gets better."""
        if self.step % self.recipe.round_steps and self.step != self.recipe.steps:
            return
        loss_N, wrong_N = self.pupil.told(self.stopping)
        score = (float(wrong_N.mean()), float(loss_N.mean()))
        self.curve.append(
            {"step": self.step, **losses, "held_out_wrong": score[0], "held_out_loss": score[1]}
        )
        if score < self.best.score:
            kept = {name: value.detach().cpu().clone() for name, value in self.weights.items()}
            self.best = Best(score, self.step, kept)
        self.is_stopped = self.step - self.best.step >= self.recipe.patience * self.recipe.round_steps
        self._judge_hard(self.step // self.recipe.round_steps)
        log.info(
            "tagger: step %d of %d: held-out notes: %.1f%% of tokens wrong, loss %.3f%s",
            self.step, self.recipe.steps, 100 * score[0], score[1],
            "; stops, nothing got better" if self.is_stopped else "",
        )  # fmt: skip

    def _judge_hard(self, number: int) -> None:
        """Where student and teacher disagree now, for the notes whose turn it is."""
        start = (number - 1) * self.recipe.round_notes
        turn = [
            (start + i) % len(self.lessons) for i in range(min(self.recipe.round_notes, len(self.lessons)))
        ]
        self.wrong_N[turn] = self.pupil.told([self.lessons[i] for i in turn])[1]

    def _save(self, state: Path) -> None:
        tensors = {f"model.{name}": value.detach().cpu() for name, value in self.weights.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.weights.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value.cpu() for name, value in moments.items()}
        tensors["wrong_N"] = torch.from_numpy(self.wrong_N)
        facts = {"step": self.step, "score": self.best.score, "best_step": self.best.step, "curve": self.curve,
                 "is_stopped": self.is_stopped}  # fmt: skip
        write_atomically(
            state, save({n: t.contiguous() for n, t in tensors.items()}, {"facts": json.dumps(facts)})
        )

    def _load(self, state: Path) -> None:
        with safe_open(state, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        with torch.no_grad():
            for name, value in _under("model.", tensors).items():
                self.weights[name].copy_(value)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.wrong_N = tensors["wrong_N"].numpy().copy()
        self.step, self.curve, self.is_stopped = facts["step"], facts["curve"], facts["is_stopped"]
        self.best = Best(tuple(facts["score"]), facts["best_step"], _under("best.", tensors))


def _optimizer(weights: Mapping[str, Tensor], recipe: Recipe) -> torch.optim.AdamW:
    """Matrices decay; biases and norms do not."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in weights.values() if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in weights.values() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.learning_rate, foreach=False)


def _rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear to a tenth."""
    warmup = max(1, round(recipe.steps * recipe.warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return 1 - 0.9 * (step - warmup) / max(1, recipe.steps - warmup)


def _say(
    step: int, steps: int, losses: Mapping[str, float], num_tokens: int, seconds: float, done: int
) -> None:
    parts = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    left = seconds / done * (steps - step)
    log.info(
        "tagger: step %d of %d: %s, %.0f tokens/s, %.1f min left at most",
        step, steps, parts, num_tokens / max(seconds, 1e-9), left / 60,
    )  # fmt: skip


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
