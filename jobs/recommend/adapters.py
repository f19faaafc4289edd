"""LoRA (Hu et al. 2021, arXiv 2106.09685) for a language model whose ID words are new: adapters, and the new words' rows.

Adapters alone would leave the rows of the ID words as they began, at random (LETTER, issue 12 of its code): so the rows of
these words, and no others, are trained beside, going in and coming out.
"""

from __future__ import annotations

from typing import Any

from jobs.recommend.recipe import Recipe


def with_adapters(network: Any, recipe: Recipe) -> Any:
    """The network of which adapters of the recipe's rank and the ID words' rows alone are trained; itself at rank 0."""
    if not recipe.lora_rank:
        return network
    raise NotImplementedError


def merged(network: Any) -> Any:
    """The network with its adapters added into its weights; itself where it has none."""
    return network
