"""Compact networks: their sizes, their seeds, and that padding changes nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from models.recommend.networks import CAUSAL, TIGER, Config, compact_network, sizes_of

SMALL = Config(hidden=16, layers=2, heads=2, head_width=8, feed_forward=32, dropout=0.0)


def test_t5_is_as_large_as_tiger_says() -> None:
    """Without words: 4 encoder layers of 4 x 128 x 384 + 2 x 128 x 1024 weights, 4 decoder layers with one more attention,
    norms, and 2 tables of 32 x 6 relative places."""
    network = compact_network("t5", 0, 0, 0, TIGER, seed=1)
    attention, feed_forward = 4 * 128 * 384, 2 * 128 * 1024
    norms = 4 * 2 * 128 + 4 * 3 * 128 + 2 * 128
    expected = 4 * (attention + feed_forward) + 4 * (2 * attention + feed_forward) + norms + 2 * 32 * 6
    assert network.num_parameters() == expected


def test_causal_reads_and_writes_words_by_the_same_rows() -> None:
    network = compact_network("causal", 20, 0, 1, SMALL, seed=1)
    assert network.get_output_embeddings().weight is network.get_input_embeddings().weight


@pytest.mark.parametrize("family", ["causal", "t5"])
def test_the_seed_decides_the_weights_and_leaves_the_dice_of_others_alone(family: str) -> None:
    torch.manual_seed(9)
    one = compact_network(family, 20, 0, 1, SMALL, seed=1).state_dict()
    drawn = torch.rand(1)
    torch.manual_seed(9)
    assert torch.equal(torch.rand(1), drawn)
    again, other = (compact_network(family, 20, 0, 1, SMALL, seed).state_dict() for seed in (1, 2))
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


def test_padding_on_the_left_changes_nothing() -> None:
    network = compact_network("causal", 20, 0, 1, SMALL, seed=1).eval()
    token_BT = torch.tensor([[4, 7, 9]])
    padded_BT = torch.tensor([[0, 0, 4, 7, 9]])
    mask_BT = torch.tensor([[0, 0, 1, 1, 1]])
    place_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        alone = network(input_ids=token_BT).logits[:, -1]
        beside = network(input_ids=padded_BT, attention_mask=mask_BT, position_ids=place_BT).logits[:, -1]
    assert torch.allclose(alone, beside, atol=1e-5)


def test_dropout_is_where_it_was_asked_for() -> None:
    for family, sizes in (("causal", CAUSAL), ("t5", TIGER)):
        network = compact_network(family, 20, 0, 1, dataclasses.replace(sizes, dropout=0.45), seed=1)
        rates = {module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)}
        assert rates == {0.45}, family


def test_sizes_that_do_not_fit_and_families_nobody_knows_are_refused() -> None:
    with pytest.raises(ValueError, match="2 heads of 8 are not 17 wide"):
        compact_network("causal", 20, 0, 1, dataclasses.replace(SMALL, hidden=17), seed=1)
    with pytest.raises(ValueError, match="'gpt' is no compact family"):
        sizes_of("gpt")
