"""The losses of the RQ-VAE beside reconstruction, and even codes, on numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from models.ids.contrast_losses import collaborative_loss, identity_loss, pair_loss
from models.ids.diversity_loss import code_clusters, diversity_loss, partners
from models.ids.sinkhorn import even_codes

NAN = math.nan


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_the_collaborative_loss_is_the_mean_surprise_at_ones_own_behaviour() -> None:
    # Scores <z_i, h_j>: row 0 has 2 against 0, row 1 has 3 against 1.
    loss = collaborative_loss(rows([1, 0], [0, 1]), rows([2, 1], [0, 3]))
    assert loss.item() == pytest.approx((math.log1p(math.exp(-2)) + math.log1p(math.exp(-2))) / 2)


def test_rows_without_behaviour_neither_learn_nor_stand_as_alternatives() -> None:
    z = torch.tensor([[1.0, 0.0], [5.0, 5.0], [0.0, 1.0]], requires_grad=True)
    loss = collaborative_loss(z, rows([2, 1], [NAN, NAN], [0, 3]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2)))
    loss.backward()
    assert z.grad is not None
    assert z.grad[1].tolist() == [0, 0]
    assert collaborative_loss(rows([1, 0], [0, 1]), rows([1, 0], [NAN, 0])).item() == 0


def test_a_pair_is_pulled_together_against_the_others_and_partners_are_spared() -> None:
    left, right = rows([1, 0], [0, 2]), rows([3, 0], [0, 1])
    nobody, all_same = torch.eye(2, dtype=torch.bool), torch.ones(2, 2, dtype=torch.bool)
    # Cosines are 1 on the diagonal and 0 off it, over a temperature of 0.5.
    assert pair_loss(left, right, nobody, 0.5).item() == pytest.approx(math.log1p(math.exp(-2)))
    assert pair_loss(left, right, all_same, 0.5).item() == pytest.approx(0)


def test_identity_asks_to_be_nearer_to_ones_own_latent_than_to_others_but_for_the_same_content() -> None:
    quantised, z = rows([0, 0], [0, 0]), rows([0, 1], [0, 2])
    # Squared distances 1 and 4 from either row; the mean to its own is 2.5, so at a temperature of 1.2 they are over 3:
    # row 0 wins by 1, row 1 loses by 1.
    apart = identity_loss(quantised, z, torch.tensor([0, 1]), 1.2)
    assert apart.item() == pytest.approx((math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2)
    assert identity_loss(quantised, z, torch.tensor([5, 5]), 1.2).item() == pytest.approx(0)


def test_identity_does_not_care_for_the_scale_of_latents() -> None:
    dice = torch.Generator().manual_seed(0)
    a, b = torch.randn(80, 4, generator=dice), torch.randn(80, 4, generator=dice)
    small, large = (identity_loss(n * a, n * b, torch.arange(80), 0.5).item() for n in (1, 100))
    assert small == pytest.approx(large, rel=1e-4)


def test_clusters_of_codes_have_a_bounded_size_and_a_partner_is_another_code_of_the_cluster() -> None:
    dice = torch.Generator().manual_seed(3)
    codebook = torch.randn(32, 5, generator=dice)
    cluster = code_clusters(codebook, 10, seed=1)
    assert torch.bincount(cluster).max() <= 4
    found = partners(cluster, dice)
    assert (cluster[found] == cluster).all()
    alone = torch.bincount(cluster)[cluster] == 1
    assert ((found == torch.arange(32)) == alone).all()


def test_diversity_by_hand() -> None:
    # Code 0 with partner 1: scores 1 and 0 against codes 1 and 2 (itself is no alternative).
    codebook = rows([1, 0], [1, 1], [0, 1])
    loss = diversity_loss(codebook, torch.tensor([0]), torch.tensor([1, 0, 2]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)))
    alone = diversity_loss(codebook, torch.tensor([2]), torch.tensor([1, 0, 2]))  # its own partner: all codes stand
    assert alone.item() == pytest.approx(math.log(1 + 1 + math.exp(-1)))


def test_even_codes_share_a_batch_out_where_the_nearest_would_not() -> None:
    cost = rows([0.0, 0.2], [0.0, 0.3], [0.0, 0.9], [0.0, 1.0])
    assert cost.argmin(1).tolist() == [0, 0, 0, 0]
    assert even_codes(cost).tolist() == [1, 1, 0, 0]
    assert even_codes(torch.zeros(3, 2)).tolist() == [0, 0, 0]


def test_even_codes_of_a_random_batch_use_every_code() -> None:
    cost = torch.rand(512, 16, generator=torch.Generator().manual_seed(0)) + torch.arange(16) / 4
    counts = torch.bincount(even_codes(cost), minlength=16)
    assert counts.min() >= 24
    assert counts.max() <= 40
