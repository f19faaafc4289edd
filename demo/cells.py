"""Weighted draws from groups of things, many at a time: one running sum, then one binary search a draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


class Cells:
    """Things sorted by the key of their cell, so that any run of cells is one stretch of the running sum."""

    def __init__(self, keys: Ids, num_keys: int, weights: Floats) -> None:
        """`keys` in [0, num_keys) and `weights` >= 0, one of each a thing."""
        self.order = np.argsort(keys, kind="stable")
        self.starts = np.searchsorted(keys[self.order], np.arange(num_keys + 1))
        self.sums = np.concatenate([[0.0], np.cumsum(weights[self.order])])

    def draw(self, first: Ids, last: Ids, uniform: Floats) -> Ids:
        """One thing from the cells `first` to `last` (exclusive) for each entry; -1 where they weigh nothing.

        `uniform` is in [0, 1).
        """
        low, high = self.sums[self.starts[first]], self.sums[self.starts[last]]
        # Just below `high`, else rounding could reach into the next cell.
        target = np.minimum(low + uniform * (high - low), np.nextafter(high, low))
        at = np.searchsorted(self.sums, target, side="right") - 1
        return np.where(high > low, self.order[np.clip(at, 0, len(self.order) - 1)], -1)
