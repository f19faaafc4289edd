"""How a training goes: the best weights so far, and where its time went."""

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


@dataclass
class Clock:
    """Where the time of this run's steps goes: `waited_s` of `total_s` is making batches."""

    waited_s: float = 0.0
    total_s: float = 0.0

    @property
    def waited_share(self) -> float:
        """The share of the steps' time that the network waited for data."""
        return self.waited_s / max(self.total_s, 1e-9)
