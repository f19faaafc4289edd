"""Notes that read alike stand in for each other while a network learns: some of every history, and as pairs of their own.

So that a note which few acted on is met in others' places too, and what reads alike comes to follow one another. Both are
drawn anew in every epoch, by seed, epoch and row.

Shapes: N IDs in order of codes, L levels, E neighbours of an ID, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.recommend.batches import Piece
from models.recommend.id_tokens import IdTokens
from models.recommend.soft_targets import Near

# By NDCG@10 on the validation answers of Amazon Scientific.
REPLACED = 0.1  # of the notes of a history
PAIRS = 0.5  # of the number of IDs, in an epoch


class StandIns(NamedTuple):
    """The IDs that read alike: their tokens, neighbours, and shares added up along a row."""

    ids: IdTokens
    token_NL: NDArray[np.int32]
    leaf_NE: NDArray[np.int64]
    upto_NE: NDArray[np.float32]
    row_of: Mapping[bytes, int]
    known_K: NDArray[np.int64]  # IDs that have a neighbour

    @property
    def num_pairs(self) -> int:
        """Of an epoch."""
        return round(PAIRS * len(self.known_K))

    def drawn(self, row: int, dice: np.random.Generator) -> NDArray[np.int32]:
        """The tokens of an ID that reads like this one, the nearest most; its own where it has no neighbours."""
        upto_E = self.upto_NE[row]
        if not upto_E[-1]:
            return self.token_NL[row]
        at = int(np.searchsorted(upto_E, dice.random() * upto_E[-1], side="right"))
        return self.token_NL[self.leaf_NE[row, min(at, int(np.argmax(upto_E)))]]

    def replaced(self, piece: Piece, dice: np.random.Generator) -> Piece:
        """The example with some of its notes, known and learned ones, replaced by what reads like them."""
        levels, token_T = self.ids.num_levels, np.asarray(piece.token_T)
        num_notes = (len(token_T) - self._start(token_T)) // levels
        found = token_T.copy()
        for note in np.flatnonzero(dice.random(num_notes) < REPLACED):
            end = len(token_T) - int(note) * levels
            row = self.row_of.get(token_T[end - levels : end].tobytes())
            if row is not None:
                found[end - levels : end] = self.drawn(row, dice)
        return Piece(found, piece.learned)

    def pair(self, piece: Piece, dice: np.random.Generator) -> Piece:
        """An ID that is known, and one that reads like it to be learned, after the profile of an example."""
        row = int(dice.choice(self.known_K))
        profile_T = np.asarray(piece.token_T)[: self._start(np.asarray(piece.token_T))]
        return Piece(
            np.concatenate([profile_T, self.token_NL[row], self.drawn(row, dice)]), self.ids.num_levels
        )

    def _start(self, token_T: NDArray[np.int32]) -> int:
        """Where the codes at the end begin."""
        is_other_T = (token_T < self.ids.first) | (token_T >= self.ids.stop)
        return int(np.flatnonzero(is_other_T)[-1]) + 1 if is_other_T.any() else 0


def stand_ins_of(near: Near, codes_NL: NDArray[np.integer], ids: IdTokens) -> StandIns:
    """Of the catalogue's IDs, in order of codes, which `near` has the neighbours of."""
    token_NL = ids.tokens(codes_NL).astype(np.int32)
    upto_NE = np.cumsum(near.share_NE, axis=1, dtype=np.float32)
    row_of = {tokens.tobytes(): row for row, tokens in enumerate(token_NL)}
    return StandIns(ids, token_NL, near.leaf_NE, upto_NE, row_of, np.flatnonzero(upto_NE[:, -1]))
