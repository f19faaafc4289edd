"""How a recommender is trained: batches, rates, when to stop."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jobs.recommend.window_noise import Noise
from models.recommend.id_tokens import IdTokens


@dataclass(frozen=True)
class Recipe:
    """Everything but the data and the network that decides the weights."""

    epochs: int
    batch_size: int  # examples a step, of all processes together
    learning_rate: float
    patience: int  # epochs without a better validation loss, or of a lazy network without a better NDCG@10
    seed: int
    sizes: tuple[int, ...]  # K of every level
    first: int  # the token of the first ID word
    pad: int
    is_encoder_decoder: bool
    processes: int = 1
    precision: str = "no"
    lora_rank: int = 0
    parts: int = 1  # that a process's share of a step is split into, where it does not fit into memory
    noise: Noise | None = None  # of windows; None where nothing is altered
    weight_decay: float = 0.01  # torch's default of AdamW
    warmup_share: float = 0.05  # of all steps, for Adam's second moments to settle
    least_rate: float = 0.05  # of the rate, at the end
    max_norm: float = 1.0  # of the gradient
    is_lazy: bool = False  # a network that tells its own losses (models/recommend/lazy.py)
    averaging: float = 0.0  # above 0: the share that a running mean of the weights keeps in a step; it is what is learned

    @property
    def id_tokens(self) -> IdTokens:
        """Where the vocabulary has the ID words."""
        return IdTokens(self.first, self.sizes)

    def rate(self, step: int, steps: int) -> float:
        """Linear warm-up, then a cosine down to the least rate."""
        warmup = max(1, round(steps * self.warmup_share))
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        return self.learning_rate * (
            self.least_rate + (1 - self.least_rate) * (1 + math.cos(math.pi * done)) / 2
        )

    def as_json(self) -> str:
        """The recipe as text; equal recipes have equal texts."""
        return json.dumps(asdict(self), sort_keys=True)


def recipe_from(facts: Mapping[str, Any]) -> Recipe:
    """A recipe from what `as_json` wrote."""
    noise = Noise(**facts["noise"]) if facts["noise"] else None
    return Recipe(**{**facts, "sizes": tuple(facts["sizes"]), "noise": noise})
