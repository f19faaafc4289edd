"""SASRec: what a place sees, and what padding does not change. (That it learns is told beside its training.)"""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch

from models.recommend.sasrec import Config, SASRec
from models.recommend.sequences import padded

SMALL = Config(length=6, dim=16, layers=2, heads=2, dropout=0.5)


@pytest.fixture(scope="module")
def model() -> SASRec:
    torch.manual_seed(3)
    return SASRec(10, SMALL).eval()


def test_what_comes_later_does_not_change_a_place_and_what_came_before_does(model: SASRec) -> None:
    history_QT = torch.tensor([[4, 2, 7, 1], [4, 2, 7, 9], [5, 2, 7, 1]])
    state_QTD = model(history_QT).detach()
    assert torch.allclose(state_QTD[0, :3], state_QTD[1, :3], atol=1e-6)
    assert not torch.allclose(state_QTD[0, 3], state_QTD[1, 3], atol=1e-3)
    assert not torch.allclose(state_QTD[0, 3], state_QTD[2, 3], atol=1e-5)


def test_the_order_of_a_history_changes_its_scores(model: SASRec) -> None:
    one, other = model.scores(padded([[4, 2, 7], [2, 4, 7]], 3))
    assert np.abs(one - other).max() > 1e-4


def test_padding_on_the_left_changes_nothing_and_only_the_last_places_count(model: SASRec) -> None:
    histories = [[4, 2, 7], [1, 2, 3]]
    narrow, wide = model.scores(padded(histories, 3)), model.scores(padded(histories, 6))
    assert np.abs(narrow - wide).max() < 1e-5
    long = model.scores(padded([[8, 8, 8, 1, 2, 3, 4, 5, 6]], 9))
    assert np.abs(long - model.scores(padded([[1, 2, 3, 4, 5, 6]], 6))).max() < 1e-6


def test_a_history_of_nothing_has_scores(model: SASRec) -> None:
    assert np.isfinite(model.scores(padded([[], [1]], 4))).all()
    assert model.scores(padded([[]], 4)).shape == (1, 10)


def test_scores_come_without_dropout_and_leave_training_as_it_was(model: SASRec) -> None:
    history_QT = padded([[4, 2, 7]], 4)
    model.train()
    try:
        assert (model.scores(history_QT) == model.scores(history_QT)).all()
        assert model.training
    finally:
        model.eval()


def test_a_network_that_knows_nothing_is_as_uncertain_as_there_are_items() -> None:
    blank = SASRec(10, SMALL).eval()
    torch.nn.init.zeros_(blank.items_ND)
    loss = blank.loss(torch.tensor([[-1, 3, 4]]), torch.tensor([[-1, 4, 5]]))
    assert loss.item() == pytest.approx(log(10))


def test_the_vectors_that_items_come_in_with_are_those_they_are_held_against(model: SASRec) -> None:
    state_SD = torch.eye(16)[:2]
    assert torch.equal(model.logits(state_SD), model.items_ND[:, :2].T)


def test_sizes_that_do_not_fit_are_errors_that_say_so(model: SASRec) -> None:
    with pytest.raises(ValueError, match="3 heads do not share a width of 16"):
        Config(dim=16, heads=3)
    with pytest.raises(ValueError, match=r"dropout is 1\.0"):
        Config(dropout=1.0)
    with pytest.raises(ValueError, match="histories have 7 places, the network 6"):
        model(torch.zeros((1, 7), dtype=torch.int64))
