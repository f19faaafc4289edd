"""Vectors that no tokenizer can make anything of: NaN, infinite, or all zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.lake import LakeError

NAMED = 5  # notes that an error names


def unsound(vectors_ND: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which rows hold NaN or an infinite number, or nothing but zeros."""
    found_N: NDArray[np.bool_] = ~np.isfinite(vectors_ND).all(axis=1) | ~vectors_ND.any(axis=1)
    return found_N


def require_sound(day: str, count: int, note_ids: Sequence[str]) -> None:
    """Raise `LakeError` with the number of unsound vectors and the first notes that have one, where there are any."""
    if count:
        more = ", ..." if count > NAMED else ""
        raise LakeError(
            f"table note_embeddings ds={day}: {count} vectors are all zeros or hold NaN or infinite numbers, of notes "
            f"{', '.join(sorted(note_ids)[:NAMED])}{more}. Such a vector has no place among codes: look at the encoder and "
            "at these notes' texts, then embed the day again"
        )
