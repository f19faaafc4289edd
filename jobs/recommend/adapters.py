"""LoRA (Hu et al. 2021, arXiv 2106.09685) for a language model whose ID words are new: adapters, and the new words' rows.

Adapters alone would leave the rows of the ID words as they began, at random (a known trap of LETTER's code): so the rows
of these words, and no others, are trained beside, going in and coming out. Merged at the end, so that a recommender is
plain weights.
"""

from __future__ import annotations

from typing import Any

import torch

from jobs.config import ConfigError
from jobs.recommend.recipe import Recipe


def with_adapters(network: Any, recipe: Recipe) -> Any:
    """The network of which adapters of the recipe's rank and the ID words' rows alone are trained; itself at rank 0.

    Raises `ConfigError` for a network whose words have a bias beside their rows: it would be lost.
    """
    from peft import LoraConfig, get_peft_model

    if not recipe.lora_rank:
        return network
    ids = recipe.id_tokens
    rows = {name: list(range(ids.first, ids.stop)) for name in word_modules(network)}
    adapters = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=2 * recipe.lora_rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        trainable_token_indices=rows,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return get_peft_model(network, adapters)


def word_modules(network: Any) -> list[str]:
    """The names of the modules with a row for every word; the one coming out only where it has rows of its own."""
    given, told = network.get_input_embeddings(), network.get_output_embeddings()
    if getattr(told, "bias", None) is not None:
        raise ConfigError(
            f"recommend.lora_rank: {type(network).__name__} has a bias for every word, which adapters do not keep: train it "
            "whole (recommend.lora_rank: 0), or choose another model"
        )
    wanted = [given] if told.weight is given.weight else [given, told]
    names = {module: name for name, module in network.named_modules()}
    return [names[module] for module in wanted]


def merged(network: Any) -> Any:
    """The network with its adapters added into its weights; itself where it has none."""
    return network.merge_and_unload() if hasattr(network, "merge_and_unload") else network
