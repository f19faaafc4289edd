"""Rows of new words: near the mean of the old, not all the same, and never before the words they follow."""

from __future__ import annotations

import pytest
import torch

from models.recommend.networks import Config, compact_network
from models.recommend.new_words import NOISE, begin_rows, with_words

SMALL = Config(hidden=16, layers=1, heads=2, head_width=8, feed_forward=32)


def test_new_rows_are_the_mean_with_noise_of_the_old_ones_size() -> None:
    weight_VE = torch.tensor([[1.0, 10.0], [3.0, 10.0]]).repeat(2, 1)
    weight_VE = torch.cat([weight_VE, torch.zeros(1000, 2)])
    begin_rows(weight_VE, 4, 1004, seed=1)
    assert weight_VE[:4].tolist() == [[1.0, 10.0], [3.0, 10.0]] * 2
    new_VE = weight_VE[4:]
    assert new_VE[:, 0].mean().item() == pytest.approx(2.0, abs=0.02)
    assert new_VE[:, 0].std().item() == pytest.approx(NOISE * 1.0, rel=0.1)
    assert (new_VE[:, 1] == 10.0).all()  # where the old ones do not differ the new ones do not


def test_a_network_grows_only_where_it_must() -> None:
    grown = with_words(compact_network("causal", 10, 0, 1, SMALL, seed=1), 10, 14, seed=1)
    assert grown.get_input_embeddings().weight.shape[0] == 14
    assert grown.config.vocab_size == 14
    padded = with_words(compact_network("causal", 20, 0, 1, SMALL, seed=1), 10, 14, seed=1)
    assert padded.get_input_embeddings().weight.shape[0] == 20


def test_a_network_with_fewer_rows_than_words_is_refused() -> None:
    with pytest.raises(ValueError, match="has 10 rows and the tokenizer 12 words"):
        with_words(compact_network("causal", 10, 0, 1, SMALL, seed=1), 12, 14, seed=1)
