"""Rows for the tests of tokenizers: heaps of points, some of them alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def heaps(rows: int, dims: int = 12, seed: int = 0, twins: int = 0) -> NDArray[np.float32]:
    """Rows around twenty centres; the first `twins` stand there twice."""
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(20, dims))[dice.integers(0, 20, rows)] + 0.3 * dice.normal(size=(rows, dims))
    x[rows - twins :] = x[:twins]
    return x.astype(np.float32)
