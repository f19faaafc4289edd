"""The loss of an answer: codes compete inside their level, other words with all."""

from __future__ import annotations

import math

import pytest
import torch

from models.recommend.answer_loss import IGNORED, answer_loss, levels_of
from models.recommend.id_tokens import IdTokens

IDS = IdTokens(2, (2, 3))  # words 0 and 1, then a_0 a_1, b_0 b_1 b_2


def test_a_code_competes_with_its_level_and_a_word_with_everything() -> None:
    logits_BAV = torch.zeros(1, 4, 7)
    logits_BAV[0, 0, 0] = 50.0  # a word that no code competes with
    logits_BAV[0, 1, 5] = math.log(2)
    found = answer_loss(logits_BAV, torch.tensor([[3, 5, 1, IGNORED]]), IDS)
    expected = [math.log(2), math.log(4 / 2), math.log(7), 0.0]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_words_outside_a_level_learn_nothing_from_a_code() -> None:
    logits_BAV = torch.randn(1, 1, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    answer_loss(logits_BAV, torch.tensor([[4]]), IDS).sum().backward()
    assert logits_BAV.grad is not None
    assert (logits_BAV.grad[0, 0] != 0).tolist() == [False] * 4 + [True] * 3


def test_half_precision_is_summed_in_float32() -> None:
    logits_BAV = torch.full((1, 1, 7), 300.0, dtype=torch.bfloat16)
    assert answer_loss(logits_BAV, torch.tensor([[4]]), IDS).item() == pytest.approx(math.log(3), abs=1e-6)


def test_levels_of_a_vocabulary() -> None:
    assert levels_of(IDS, 8).tolist() == [-1, -1, 0, 0, 1, 1, 1, -1]
