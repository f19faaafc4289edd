"""The running mean of the weights of a training: steadier than the latest ones (Polyak and Juditsky, 1992).

The mean follows the step's number alone, so that a training which goes on after a kill has the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

SETTLED = 50  # steps in which the mean is of few: weights of the first steps count little


class Averaging:
    """The mean of weights that are trained; with a share of 0 there is none, and the weights stand for it."""

    def __init__(self, weights: Mapping[str, Tensor], share: float) -> None:
        self.weights, self.share = weights, share
        self.means = {name: value.detach().clone() for name, value in weights.items()} if share else {}

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move the mean towards the weights after so many steps."""
        share = min(self.share, step / (step + SETTLED))
        for name, mean in self.means.items():
            mean.lerp_(self.weights[name], 1 - share)

    @contextmanager
    def instead(self) -> Iterator[None]:
        """Within, the network has the mean as its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def load(self, means: Mapping[str, Tensor]) -> None:
        """Go on from a mean that was kept."""
        for name, value in means.items():
            self.means[name].copy_(value)

    @torch.no_grad()
    def _swap(self) -> None:
        for name, mean in self.means.items():
            weight, kept = self.weights[name], mean.clone()
            mean.copy_(weight)
            weight.copy_(kept)
