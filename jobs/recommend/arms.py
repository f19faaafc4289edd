"""Every way to recommend, on the same held-out answers: baselines, and the recommender by its ways of decoding.

Shapes: Q cases, B beams, N items (places of the day's trie), L levels.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.recommend.held_out import HeldOut, note_places
from jobs.recommend.judged_arms import Earned
from jobs.recommend.note_facts import NoteFacts
from jobs.recommend.search import Asked, Leaves, Search
from jobs.recommend.settings import Recommend
from models.recommend import item_knn, markov_knn, popularity
from models.recommend.content import Content
from models.recommend.judging import Scores, judge_ids, judge_scores
from models.recommend.ranking import KS
from models.recommend.sequences import PAD, Items, Sequences
from models.recommend.slices import slices
from models.recommend.voices import Voices

log = logging.getLogger("notemill")


class Judging(NamedTuple):
    """What all arms are judged by."""

    held: HeldOut
    catalogue: CatalogueTrie
    settings: Recommend

    @property
    def leaf_of_places(self) -> Items:
        """leaf_N: of every place."""
        indptr_S1 = self.catalogue.trie.note_indptr_S1.astype(np.int64)
        return np.repeat(np.arange(len(indptr_S1) - 1), np.diff(indptr_S1))


def deployed_arm(settings: Recommend) -> str:
    """The way of decoding that `recommend` uses."""
    return "generative_mixed" if settings.guidance < 1 else "generative"


def counting_arms(judging: Judging, sequences: Sequences, near: Content | None = None) -> dict[str, Earned]:
    """Popularity, neighbours of items, and the Markov chain beside them; with neighbours by content among the places of the
    day's trie these alone, and the collaborative scorer alone, which is those and the chain."""
    num_items = judging.catalogue.trie.num_notes
    counts = cache(lambda: markov_knn.fit(sequences, num_items, markov_knn.Config()))
    fits: dict[str, Callable[[], Scores]] = {
        "popularity": lambda: popularity.fit(sequences, num_items).scores,
        "item_knn": lambda: item_knn.fit(sequences, num_items, item_knn.Config()).scores,
        "markov_knn": lambda: counts().scores,
    }

    if near is not None:
        fits["content_knn"] = lambda: near.scores
        fits["counts_content"] = lambda: partial(
            Voices(counts(), near, judging.settings.content).scores,
            exclude_seen=judging.settings.exclude_seen,
        )

    def fitted(fit: Callable[[], Scores]) -> Earned:
        return scored(judging, fit())

    return {arm: timed(arm, partial(fitted, fit)) for arm, fit in fits.items()}


def scored(judging: Judging, scores: Scores) -> Earned:
    """What an arm earns that scores all notes."""
    return Earned(judge_scores(scores, judging.held.cases, exclude_seen=judging.settings.exclude_seen))


def decoded_arms(judging: Judging, search: Search) -> tuple[dict[str, Earned], Leaves, Leaves]:
    """The recommender alone, mixed with the collaborative scorer, and free of the catalogue; with the lists of the deployed
    way and of the free one."""
    deployed, lists = deployed_arm(judging.settings), dict[str, Leaves]()
    arms = dict.fromkeys(("generative", deployed, "free"))
    found = {arm: timed(arm, partial(_kept, arm, lists, judging, search)) for arm in arms}
    return found, lists[deployed], lists["free"]


def _kept(arm: str, lists: dict[str, Leaves], judging: Judging, search: Search) -> Earned:
    lists[arm] = decoded(arm, judging, search)
    return listed(judging, lists[arm])


def decoded(arm: str, judging: Judging, search: Search) -> Leaves:
    """The lists of one way of decoding, as many IDs as `recommend` asks for."""
    settings, asked = judging.settings, asked_of(judging)
    num_beams = min(settings.num_beams, judging.catalogue.trie.num_leaves)
    if arm == "free":
        return search.free(asked, num_beams)
    guidance = settings.guidance if arm == "generative_mixed" else 1.0
    return search.constrained(asked, num_beams, guidance, exclude_seen=settings.exclude_seen)


def listed(judging: Judging, leaves: Leaves) -> Earned:
    """What lists of IDs earn. Of the beams that there are, those are valid whose codes the catalogue has."""
    leaf_QB = padded_lists(leaves.leaf_QB)
    hits = judge_ids(
        leaf_QB, judging.leaf_of_places, judging.held.cases, exclude_seen=judging.settings.exclude_seen
    )
    is_beam_QB = np.isfinite(leaves.score_QB)
    num_beams = leaves.leaf_QB.shape[1]
    codes_ML = leaves.codes_QBL.reshape(-1, leaves.codes_QBL.shape[2])
    is_valid_QB = judging.catalogue.trie.validate(codes_ML).reshape(is_beam_QB.shape)
    valid_Q = (is_valid_QB & is_beam_QB).sum(axis=1) / np.maximum(is_beam_QB.sum(axis=1), 1)
    return Earned(hits.of_items, hits.of_ids, valid_Q, num_beams)


def padded_lists(leaf_QB: Items) -> Items:
    """Lists of a small catalogue as long as the longest that is asked for."""
    missing = max(KS) - leaf_QB.shape[1]
    return np.pad(leaf_QB, ((0, 0), (0, missing)), constant_values=PAD) if missing > 0 else leaf_QB


def asked_of(judging: Judging) -> Asked:
    """The users of the cases, as a search is asked."""
    held = judging.held
    is_item_QT = held.cases.history_QT != PAD
    flat = note_places(judging.catalogue).take(pa.array(held.cases.history_QT[is_item_QT])).to_pylist()
    stops = np.cumsum(is_item_QT.sum(axis=1)).tolist()
    names = [flat[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]
    return Asked(names, held.histories, held.profiles)


def timed(arm: str, judged: Callable[[], Earned]) -> Earned:
    """An arm's hits, told with how long they took."""
    started = time.monotonic()
    found = judged()
    seconds, num_cases = time.monotonic() - started, len(found.of_items.hr_QK)
    ndcg = found.of_items.ndcg_QK[:, KS.index(10)].mean()
    log.info("%-16s NDCG@10 %.4f, %.1f s, %.0f users/s", arm, ndcg, seconds, num_cases / max(seconds, 1e-9))
    return found


def parts_of(judging: Judging, sequences: Sequences, notes: NoteFacts) -> dict[str, NDArray[np.bool_]]:
    """The parts of the cases that figures are told for."""
    num_items = judging.catalogue.trie.num_notes
    named = [""] * num_items
    for item in set(judging.held.cases.target_Q.tolist()) - {PAD}:
        named[item] = notes.categories.get(item, "")
    return slices(judging.held.cases, sequences.counts(num_items), named)
