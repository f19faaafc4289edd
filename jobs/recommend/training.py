"""The training loop of a recommender: the same examples, recipe and seed give the same weights, also after a kill.

Everything that decides the result follows from the seed and the step's number. Several processes, mixed precision and
split batches are Accelerate's; a step costs what its learned tokens cost on average, whoever computes which.
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from jobs.lake import LakeError
from jobs.recommend.answering import losses
from jobs.recommend.averaging import Averaging
from jobs.recommend.batches import Batch
from jobs.recommend.examples import Examples
from jobs.recommend.judge import Judge
from jobs.recommend.optimizers import optimizer_of
from jobs.recommend.recipe import Recipe
from jobs.recommend.steps import Process, Steps
from jobs.recommend.training_progress import Best
from jobs.recommend.training_state import State, load_state, save_state

log = logging.getLogger("notemill")
STATE_SECONDS = 30.0
LOG_SECONDS = 10.0


def make_deterministic(seed: int) -> None:
    """Bits that depend on neither the clock nor the number of cores; an accelerator's may differ from a CPU's."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)


class Training:
    """One training: the network, its optimiser, its curve and best weights; movable to a file and back."""

    def __init__(
        self, network: Any, recipe: Recipe, train: Examples, valid: Examples, accelerator: Accelerator
    ) -> None:
        make_deterministic(recipe.seed)
        self.recipe, self.accelerator = recipe, accelerator
        self.weights = {name: value for name, value in network.named_parameters() if value.requires_grad}
        self.network, self.optimizer = accelerator.prepare(network, optimizer_of(self.weights, recipe))
        self.averaging = Averaging(self.weights, recipe.averaging)
        self.judge = Judge(network, valid, recipe.pad) if recipe.is_lazy else None
        process = Process(accelerator.process_index, accelerator.num_processes, accelerator.device)
        self.train, self.valid = Steps(train, recipe, process), Steps(valid, recipe, process)
        self.step, self.best = 0, Best()
        self.curve, self._sum = list[dict[str, float]](), 0.0
        self.is_stopped = False
        self._said = self._saved = time.monotonic()

    @property
    def steps(self) -> int:
        """How many steps all epochs have."""
        return self.recipe.epochs * self.train.an_epoch

    def run(self, state: Path | None = None) -> Best:
        """Train to the end, from `state` if an earlier run left it there, and return the best weights."""
        found = load_state(state, self.recipe.as_json()) if state is not None else None
        if found is not None:
            self._load(found)
            self._tell("goes on after step %d of an earlier run", self.step)
        began, first = time.monotonic(), self.step
        self._said = self._saved = began
        while self.step < self.steps and not self.is_stopped:
            for batch in self.train.rest_of_epoch(self.step):
                self._learn(batch)
                seconds_a_step = (time.monotonic() - began) / (self.step - first)
                if self.step % self.train.an_epoch:
                    self._say(seconds_a_step)
                    self._keep(state)
            self._end_of_epoch(seconds_a_step)
            self._keep(state)  # not before: the end of an epoch is part of it
        return self.best

    @property
    def _is_first(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def _learn(self, told: tuple[list[Batch], int]) -> None:
        parts, num_tokens = told
        torch.manual_seed((self.recipe.seed * 1_000_003 + self.step) * 1009 + self.accelerator.process_index)
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.step, self.steps)
        self.optimizer.zero_grad(set_to_none=True)
        for number, part in enumerate(parts, start=1):
            is_last = number == len(parts)
            with nullcontext() if is_last else self.accelerator.no_sync(self.network):
                # Processes' gradients are averaged, so each one's loss counts as often as there are processes.
                loss = (
                    losses(self.network, part, self.recipe).sum()
                    * self.accelerator.num_processes
                    / num_tokens
                )
                self.accelerator.backward(loss)
                self._sum += float(loss.detach())
        self.accelerator.clip_grad_norm_(list(self.weights.values()), self.recipe.max_norm)
        self.optimizer.step()
        self.step += 1
        self.averaging.follow(self.step)

    def _end_of_epoch(self, seconds_a_step: float) -> None:
        """Judge, keep the best weights, and stop where nothing gets better."""
        epoch = self.step // self.train.an_epoch
        train_loss = self._over_processes(self._sum / self.train.an_epoch) / self.accelerator.num_processes
        self._sum = 0.0
        with self.averaging.instead():
            valid_loss = self._valid_loss()
            ndcg = self._ndcg() if np.isfinite(valid_loss) else 0.0
        if not np.isfinite([train_loss, valid_loss]).all():
            raise LakeError(
                f"recommender: after epoch {epoch} the loss is {train_loss} in training and {valid_loss} in validation: "
                f"lower recommend.learning_rate ({self.recipe.learning_rate}), or train with recommend.precision: no"
            )
        self.curve.append({"epoch": epoch, "loss": train_loss, "valid_loss": valid_loss})
        if self.judge:
            self.curve[-1]["valid_ndcg_10"] = ndcg
        if (ndcg, -valid_loss) > (self.best.ndcg, -self.best.loss):
            averaged = self.averaging.means or self.weights
            kept = {name: value.detach().cpu().clone() for name, value in averaged.items()}
            self.best = Best(valid_loss, epoch, kept, ndcg)
        self.is_stopped = epoch - self.best.epoch >= self.recipe.patience
        left = 0.0 if self.is_stopped else seconds_a_step * (self.steps - self.step)
        self._tell(
            "epoch %d of %d: loss %.4f, valid %.4f%s (best in epoch %d), waits for data %.1f%% of the time, "
            "%.0f s left at most%s",
            epoch, self.recipe.epochs, train_loss, valid_loss,
            f", NDCG@10 {ndcg:.4f}" if self.judge else "", self.best.epoch,
            100 * self.train.clock.waited_share, left, "; stops, nothing got better" if self.is_stopped else "",
        )  # fmt: skip

    @torch.no_grad()
    def _valid_loss(self) -> float:
        """The mean loss of a token of a validation answer."""
        self.network.eval()
        total = 0.0
        for batch in self.valid.once():
            total += float(losses(self.network, batch, self.recipe).double().sum())
        return self._over_processes(total) / max(1, int(self.valid.examples.learned_N.sum()))

    def _ndcg(self) -> float:
        """The mean NDCG@10 of fixed validation answers, where answers are ranked."""
        if self.judge is None:
            return 0.0
        mine = self.judge.ndcg_sum(self.accelerator.process_index, self.accelerator.num_processes)
        return self._over_processes(mine) / max(1, len(self.judge.row_Q))

    def _over_processes(self, value: float) -> float:
        if self.accelerator.num_processes == 1:
            return value
        mine = torch.tensor(
            value, dtype=torch.float64 if self.accelerator.device.type == "cpu" else torch.float32
        )
        return float(self.accelerator.reduce(mine.to(self.accelerator.device), reduction="sum"))

    def _say(self, seconds_a_step: float) -> None:
        if time.monotonic() - self._said < LOG_SECONDS:
            return
        self._said, done = time.monotonic(), self.step % self.train.an_epoch
        left = seconds_a_step * (self.steps - self.step)
        self._tell(
            "step %d of %d: loss %.4f, %.0f s left at most", self.step, self.steps, self._sum / done, left
        )

    def _tell(self, text: str, *values: Any) -> None:
        if self._is_first:
            log.info("recommender: " + text, *values)

    def _keep(self, path: Path | None) -> None:
        if path is None or not self._is_first or time.monotonic() - self._saved < STATE_SECONDS:
            return
        self._saved = time.monotonic()
        tensors = {f"model.{name}": value.detach().cpu() for name, value in self.weights.items()}
        tensors |= {f"mean.{name}": value.cpu() for name, value in self.averaging.means.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.weights.items()}
        for number, moments in self.optimizer.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value.cpu() for name, value in moments.items()}
        facts = {
            "recipe": self.recipe.as_json(), "step": self.step, "sum": self._sum, "curve": self.curve,
            "best_loss": self.best.loss, "best_epoch": self.best.epoch, "best_ndcg": self.best.ndcg,
            "is_stopped": self.is_stopped,
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else None,
        }  # fmt: skip
        save_state(path, State(tensors, facts))

    def _load(self, state: State) -> None:
        with torch.no_grad():
            for name, value in state.under("model.").items():
                self.weights[name].copy_(value)
        self.averaging.load(state.under("mean."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.under("optimizer.").items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = value
        inner = self.optimizer.optimizer
        inner.load_state_dict({**inner.state_dict(), "state": moments})
        facts = state.facts
        if self.accelerator.scaler and facts["scaler"]:
            self.accelerator.scaler.load_state_dict(facts["scaler"])
        self.step, self._sum, self.curve = facts["step"], facts["sum"], list(facts["curve"])
        self.is_stopped = facts["is_stopped"]
        self.best = Best(facts["best_loss"], facts["best_epoch"], state.under("best."), facts["best_ndcg"])

