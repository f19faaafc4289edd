"""The product's training without a lake: what it learns, and what its lists earn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.recommend_training import Valid, judged, ranked_ids, rows_of, train_on, trie_of
from jobs.recommend.settings import Recommend
from models.ids.text import codes_to_text
from models.recommend.prompts import Profile
from models.recommend.sequences import Cases, padded

SIZES = (3, 4)
CODES_NL = np.array([(first, second) for first in range(3) for second in range(4)])
TEXTS = [codes_to_text(codes) for codes in CODES_NL.tolist()]
RINGS = [[(start + step) % 12 for step in range(6)] for start in range(12)]
QUICK = dataclasses.replace(
    Recommend(), epochs=60, patience=60, batch_size=4, history=5, learning_rate=0.01, dropout=0.1
)


def test_a_row_asks_for_every_item_but_the_first_from_the_latest_before_it() -> None:
    found = [(row.history, row.semantic_id) for row in rows_of([TEXTS[:4], TEXTS[4:5]], [Profile()] * 2, 2)]
    assert found == [(TEXTS[:1], TEXTS[1]), (TEXTS[:2], TEXTS[2]), (TEXTS[1:3], TEXTS[3])]


@pytest.mark.parametrize("model", ["lazy", "causal"])
def test_what_comes_next_in_a_ring_is_learned_and_judged(model: str) -> None:
    """Of causal, one epoch: that it runs as the product does."""
    settings = dataclasses.replace(QUICK, model=model, epochs=QUICK.epochs if model == "lazy" else 1)
    histories = [[TEXTS[item] for item in ring] for ring in RINGS]
    next_Q = np.array([(ring[-1] + 1) % 12 for ring in RINGS])
    trained = train_on(histories, Valid(histories, [TEXTS[item] for item in next_Q]), settings, SIZES, CODES_NL)
    assert len(trained.curve) >= trained.epoch > 0
    leaf_QB = ranked_ids(trained.recommender, histories, trie_of(CODES_NL, SIZES), 12)
    assert [sorted(leaves) for leaves in leaf_QB.tolist()] == [list(range(12))] * 12
    found = judged(trained.recommender, Cases(padded(RINGS, 5), next_Q), TEXTS, CODES_NL, 12)
    if model == "lazy":
        assert leaf_QB[:, 0].tolist() == next_Q.tolist()  # leaves are in the order of the codes
        assert found == {"hr_10": 1.0, "ndcg_10": 1.0}
    else:
        assert found["ndcg_10"] < 1.0
