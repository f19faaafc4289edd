"""What says when a lazy network's training stops: places of answers by hand, and rows asked as they are served."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from jobs.recommend import judge as module
from jobs.recommend.examples import Examples
from jobs.recommend.judge import Judge, gains
from models.recommend.prefixes import catalogue_of, prefix_keys
from tests.models.recommend.tiny_lazy import CATALOGUE, HISTORIES, SIZES, lazy, log_prob, rows


def test_places_are_counted_without_what_was_seen() -> None:
    """The first row's answer is third, behind a seen one and another; the second's is not there, the third's was seen."""
    code_QBL = torch.tensor([[[1], [2], [3]]] * 3)
    answer_QL = torch.tensor([[3], [9], [1]])
    seen_QSL = torch.tensor([[[-1], [1]], [[-1], [1]], [[-1], [1]]])
    assert gains(code_QBL, answer_QL, seen_QSL).tolist() == [pytest.approx(1 / math.log2(3)), 0.0, 1.0]


def test_the_eleventh_place_earns_nothing() -> None:
    code_QBL = torch.arange(12)[None, :, None]
    none_QSL = torch.full((1, 1, 1), -1)
    found = [float(gains(code_QBL, torch.tensor([[at]]), none_QSL)) for at in (9, 10)]
    assert found == [pytest.approx(1 / math.log2(11)), 0.0]


def test_a_catalogue_comes_back_from_its_prefixes() -> None:
    assert catalogue_of(prefix_keys(np.array(CATALOGUE), SIZES), SIZES).tolist() == [list(ids) for ids in CATALOGUE]


@pytest.mark.parametrize("rows_a_call", [1, 256])
def test_its_figure_is_that_of_scoring_every_note(monkeypatch: pytest.MonkeyPatch, rows_a_call: int) -> None:
    monkeypatch.setattr(module, "ROWS_A_CALL", rows_a_call)
    model, answers = lazy(), [(2, 0, 0), (3, 3, 3), (0, 1, 2), (2, 4, 1)]
    token, mask = rows([[*history, answer] for history, answer in zip(HISTORIES, answers, strict=True)])
    tokens = [one[seen == 1].numpy().astype(np.int32) for one, seen in zip(token, mask, strict=True)]
    indptr_N1 = np.concatenate([[0], np.cumsum([len(one) for one in tokens])])
    valid = Examples(np.concatenate(tokens), indptr_N1, np.full(4, 3, dtype=np.int32))
    expected = 0.0
    for history, answer in zip(HISTORIES, answers, strict=True):
        scores = dict(zip(CATALOGUE, log_prob(model, history, CATALOGUE).sum(1).tolist(), strict=True))
        ahead = sum(score > scores[answer] for one, score in scores.items() if one not in history)
        expected += 1 / math.log2(ahead + 2)
    judge = Judge(model, valid, pad=0)
    assert judge.ndcg_sum(0, 1) == pytest.approx(expected)
    assert judge.ndcg_sum(0, 3) + judge.ndcg_sum(1, 3) + judge.ndcg_sum(2, 3) == pytest.approx(expected)
    monkeypatch.setattr(module, "JUDGED", 2)
    assert Judge(model, valid, pad=0).row_Q.tolist() == [0, 2]
