"""What every tokenizer of semantic IDs is, however it came about: vectors in, a few codes a note out.

Shapes: N items, B batch, L levels, K codes a level, D input dimensions. A fit gives a `Fitted`: the codes of the rows it
saw, and the frozen tokenizer that gives codes to rows that come later. The two may differ where a fit knew more of its
rows than their vector (what was clicked together, the category path): what is published stays, what is new is encoded.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Codes = NDArray[np.int32]


class UnknownPrefixError(ValueError):
    """Which codes before the last lead nowhere: a tree does not have all branches."""


class Tokenizer(Protocol):
    """A frozen tokenizer; equal rows get equal codes, whatever rows stand beside them."""

    @property
    def levels(self) -> int:
        """L, how many codes an ID has."""

    @property
    def codes(self) -> int:
        """K, the size of every level's codebook."""

    @property
    def input_dim(self) -> int:
        """D, the width of the vectors it reads."""

    def encode(self, x_ND: Vectors) -> Codes:
        """codes_NL of rows."""

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        """cost_BK: what giving each row each last code would cost, its codes before the last left as they are.

        Raises `UnknownPrefixError` where these lead nowhere.
        """

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        """x_ND that the codes stand for."""

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """All that `from_tensors` of its module needs to make it again, for a safetensors file."""


class Fitted(NamedTuple):
    """A fit: the frozen tokenizer, the codes_NL of the rows it was fitted on, and figures worth a line in its card."""

    tokenizer: Tokenizer
    codes_NL: Codes
    figures: dict[str, float]
