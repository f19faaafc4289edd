"""Windows in a slightly other order, or with notes left out, so that few users' histories are not learned by heart.

Half of the windows of an epoch change their order a little, half lose some notes, each drawn by seed, epoch and row. The
ways are CL4SRec's (arXiv 2010.14395, section 3.2); here nothing is contrasted, the altered window is learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.recommend.batches import Piece
from models.recommend.id_tokens import IdTokens

LEAST = 3  # notes of a window that is left alone


@dataclass(frozen=True)
class Noise:
    """How much is altered; the values helped a decoder of this kind on validation answers of Amazon Scientific."""

    altered_share: float = 0.5  # of windows, for each kind
    moved: float = 1.0  # places that a note moves, as a deviation
    dropped: float = 0.2  # of the notes of a window


def noisy(piece: Piece, ids: IdTokens, dice: np.random.Generator, noise: Noise) -> Piece:
    """The window with its notes moved and left out; itself where it is no window of whole IDs, or a short one.

    As many notes as before are known and not learned, but one at least is learned.
    """
    levels, token_T = ids.num_levels, np.asarray(piece.token_T)
    is_id_T = (token_T >= ids.first) & (token_T < ids.stop)
    start = len(token_T) - int(is_id_T.sum())
    num_notes = (len(token_T) - start) // levels
    is_window = is_id_T[start:].all() and (len(token_T) - start) % levels == 0 and piece.learned % levels == 0
    if not is_window or num_notes < LEAST:
        return piece
    notes_NL = token_T[start:].reshape(num_notes, levels)
    order = _order(num_notes, dice, noise)
    known = min(num_notes - piece.learned // levels, len(order) - 1)
    return Piece(np.concatenate([token_T[:start], notes_NL[order].ravel()]), (len(order) - known) * levels)


def _order(count: int, dice: np.random.Generator, noise: Noise) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which notes stand in the window, in their order."""
    is_moved, is_thinned = dice.random(2) < noise.altered_share
    place = np.arange(count) + dice.normal(0, noise.moved, count) * is_moved
    order = np.argsort(place, kind="stable")
    kept = order[dice.random(count) >= noise.dropped * is_thinned]
    return kept if len(kept) >= LEAST - 1 else order
