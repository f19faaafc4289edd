"""The recommender's collaborative scorer on a day's catalogue: which IDs of the day it speaks for, given a history.

It counted notes of the day it was trained on; of those that are gone, and of notes that came since, it says nothing.

Shapes: Q users, T places of a history (-1 is no note), N notes that the scorer knows, M that it names.
"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import torch

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.recommend.collaborative import Collaborative
from models.recommend.markov_knn import MarkovKnn
from models.recommend.mixing import ItemScores
from models.recommend.sequences import PAD, Items

NAMED = 200  # notes that the scorer names for a user: as many as it keeps neighbours of one


def leaves_of(found: Collaborative, catalogue: CatalogueTrie) -> Items:
    """leaf_N1: the leaf of every note that the scorer knows, -1 where the day has it not, and at the end for no note."""
    place_N = np.asarray(pc.fill_null(pc.index_in(found.note_ids, value_set=catalogue.note_ids), PAD)).astype(
        np.int64
    )
    leaf_N = np.searchsorted(catalogue.trie.note_indptr_S1, place_N, side="right") - 1
    return np.append(np.where(place_N == PAD, PAD, leaf_N), PAD).astype(np.int64)


def leaf_scores(scorer: MarkovKnn, leaf_N1: Items, history_QT: Items, *, exclude_seen: bool) -> ItemScores:
    """The leaves that the scorer speaks for, each with its share."""
    item_QM, score_QM = scorer.top(history_QT, NAMED, exclude_seen=exclude_seen)
    leaf_QM = leaf_N1[item_QM]
    share_QM = np.where(leaf_QM == PAD, 0, np.maximum(score_QM, 0)).astype(np.float64)
    share_QM /= np.maximum(share_QM.sum(axis=1, keepdims=True), 1e-300)
    return ItemScores(torch.from_numpy(leaf_QM), torch.from_numpy(share_QM))
