"""How much of the vectors their codes keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def explained_share(x_ND: NDArray[np.floating[Any]], reconstructed_ND: NDArray[np.floating[Any]]) -> float | None:
    """1 - sum of |x - reconstructed|^2 / sum of |x - mean of x|^2: 1 where nothing is lost, 0 where the mean does as well.

    Below 0 the codes do worse than the mean. None where all vectors are one and the same, so that nothing is to be
    explained. Raises `ValueError` where the shapes differ or a number is not finite.
    """
    if x_ND.ndim != 2 or x_ND.shape != reconstructed_ND.shape or x_ND.size == 0:
        raise ValueError(f"vectors of shape {x_ND.shape} were reconstructed in the shape {reconstructed_ND.shape}")
    x_ND, reconstructed_ND = x_ND.astype(np.float64), reconstructed_ND.astype(np.float64)
    if not (np.isfinite(x_ND).all() and np.isfinite(reconstructed_ND).all()):
        raise ValueError("there is a NaN or an infinity among the vectors or their reconstructions")
    spread = float(np.square(x_ND - x_ND.mean(axis=0)).sum())
    # Equal vectors leave rounding, not variance.
    if spread <= 1e-20 * max(1.0, float(np.square(x_ND).sum())):
        return None
    return 1 - float(np.square(x_ND - reconstructed_ND).sum()) / spread
