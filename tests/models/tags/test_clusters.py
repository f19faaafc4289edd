"""Values of one dimension find each other by what stands around them, worked by hand."""

from __future__ import annotations

import itertools
import random

import numpy as np

from models.tags.clusters import Config, Together, clusters, context_gram, together

NOBODY = Together(np.zeros((4, 4)), np.zeros((4, 4)))
MATERIALS = [{"l real": 3, "r feels": 2}, {"l real": 1, "r feels": 4}]
AUDIENCES = [{"l for": 2, "r will": 3}, {"l for": 1, "r will": 1}]


def test_phrases_in_like_contexts_are_one_dimension() -> None:
    gram = context_gram([MATERIALS[0], AUDIENCES[0], MATERIALS[1], AUDIENCES[1]])
    assert clusters(gram, None, NOBODY, Config()) == [[0, 2], [1, 3]]


def test_phrases_that_stand_together_in_notes_are_not_one_dimension() -> None:
    # In 5 of 10 notes each; chance would have them together in 2.5 of them, they are in 2.
    notes = [("home", [0]), ("home", [1])] * 3 + [("home", [0, 1])] * 2 + [("home", [])] * 2
    found = together(notes, 2)
    assert (found.seen_PP[0, 1], found.expected_PP[0, 1]) == (2, 2.5)
    gram = context_gram([*MATERIALS, *AUDIENCES])[:2, :2]
    assert clusters(gram, None, found, Config()) == []
    apart = together([("home", [0]), ("home", [1])] * 5, 2)
    assert clusters(gram, None, apart, Config()) == [[0, 1]]


def test_an_embedding_brings_together_what_contexts_leave_apart() -> None:
    gram = context_gram([{"l real": 1}, {"l for": 1}, {"l real": 1}, {"l for": 1}])[:2, :2]
    alike = np.ones((2, 2))
    assert clusters(gram, None, Together(gram * 0, gram * 0), Config()) == []
    assert clusters(gram, alike, Together(gram * 0, gram * 0), Config(embedding_weight=0.5)) == [[0, 1]]


def test_merges_agree_with_a_search_of_all_pairs_at_every_step() -> None:
    draw = random.Random(3)
    contexts = [{f"c{draw.randrange(9)}": draw.randint(1, 4) for _ in range(4)} for _ in range(14)]
    gram = context_gram(contexts)
    config = Config(min_similarity=0.4)
    found = clusters(gram, None, Together(gram * 0, gram * 0), config)
    assert found == _all_pairs(gram, config.min_similarity)


def _all_pairs(gram: np.ndarray, at_least: float) -> list[list[int]]:
    groups = [[at] for at in range(len(gram))]

    def like(left: list[int], right: list[int]) -> float:
        norm = np.sqrt(gram[np.ix_(left, left)].sum() * gram[np.ix_(right, right)].sum())
        return round(float(gram[np.ix_(left, right)].sum() / max(norm, 1e-12)), 9)

    while len(groups) > 1:
        left, right = max(itertools.combinations(groups, 2), key=lambda pair: like(*pair))
        if like(left, right) < at_least:
            break
        groups = [g for g in groups if g not in (left, right)] + [left + right]
    return sorted(sorted(g) for g in groups if len(g) > 1)
