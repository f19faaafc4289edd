"""Adapters on a language model: what is trained, what stays as it was, and what is left of it in plain weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.config import ConfigError
from jobs.recommend.adapters import merged, with_adapters, word_modules
from jobs.recommend.base_model import Base, language_model_base
from jobs.recommend.recipe import Recipe
from tests.jobs.recommend.tiny_language_models import tiny_language_model

SIZES = (4, 3)


def recipe_of(base: Base, rank: int = 2) -> Recipe:
    return Recipe(1, 4, 0.01, 1, 17, SIZES, base.id_tokens.first, 0, is_encoder_decoder=False, lora_rank=rank)


def learned_two_steps(network: Any, token_BT: torch.Tensor) -> None:
    weights = [value for value in network.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.05, weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        logits_BTV = network(input_ids=token_BT).logits[:, :-1]
        torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), token_BT[:, 1:].flatten()).backward()
        optimizer.step()


@pytest.mark.parametrize("tied", [True, False])
def test_rows_of_the_id_words_and_adapters_learn_and_nothing_else(tmp_path: Path, tied: bool) -> None:
    base = language_model_base(tiny_language_model(tmp_path / "lm", tied), SIZES, seed=3)
    first, stop = base.id_tokens.first, base.id_tokens.stop
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    adapted = with_adapters(base.network, recipe_of(base))
    trained = sorted(
        {name.split(".")[-2] for name, value in adapted.named_parameters() if value.requires_grad}
    )
    assert trained == ["default", "trainable_tokens_delta"]  # lora_A.default.weight, lora_B.default.weight
    learned_two_steps(
        adapted, torch.tensor([[5, first, first + 5, first + 1, stop - 1], [9, first + 2, first + 4, 7, 8]])
    )
    with torch.no_grad():
        told = adapted(input_ids=torch.tensor([[5, first, first + 5]])).logits
    plain = merged(adapted)
    assert torch.allclose(plain(input_ids=torch.tensor([[5, first, first + 5]])).logits, told, atol=1e-5)
    after = plain.state_dict()
    assert sorted(after) == sorted(before)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(after[name][:first], before[name][:first])
        assert not torch.isclose(after[name][first:stop], before[name][first:stop]).all(dim=1).any()
    assert torch.equal(after["model.norm.weight"], before["model.norm.weight"])
    assert not torch.equal(
        after["model.layers.0.mlp.up_proj.weight"], before["model.layers.0.mlp.up_proj.weight"]
    )
    assert (after["lm_head.weight"].data_ptr() == after["model.embed_tokens.weight"].data_ptr()) is tied


@pytest.mark.parametrize("tied", [True, False])
def test_a_merged_network_is_the_same_read_back_from_plain_files(tmp_path: Path, tied: bool) -> None:
    from transformers import AutoModelForCausalLM

    base = language_model_base(tiny_language_model(tmp_path / "lm", tied), SIZES, seed=3)
    first = base.id_tokens.first
    adapted = with_adapters(base.network, recipe_of(base))
    token_BT = torch.tensor([[5, first, first + 5, first + 1]])
    learned_two_steps(adapted, token_BT)
    plain = merged(adapted).eval()
    plain.save_pretrained(tmp_path / "out")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert torch.allclose(again(input_ids=token_BT).logits, plain(input_ids=token_BT).logits, atol=1e-6)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.safetensors")) == ["model.safetensors"]


def test_adapters_begin_equal_wherever_they_begin(tmp_path: Path) -> None:
    folder = tiny_language_model(tmp_path / "lm")
    found = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        base = language_model_base(folder, SIZES, seed=3)
        adapted = with_adapters(base.network, recipe_of(base))
        found.append({name: value for name, value in adapted.named_parameters() if value.requires_grad})
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_without_a_rank_the_network_is_trained_whole(tmp_path: Path) -> None:
    base = language_model_base(tiny_language_model(tmp_path / "lm"), SIZES, seed=3)
    assert with_adapters(base.network, recipe_of(base, rank=0)) is base.network
    assert merged(base.network) is base.network


def test_words_with_a_bias_are_refused(tmp_path: Path) -> None:
    base = language_model_base(tiny_language_model(tmp_path / "lm", tied=False), SIZES, seed=3)
    base.network.lm_head.bias = torch.nn.Parameter(torch.zeros(base.network.lm_head.weight.shape[0]))
    with pytest.raises(ConfigError, match="a bias for every word"):
        word_modules(base.network)
