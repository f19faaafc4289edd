"""The training loop of the RQ-VAE: the same rows, settings and seed give the same weights, also after a kill.

Everything that decides the result follows from the seed and the epoch's number (the order of rows, restarts, which
epochs are judged); the state between epochs is a safetensors file, so that a rerun goes on where a killed one stopped.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from jobs.ids.recipe import Recipe as Recipe
from jobs.ids.training_losses import Beside, Losses
from jobs.lake import write_atomically
from models.ids.health import Health, health
from models.ids.rqvae import RQVAE, Config, codes_of, restart_unused, seed_codebooks

log = logging.getLogger("notemill")

SAMPLE_ROWS = 16_384  # of these rows k-means and restarts see residuals; public write-ups ask for at least 8,192
JUDGED_EPOCHS = 20  # how many epochs, evenly spread over the second half, are judged by their health
STATE_SECONDS = 20.0
LOG_SECONDS = 3.0
NOTHING_BESIDE = Beside()


@dataclass
class Best:
    """The checkpoint with the best health so far."""

    score: tuple[float, float] = (-1.0, -1.0)
    epoch: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    loss: Mapping[str, float] = field(default_factory=dict)
    judged_since: int = 0


def make_deterministic(seed: int) -> None:
    """Bits that depend on neither the clock nor the number of cores: one thread, because the way sums are split among
    threads changes their rounding. (Another family of CPU may still round otherwise.)
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


class Training:
    """One training: the network, its optimiser and the best checkpoint, movable to a file and back."""

    def __init__(
        self,
        config: Config,
        recipe: Recipe,
        x_ND: NDArray[np.float32],
        content_N: NDArray[np.int64],
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        make_deterministic(recipe.seed)
        self.recipe, self.x_ND, self.content_N = recipe, x_ND, content_N
        self.rows_ND = torch.from_numpy(x_ND)
        self.sample_MD = self.rows_ND[self._order(-1)[:SAMPLE_ROWS]]
        self.model = RQVAE(config)
        self.model.standardize_on(self.rows_ND)
        self.losses = Losses(self.model, self.rows_ND, content_N, beside, recipe.weights, recipe.seed)
        self.optimizer = _optimizer(self.model, recipe)
        self.epoch, self.best = 0, Best()

    def run(self, state: Path | None = None) -> Best:
        """Train to the end, from `state` if an earlier run left it there, and return the best checkpoint."""
        if state is not None and state.exists():
            self._load(state)
            log.info("quantizer: goes on after epoch %d of an earlier run", self.epoch)
        said = saved = time.monotonic()
        while self.epoch < self.recipe.epochs and not self._is_done():
            self.epoch += 1
            self._set_rates()
            line = self._warm_up() if self.epoch <= self.recipe.warmup_epochs else self._learn()
            if time.monotonic() - said > LOG_SECONDS or self.epoch in (1, self.recipe.epochs):
                said = time.monotonic()
                log.info("quantizer: epoch %d of %d: %s", self.epoch, self.recipe.epochs, line)
            if state is not None and time.monotonic() - saved > STATE_SECONDS:
                saved = time.monotonic()
                self._save(state)
        return self.best

    def _set_rates(self) -> None:
        left = 1 - (self.epoch - 1) / self.recipe.epochs
        network, codes = self.optimizer.param_groups
        network["lr"] = self.recipe.learning_rate * left
        codes["lr"] = self.recipe.codebook_learning_rate * left

    def _warm_up(self) -> str:
        """One epoch of the autoencoder alone; what to say of it."""
        total = 0.0
        for rows_B in self._batches():
            loss = self.model.autoencoder_loss(self.rows_ND[rows_B])
            self._step(loss)
            total += float(loss.detach()) * len(rows_B)
        return f"reconstruction {total / len(self.x_ND):.3f}, nothing quantized yet"

    def _learn(self) -> str:
        """One epoch of the whole: train, judge, restart the codes that nobody has; what to say of it."""
        if self.epoch == self.recipe.warmup_epochs + 1:
            seed_codebooks(self.model, self.sample_MD, self.recipe.seed)
        loss, used_LK = self._train_epoch()
        figures = self._judge(loss) if self._is_judged() else None
        if self.epoch < self.recipe.epochs:
            self._restart(used_LK)
        used = "/".join(str(int(n)) for n in used_LK.sum(1))
        unique = f", different IDs {figures.unique_rate:.1%} of notes" if figures else ""
        parts = ", ".join(f"{name} {value:.3f}" for name, value in loss.items())
        return f"{parts}, codes used {used} of {used_LK.shape[1]}{unique}"

    def _order(self, epoch: int) -> Tensor:
        """The order of rows in an epoch; epoch -1 is the sample's."""
        dice = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + epoch + 1)
        return torch.randperm(len(self.x_ND), generator=dice)

    def _batches(self) -> tuple[Tensor, ...]:
        return torch.split(self._order(self.epoch), self.recipe.batch_rows)

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _train_epoch(self) -> tuple[dict[str, float], Tensor]:
        sums: dict[str, float] = {}
        used_LK = torch.zeros(self.model.codebooks_LKE.shape[:2], dtype=torch.bool)
        self.losses.begin_epoch(self.epoch)
        for rows_B in self._batches():
            found = self.model(self.rows_ND[rows_B])
            parts = self.losses.of(rows_B, found)
            self._step(torch.stack(list(parts.values())).sum())
            used_LK[torch.arange(len(used_LK)), found.codes_BL] = True
            for name, part in parts.items():
                sums[name] = sums.get(name, 0.0) + float(part.detach()) * len(rows_B)
        return {name: value / len(self.x_ND) for name, value in sums.items()}, used_LK

    def _is_done(self) -> bool:
        """Whether the health has not become better for so many judged epochs."""
        return 0 < self.recipe.patience <= self.best.judged_since

    def _restart(self, used_LK: Tensor) -> None:
        moments = self.optimizer.state[self.model.codebooks_LKE]
        for level, moved_M in enumerate(restart_unused(self.model, self.sample_MD, used_LK)):
            # A restarted code must not be dragged on by the momentum of the one it replaces.
            moments["exp_avg"][level, moved_M] = 0
            moments["exp_avg_sq"][level, moved_M] = 0

    def _is_judged(self) -> bool:
        """Only the second half counts: right after k-means IDs are spread well, but the encoder has learned nothing."""
        left = self.recipe.epochs - self.epoch
        return left * 2 <= self.recipe.epochs and left % max(1, self.recipe.epochs // 2 // JUDGED_EPOCHS) == 0

    def _judge(self, loss: Mapping[str, float]) -> Health:
        weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        found = judged(self.model.config, weights, self.x_ND, self.content_N)
        score = (found.separable_unique_rate, float(np.mean([level.perplexity for level in found.levels])))
        if score > self.best.score:
            self.best = Best(score, self.epoch, weights, dict(loss))
        else:
            self.best.judged_since += 1
        return found

    def _save(self, state: Path) -> None:
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.weights.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        best = {name: value for name, value in vars(self.best).items() if name != "weights"}
        facts = {"at": self.epoch, "best": best}
        write_atomically(state, save(tensors, {"facts": json.dumps(facts)}))

    def _load(self, state: Path) -> None:
        with safe_open(state, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        self.model.load_state_dict(_under("model.", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.epoch = facts["at"]
        best = {**facts["best"], "score": tuple(facts["best"]["score"])}
        self.best = Best(**best, weights=_under("best.", tensors))


def _optimizer(model: RQVAE, recipe: Recipe) -> torch.optim.AdamW:
    """Weights decay in the network alone: a code vector drawn to 0 would leave its residuals."""
    network = [value for name, value in model.named_parameters() if name != "codebooks_LKE"]
    groups = [
        {"params": network, "weight_decay": recipe.weight_decay},
        {"params": [model.codebooks_LKE], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, foreach=False)


def judged(config: Config, weights: Mapping[str, Tensor], x_ND: NDArray[np.float32], content_N: NDArray[np.int64]) -> Health:
    """The health of the codes that a checkpoint gives these rows, taken just as `assign_ids` takes them."""
    model = RQVAE(config)
    model.load_state_dict(weights)
    return health(codes_of(model.double(), x_ND), config.codes, content_N)


def facts_of(found: Health) -> dict[str, Any]:
    """The figures as plain data, for a manifest."""
    return {**found._asdict(), "levels": [level._asdict() for level in found.levels]}


def recipe_facts(config: Config, recipe: Recipe) -> dict[str, Any]:
    """The settings as plain data, for a manifest."""
    return {**asdict(config), **asdict(recipe)}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
