"""Scores of cold notes for users, by tags through postings or by vectors, and how much of what is wanted they find.

Shapes: U users, C cold notes, N notes, D numbers of a vector, R rounds of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tag = tuple[str, str]


class Posting(NamedTuple):
    """What retrieval reads of a row of `tag_postings`: a note of a tag, and how much it weighs there."""

    note: int
    weight: float


def postings_of(rows: Sequence[Mapping[str, Any]], place: Mapping[str, int]) -> dict[Tag, list[Posting]]:
    """Rows of `tag_postings` by tag; `place` gives the number of a note."""
    found: dict[Tag, list[Posting]] = {}
    for row in rows:
        key = (row["dimension"], row["tag"])
        found.setdefault(key, []).append(Posting(place[row["note_id"]], row["weight"]))
    return found


def tag_scores(
    postings: Mapping[Tag, Sequence[Posting]], histories: Sequence[Collection[int]], num_notes: int
) -> Floats:
    """scores_UN: the sum, over a note's tags, of its weight in the posting times the user's mean weight there.

    The weight holds the tag's rarity, so that a shared tag counts by its square, as in the inner product of tf-idf
    vectors; a note without tags gets 0.
    """
    profiles = np.zeros((len(histories), num_notes))
    for user, history in enumerate(histories):
        profiles[user, list(history)] = 1 / max(len(history), 1)
    scores = np.zeros((len(histories), num_notes))
    for listed in postings.values():
        notes = np.array([p.note for p in listed])
        weights = np.array([p.weight for p in listed])
        wanted = profiles[:, notes] @ weights
        asking = np.flatnonzero(wanted)
        scores[np.ix_(asking, notes)] += np.outer(wanted[asking], weights)
    return scores


def vector_scores(vectors_ND: Floats, histories: Sequence[Collection[int]], *, by: str) -> Floats:
    """scores_UN: a note's mean or greatest (`by` is mean or max) cosine with the notes of the user's history."""
    lengths = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    unit_ND = vectors_ND / np.maximum(lengths, 1e-12)
    likeness = [unit_ND[list(history)] @ unit_ND.T for history in histories]
    return np.stack([found.mean(0) if by == "mean" else found.max(0) for found in likeness])


def together(left: Floats, right: Floats, candidates: Sequence[int]) -> Floats:
    """The sum of two kinds of scores, each brought to mean 0 and deviation 1 over a user's candidates."""
    return _standard(left, candidates) + _standard(right, candidates)


def _standard(scores: Floats, candidates: Sequence[int]) -> Floats:
    among = scores[:, list(candidates)]
    return np.asarray(
        (scores - among.mean(1, keepdims=True)) / np.maximum(among.std(1, keepdims=True), 1e-12)
    )


def recalls(
    scores: Floats, candidates: Sequence[int], wanted: Sequence[Collection[int]], most: int
) -> Floats:
    """recall_U: of what each user wants, the share among the `most` best candidates; a tie is split evenly.

    A wanted note whose score ties at the edge counts by the share of the tied notes that fit in, which is what a draw
    among them would give on average: so an order among equals helps nobody. No more than `most` can be found.
    """
    found = np.zeros(len(wanted))
    at = np.array(candidates)
    for user, notes in enumerate(wanted):
        among = scores[user, at]
        edge = np.sort(among)[::-1][min(most, len(among)) - 1]
        num_above, num_tied = (among > edge).sum(), (among == edge).sum()
        share = (min(most, len(among)) - num_above) / num_tied
        mine = scores[user, sorted(notes)]
        found[user] = ((mine > edge).sum() + share * (mine == edge).sum()) / min(len(notes), most)
    return found


def draws(num_users: int, rounds: int, seed: int) -> NDArray[np.int64]:
    """which_RU: users drawn with replacement; the last row is the users as they are."""
    rng = np.random.default_rng(seed)
    return np.vstack([rng.integers(0, num_users, (rounds, num_users)), np.arange(num_users)])


def interval(values_U: Floats, which_RU: NDArray[np.int64]) -> tuple[float, float, float]:
    """The mean, and the ends of its 95 % bootstrap interval (percentiles)."""
    means = values_U[which_RU].mean(1)
    low, high = np.percentile(means[:-1], [2.5, 97.5])
    return float(means[-1]), float(low), float(high)
