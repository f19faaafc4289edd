"""The optimiser of a recommender's training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from jobs.recommend.recipe import Recipe


def optimizer_of(weights: Mapping[str, Tensor], recipe: Recipe) -> torch.optim.AdamW:
    """Matrices decay; biases and norms do not."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in weights.values() if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in weights.values() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.learning_rate)
