"""Training of SASRec: it learns a chain, and the seed decides all of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jobs.recommend.sasrec_training import Recipe, Trained, batches, train_sasrec, windows
from models.recommend.judging import judge_scores
from models.recommend.sasrec import Config
from models.recommend.sequences import Cases, padded, sequences_of

NUM_ITEMS = 12
# A ring: after item i comes i + 1.
RING = [[(start + step) % NUM_ITEMS for step in range(5)] for start in range(NUM_ITEMS)]
SEQUENCES = sequences_of(RING * 4)
CASES = Cases(
    padded([items[-2:] for items in RING], 4), np.array([(items[-1] + 1) % NUM_ITEMS for items in RING])
)
SMALL = Config(length=4, dim=16, layers=1, heads=1, dropout=0.1)
RECIPE = Recipe(epochs=20, batch_size=16, learning_rate=0.01, judge_epochs=2, patience=2, exclude_seen=False)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_sasrec(SEQUENCES, NUM_ITEMS, CASES, SMALL, RECIPE)


def test_a_chain_is_learned_to_the_last_item(trained: Trained) -> None:
    hits = judge_scores(trained.model.scores, CASES, exclude_seen=False, ks=(1,))
    assert hits.hr_QK.tolist() == [[1.0]] * NUM_ITEMS


def test_training_ends_where_nothing_gets_better_and_keeps_the_best(trained: Trained) -> None:
    best = max(line["ndcg_10"] for line in trained.curve)
    assert best == 1.0
    assert trained.epoch == next(line["epoch"] for line in trained.curve if line["ndcg_10"] == best)
    assert trained.curve[-1]["epoch"] == trained.epoch + RECIPE.patience * RECIPE.judge_epochs
    assert trained.curve[-1]["epoch"] < RECIPE.epochs


def test_the_best_weights_stay_where_later_ones_are_worse() -> None:
    # Answers by chance: the more the ring is learned, the worse they are told.
    answers = Cases(CASES.history_QT, np.random.default_rng(2).permutation(NUM_ITEMS))
    found = train_sasrec(SEQUENCES, NUM_ITEMS, answers, SMALL, RECIPE)
    told = judge_scores(found.model.scores, answers, exclude_seen=False, ks=(10,)).ndcg_QK.mean()
    assert told == max(line["ndcg_10"] for line in found.curve)
    assert told > found.curve[-1]["ndcg_10"]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(trained: Trained) -> None:
    again = train_sasrec(SEQUENCES, NUM_ITEMS, CASES, SMALL, RECIPE)
    other = train_sasrec(SEQUENCES, NUM_ITEMS, CASES, SMALL, Recipe(**{**vars(RECIPE), "seed": 18}))
    assert again.curve == trained.curve
    assert torch.equal(again.model.items_ND, trained.model.items_ND)
    assert not torch.equal(other.model.items_ND, trained.model.items_ND)


def test_every_item_but_the_first_is_an_answer_once() -> None:
    found = windows(sequences_of([[0, 1, 2, 3, 4, 5, 6], [7], [8, 9]]), 3)
    assert found.tolist() == [[3, 4, 5, 6], [0, 1, 2, 3], [-1, -1, 8, 9]]
    # An item more: the window that is left over has it, and the item that follows.
    assert windows(sequences_of([[0, 1, 2, 3, 4]]), 3).tolist() == [[1, 2, 3, 4], [-1, -1, 0, 1]]


def test_batches_hold_windows_of_like_length_without_the_padding_that_all_have() -> None:
    windows_WT = padded([[1, 2], [1, 2, 3, 4], [5, 6], [5, 6, 7]], 4)
    found = list(batches(windows_WT, 2, np.random.default_rng(1)))
    assert sorted(part.shape for part in found) == [(2, 2), (2, 4)]
    assert sorted(row for part in found for row in part[part >= 0].tolist()) == [
        1,
        1,
        2,
        2,
        3,
        4,
        5,
        5,
        6,
        6,
        7,
    ]


def test_nothing_to_learn_from_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="there are 0 sequences and 12 held-out items"):
        train_sasrec(sequences_of([[1], []]), NUM_ITEMS, CASES, SMALL, RECIPE)
    nothing = Cases(np.zeros((0, 4), dtype=np.int64), np.zeros(0, dtype=np.int64))
    with pytest.raises(ValueError, match="48 sequences and 0 held-out items"):
        train_sasrec(SEQUENCES, NUM_ITEMS, nothing, SMALL, RECIPE)
