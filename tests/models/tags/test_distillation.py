"""Losses, draws and agreement, each against numbers worked by hand."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch

from models.tags.chain import parse_reply
from models.tags.distillation import (
    IGNORED,
    Agreement,
    agreement,
    category_weights,
    drawn,
    pooled,
    reply_loss,
    slice_of,
    tags_reply,
    tasks,
    top_k_divergence,
    with_hard_examples,
)

LN = math.log


def test_only_reply_tokens_count_towards_the_loss() -> None:
    even, sure = [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, LN(3)]  # 1/4 each; 1/6, 1/6, 1/6, 1/2
    logits_BTV = torch.tensor([[even, sure], [sure, sure]])
    told = reply_loss(logits_BTV, torch.tensor([[IGNORED, 3], [3, 0]]))
    assert told.loss_B.tolist() == pytest.approx([LN(2), (LN(2) + LN(6)) / 2])
    assert told.wrong_B.tolist() == [0.0, 0.5]
    assert told.mean_loss.item() == pytest.approx((LN(2) + LN(2) + LN(6)) / 3)


def test_a_reply_of_no_tokens_costs_nothing() -> None:
    told = reply_loss(torch.zeros(1, 2, 4), torch.full((1, 2), IGNORED))
    assert (told.loss_B.item(), told.wrong_B.item(), told.mean_loss.item()) == (0.0, 0.0, 0.0)


def test_the_divergence_takes_what_was_not_stored_as_one_bucket() -> None:
    # Teacher: 1/2 and 1/4 for tokens 2 and 0, 1/4 for all others. Student: 1/8, 1/8, 1/4, 1/2 for tokens 0 to 3.
    logits_TV = torch.tensor([[1 / 8, 1 / 8, 1 / 4, 1 / 2]]).log()
    found = top_k_divergence(logits_TV, torch.tensor([[2, 0]]), torch.tensor([[1 / 2, 1 / 4]]).log())
    # 1/2 ln(1/2 / 1/4) + 1/4 ln(1/4 / 1/8) + 1/4 ln(1/4 / 5/8)
    assert found.item() == pytest.approx(0.5 * LN(2) + 0.25 * LN(2) + 0.25 * LN(0.4))


def test_the_divergence_of_two_tokens_is_their_mean_and_none_where_both_say_the_same() -> None:
    same, other = [1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2]
    ids_TK, best_TK = torch.tensor([[0], [0]]), torch.tensor([[1 / 2], [1 / 2]]).log()
    assert top_k_divergence(torch.tensor([same, same]).log(), ids_TK, best_TK).item() == pytest.approx(
        0, abs=1e-6
    )
    half = 0.5 * LN(2) + 0.5 * LN(0.5 / 0.75)
    found = top_k_divergence(torch.tensor([same, other]).log(), ids_TK, best_TK)
    assert found.item() == pytest.approx(half / 2)


def test_a_teacher_that_is_sure_beyond_rounding_or_tells_every_token_gives_finite_gradients() -> None:
    logits_TV = torch.tensor([[3.0, 1.0, 0.0]], requires_grad=True)
    sure = top_k_divergence(logits_TV, torch.tensor([[0]]), torch.tensor([[1e-4]]))  # probability 1.0001
    whole = top_k_divergence(logits_TV, torch.tensor([[0, 1, 2]]), torch.full((1, 3), 1 / 3).log())
    (sure + whole).backward()
    assert logits_TV.grad is not None
    assert torch.isfinite(logits_TV.grad).all()


def test_temperature_one_leaves_categories_as_they_come_and_two_draws_the_small_one_more() -> None:
    categories = ["a"] * 9 + ["b"]
    assert category_weights(categories, 1.0).tolist() == pytest.approx([0.1] * 10)
    # 9^(1/2) = 3 against 1: a quarter of the draws are of the one note of b.
    assert category_weights(categories, 2.0).tolist() == pytest.approx([0.75 / 9] * 9 + [0.25])


def test_a_note_that_is_all_wrong_is_drawn_one_plus_emphasis_times_as_often() -> None:
    found = with_hard_examples(np.array([0.5, 0.25, 0.25]), np.array([0.0, 0.0, 1.0]), 3.0)
    assert found.tolist() == pytest.approx([0.5 / 1.75, 0.25 / 1.75, 1.0 / 1.75])


def test_each_note_is_drawn_its_expected_count_rounded_down_or_up() -> None:
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    for seed in range(20):
        found = Counter(drawn(weights, 10, np.random.default_rng(seed)).tolist())
        assert found[0] == 5
        assert found[1] == 3
        assert found[2] in (1, 2)
        assert found[3] in (0, 1)
        assert found.total() == 10


def test_the_same_seed_draws_the_same_and_another_one_otherwise() -> None:
    weights = np.full(50, 0.02)
    first, again, other = (drawn(weights, 50, np.random.default_rng(s)).tolist() for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(first) == list(range(50))


def test_a_rationale_of_weight_one_is_half_of_the_draws_and_of_weight_zero_none() -> None:
    assert set(tasks(100, 0.0, np.random.default_rng(1))) == {"tags"}
    half = Counter(tasks(10_000, 1.0, np.random.default_rng(1)))["chain"]
    third = Counter(tasks(10_000, 0.5, np.random.default_rng(1)))["chain"]
    assert (abs(half - 5000) < 200, abs(third - 3333) < 200) == (True, True)


def test_the_tags_reply_is_what_the_parser_reads_back_and_drops_the_picture_from_the_blind() -> None:
    given = (["colour", "material"], ["red", 'say "oak"'], ["picture", "oak"])
    seen = parse_reply(tags_reply(*given), "a table of oak", has_picture=True)
    assert [(t.dimension, t.value, t.evidence) for t in seen.tags] == list(zip(*given, strict=True))
    blind = json.loads(tags_reply(*given, sees_picture=False))
    assert blind == {"values": [{"dimension": "material", "value": 'say "oak"', "evidence": "oak"}]}


def test_a_note_stays_in_its_slice_and_the_slices_have_their_shares() -> None:
    assert [slice_of(f"n{i}") for i in (0, 1, 3)] == ["stopping", "frozen", "training"]
    shares = Counter(slice_of(f"n{i}") for i in range(10_000))
    assert (abs(shares["frozen"] - 1500) < 150, abs(shares["stopping"] - 700) < 100) == (True, True)


def test_agreement_counts_folded_pairs_once() -> None:
    student = [("Material", "Oak"), ("material", "oak"), ("colour", "red")]
    teacher = [("material", "oak"), ("scene", "red"), ("price", "low")]
    found = agreement(student, teacher)
    assert found == Agreement(num_both=1, num_student=2, num_teacher=3)
    assert (found.precision, found.recall, found.f1) == (0.5, 1 / 3, 0.4)
    assert pooled([found, Agreement(2, 2, 2)]) == Agreement(3, 4, 5)


def test_two_that_give_no_tag_agree() -> None:
    assert agreement([], []).f1 == 1.0
    assert agreement([("a", "b")], []).f1 == 0.0
