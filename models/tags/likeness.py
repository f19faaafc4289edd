"""How alike the tags of one dimension are: cosine where one encoder reads both, else the characters in common.

Shapes: N tags in the order they are looked at, D numbers a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from models.tags.contrast import shared_characters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS_A_BLOCK = 256
UNREAD = -1


class Encoded(NamedTuple):
    """vectors_ND of tags, and reader_N: the number of the encoder that reads the tag, `UNREAD` where none does."""

    vectors_ND: NDArray[np.float32]
    reader_N: NDArray[np.int64]


class Like(NamedTuple):
    """A tag before this one and how alike the two are; `is_read` where an encoder says so."""

    position: int
    similarity: float
    is_read: bool


Encode = Callable[[Sequence[str]], Encoded]


class Likeness:
    """The tags that stand before a tag in an order, the most alike first."""

    def __init__(self, tags: Sequence[str], encoded: Encoded) -> None:
        import numpy as np

        self._tags, self._reader_N = list(tags), encoded.reader_N
        norms_N1 = np.linalg.norm(encoded.vectors_ND, axis=1, keepdims=True)
        self._unit_ND = encoded.vectors_ND / np.maximum(norms_N1, 1e-12)
        self._block: tuple[int, NDArray[np.float32]] = (-1, np.zeros((0, 0), np.float32))
        self._unread_with: dict[str, list[int]] = {}
        for position in np.flatnonzero(self._reader_N == UNREAD):
            for character in sorted(set(self._tags[position])):
                self._unread_with.setdefault(character, []).append(int(position))

    def before(self, position: int, allowed_N: NDArray[np.bool_], floor: float) -> list[Like]:
        """Those of `allowed_N` before `position` at or above `floor`, and the nearest of all in any case.

        Similarities are rounded, so that no threshold hangs on the last bit of a sum.
        """
        if self._reader_N[position] == UNREAD:
            found = self._by_characters(position, allowed_N)
        else:
            found = self._by_encoder(position, allowed_N, floor)
        found.sort(key=lambda like: (-like.similarity, like.position))
        return [like for number, like in enumerate(found) if number == 0 or like.similarity >= floor]

    def _by_encoder(self, position: int, allowed_N: NDArray[np.bool_], floor: float) -> list[Like]:
        import numpy as np

        row_N = self._row(position)[:position]
        fits_N = allowed_N[:position] & (self._reader_N[:position] == self._reader_N[position])
        if not fits_N.any():
            return []
        masked_N = np.where(fits_N, row_N, -np.inf)
        chosen = {int(masked_N.argmax()), *(int(i) for i in np.flatnonzero(masked_N >= floor))}
        return [Like(i, float(row_N[i]), True) for i in sorted(chosen)]

    def _by_characters(self, position: int, allowed_N: NDArray[np.bool_]) -> list[Like]:
        tag = self._tags[position]
        some = {i for character in set(tag) for i in self._unread_with[character] if i < position and allowed_N[i]}
        return [Like(i, round(shared_characters(tag, self._tags[i]), 6), False) for i in sorted(some)]

    def _row(self, position: int) -> NDArray[np.float32]:
        import numpy as np

        number, at = divmod(position, ROWS_A_BLOCK)
        if self._block[0] != number:
            rows_BD = self._unit_ND[number * ROWS_A_BLOCK : (number + 1) * ROWS_A_BLOCK]
            self._block = (number, np.round(rows_BD @ self._unit_ND.T, 6))
        return self._block[1][at]
