"""Semantic IDs as words of a vocabulary: the code c of level l is one token, and tokens of all levels stand in a row.

Shapes: L levels, K codes of a level, ... any.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IdTokens:
    """Where a vocabulary has them: `first` is the token of code 0 of level 0; `sizes` are K of every level."""

    first: int
    sizes: tuple[int, ...]

    @property
    def num_levels(self) -> int:
        """L."""
        return len(self.sizes)

    @property
    def stop(self) -> int:
        """The token after the last one."""
        return self.first + sum(self.sizes)

    def first_of(self, level: int) -> int:
        """The token of code 0 of a level."""
        return self.first + sum(self.sizes[:level])

    def tokens(self, codes_NL: NDArray[np.integer]) -> NDArray[np.int64]:
        """Their tokens, of the same shape (..., L). Raises `ValueError` where a code is outside its level's vocabulary."""
        sizes_L = np.array(self.sizes)
        if codes_NL.shape[-1] != self.num_levels or (codes_NL < 0).any() or (codes_NL >= sizes_L).any():
            raise ValueError(
                f"IDs of shape {codes_NL.shape} are not of this vocabulary: {self.num_levels} levels of {self.sizes} codes"
            )
        return codes_NL.astype(np.int64) + np.array(
            [self.first_of(level) for level in range(self.num_levels)]
        )


def id_words(sizes: tuple[int, ...]) -> list[str]:
    """The words in order of their tokens: `<a_0>`, `<a_1>`, ..., `<b_0>`, ... (`models/ids/text.py` writes IDs so)."""
    return [
        f"<{string.ascii_lowercase[level]}_{code}>"
        for level, size in enumerate(sizes)
        for code in range(size)
    ]
