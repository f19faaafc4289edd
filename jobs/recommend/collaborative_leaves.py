"""The collaborative scorer on a day's catalogue: which IDs of the day its voices speak for, given a history.

Counts are of the day that the recommender was trained on; of notes that are gone, and of those that came since, they say
nothing. Neighbours by content are the day's own, so that new notes, and notes nobody acted on, are spoken for too.

Shapes: Q users, T places of a history (-1 is no note), N notes that a voice knows, M that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.recommend.collaborative import items_of
from models.recommend.mixing import ItemScores
from models.recommend.neighbours import Ranked
from models.recommend.sequences import PAD, Items, padded
from models.recommend.voices import shares_of

NAMED = 200  # notes that a voice names for a user: as many as it keeps neighbours of one


class Scorer(Protocol):
    """Whatever names the best items of a history."""

    def top(self, history_QT: Items, k: int, *, exclude_seen: bool = True) -> Ranked:
        """Best first."""


class Voice(NamedTuple):
    """A scorer of items, the notes they are, the leaf of each (-1: none, as at the end for no note), and its share where
    another voice speaks too."""

    scorer: Scorer
    note_ids: pa.Array
    leaf_N1: Items
    share: float

    def items(self, histories: Sequence[Sequence[str]], length: int) -> Items:
        """history_QT: the last `length` notes of each that it knows, padded on the left."""
        return padded(items_of(histories, self.note_ids), length)


def voice_of(scorer: Scorer, note_ids: pa.Array, catalogue: CatalogueTrie, share: float) -> Voice:
    """A voice that speaks of the day's leaves."""
    return Voice(scorer, note_ids, leaves_of(note_ids, catalogue), share)


def leaves_of(note_ids: pa.Array, catalogue: CatalogueTrie) -> Items:
    """leaf_N1: the leaf of every note, -1 where the day has it not, and at the end for no note."""
    place_N = np.asarray(pc.fill_null(pc.index_in(note_ids, value_set=catalogue.note_ids), PAD)).astype(
        np.int64
    )
    leaf_N = np.searchsorted(catalogue.trie.note_indptr_S1, place_N, side="right") - 1
    return np.append(np.where(place_N == PAD, PAD, leaf_N), PAD).astype(np.int64)


def leaf_scores(voice: Voice, history_QT: Items, *, exclude_seen: bool) -> ItemScores:
    """The leaves that a voice speaks for, each with its share; a row of zeros where there are none."""
    item_QM, score_QM = voice.scorer.top(history_QT, NAMED, exclude_seen=exclude_seen)
    leaf_QM = voice.leaf_N1[item_QM]
    share_QM = np.where(leaf_QM == PAD, 0, np.maximum(score_QM, 0)).astype(np.float64)
    share_QM /= np.maximum(share_QM.sum(axis=1, keepdims=True), 1e-300)
    return ItemScores(torch.from_numpy(leaf_QM), torch.from_numpy(share_QM))


def heard(counts: ItemScores, content: ItemScores, share: float) -> ItemScores:
    """Both voices side by side, a leaf that both name twice; where one has nothing to say, the other has all."""
    is_heard = [(scores.share_QM.sum(1) > 0).numpy() for scores in (counts, content)]
    parts = shares_of(is_heard[0], is_heard[1], share)
    share_QM = [
        scores.share_QM * torch.from_numpy(part_Q)[:, None]
        for scores, part_Q in zip((counts, content), parts, strict=True)
    ]
    return ItemScores(torch.cat([counts.place_QM, content.place_QM], 1), torch.cat(share_QM, 1))
