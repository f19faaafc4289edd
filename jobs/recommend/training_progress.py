"""How a training goes: the best weights so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Best:
    """The weights that were best so far: of the best NDCG@10 where answers are ranked, then of the least loss."""

    loss: float = float("inf")
    epoch: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    ndcg: float = 0.0  # where answers are ranked
