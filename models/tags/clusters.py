"""Groups phrases into dimensions: values of one dimension stand in like contexts, and not together in one note. Ours.

In: for every phrase P how often it stands in which context, an embedding where an encoder reads its language, and which
phrases stand together in which notes. Out: groups of phrases. Clusters are compared by the cosine of their members'
summed vectors, so that what is said once about a rare value is compared with all that is said about its like; sums of
vectors need their Gram matrix alone, and each merge adds two rows of it.

Shapes: P phrases, F contexts, D embedding.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Config:
    """Thresholds, chosen on generated worlds (benchmarks/handbook_world.py)."""

    min_similarity: float = 0.3
    embedding_weight: float = 0.2  # of the cosine of embeddings beside that of contexts
    max_together: float = 0.35  # of the notes in which chance would have two clusters stand together
    min_together: int = 2


@dataclass(frozen=True)
class Together:
    """In how many notes two phrases stand together, and in how many they would by chance within a stratum."""

    seen_PP: Matrix
    expected_PP: Matrix


def context_gram(contexts: Sequence[Mapping[str, int]]) -> Matrix:
    """The Gram matrix of phrases' contexts, damped counts weighted by how few phrases share the context."""
    names = sorted({name for found in contexts for name in found})
    place = {name: at for at, name in enumerate(names)}
    counts_PF = np.zeros((len(contexts), len(names)))
    for row, found in enumerate(contexts):
        for name, count in found.items():
            counts_PF[row, place[name]] = count
    num_phrases_F = (counts_PF > 0).sum(0)
    weight_F = np.log(len(contexts) / np.maximum(num_phrases_F, 1)) + 0.1
    weighted_PF = np.log1p(counts_PF[:, num_phrases_F > 1]) * weight_F[num_phrases_F > 1]
    return np.asarray(weighted_PF @ weighted_PF.T)


def together(notes: Sequence[tuple[Hashable, Sequence[int]]], num_phrases: int) -> Together:
    """Counts of phrases standing together; a note is its stratum (such as category and language) and its phrases."""
    seen_PP, expected_PP = np.zeros((num_phrases, num_phrases)), np.zeros((num_phrases, num_phrases))
    strata: dict[Hashable, list[Sequence[int]]] = {}
    for stratum, phrases in notes:
        strata.setdefault(stratum, []).append(phrases)
        chosen = np.array(phrases, dtype=np.int64)
        seen_PP[np.ix_(chosen, chosen)] += 1
    for members in strata.values():
        used, counts = np.unique(np.concatenate([np.array(m, np.int64) for m in members]), return_counts=True)
        expected_PP[np.ix_(used, used)] += np.outer(counts, counts) / len(members)
    return Together(seen_PP, expected_PP)


def clusters(
    context_PP: Matrix, embedding_PP: Matrix | None, notes: Together, config: Config
) -> list[list[int]]:
    """Groups of two or more phrases, each sorted, in order of their first phrase."""
    grams = [context_PP.copy()]
    weights = [1.0]
    if embedding_PP is not None:
        grams.append(embedding_PP.copy())
        weights.append(config.embedding_weight)
    seen, expected = notes.seen_PP.copy(), notes.expected_PP.copy()
    members: list[list[int]] = [[i] for i in range(len(context_PP))]
    score = _scores(grams, weights, seen, expected, config)
    best = score.argmax(1) if len(score) else np.zeros(0, np.int64)
    alive = np.ones(len(members), bool)
    while alive.any():
        rows = np.arange(len(score))
        left = int(score[rows, best].argmax())
        right = int(best[left])
        if score[left, right] < config.min_similarity:
            break
        members[left] += members[right]
        alive[right] = False
        for matrix in (*grams, seen, expected):
            matrix[left] += matrix[right]
            matrix[:, left] += matrix[:, right]
        score[right] = score[:, right] = -np.inf
        score[left] = _row_scores(grams, weights, seen, expected, config, left)
        score[left, ~alive] = -np.inf
        score[:, left] = score[left]
        _follow(score, best, left, right)
    return sorted(sorted(m) for at, m in enumerate(members) if alive[at] and len(m) > 1)


def _follow(score: Matrix, best: npt.NDArray[np.int64], left: int, right: int) -> None:
    """Keep `best` the best partner of every row after row and column `left` changed and `right` went."""
    stale = (best == left) | (best == right)
    stale[left] = True
    best[stale] = score[stale].argmax(1)
    rows = np.arange(len(score))
    best[score[:, left] > score[rows, best]] = left


def _scores(
    grams: Sequence[Matrix], weights: Sequence[float], seen: Matrix, expected: Matrix, config: Config
) -> Matrix:
    rows = [_row_scores(grams, weights, seen, expected, config, at) for at in range(len(seen))]
    return np.array(rows).reshape(len(seen), len(seen))


def _row_scores(
    grams: Sequence[Matrix],
    weights: Sequence[float],
    seen: Matrix,
    expected: Matrix,
    config: Config,
    at: int,
) -> Matrix:
    """The similarity of one cluster to all others, minus infinity to those it stands together with in notes."""
    total = np.zeros(len(seen))
    for gram, weight in zip(grams, weights, strict=True):
        norms = np.sqrt(np.maximum(gram.diagonal() * gram[at, at], 1e-12))
        total += weight * gram[at] / norms
    is_apart = (seen[at] >= config.min_together) & (seen[at] > config.max_together * expected[at])
    total = np.where(is_apart, -np.inf, np.round(total, 9))
    total[at] = -np.inf
    return total
