"""A training of seconds: examples of literal words, and a network of one layer."""

from __future__ import annotations

from typing import Any

from accelerate import Accelerator

from jobs.recommend.compact_tokenizer import compact_tokenizer
from jobs.recommend.examples import Examples, Lesson, tokenised
from jobs.recommend.recipe import Recipe
from jobs.recommend.training import Training
from models.recommend.networks import Config, compact_network

SIZES = (4, 4)
IDS = [f"<a_{first}><b_{second}>" for first in range(4) for second in range(4)]
SMALL = Config(hidden=16, layers=1, heads=2, head_width=8, feed_forward=32, dropout=0.2)


def recipe(**other: Any) -> Recipe:
    chosen = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "patience": 9, "seed": 17, **other}
    return Recipe(sizes=SIZES, first=3, pad=0, **{"is_encoder_decoder": False, **chosen})


def lessons(count: int, shift: int = 3) -> list[Lesson]:
    """Histories of 0, 1 or 2 notes; the answer is `shift` after the first."""
    return [Lesson(f"<age:x> {''.join(IDS[n : n + n % 3])}", IDS[(n + shift) % 16]) for n in range(count)]


def examples(count: int = 10, shift: int = 3) -> Examples:
    return tokenised(compact_tokenizer(SIZES, ["<age:x>"]), lessons(count, shift))


def training(chosen: Recipe, train: Examples, valid: Examples, dropout: float = 0.2) -> Training:
    import dataclasses

    family = "t5" if chosen.is_encoder_decoder else "causal"
    sizes = dataclasses.replace(SMALL, dropout=dropout)
    network = compact_network(family, 3 + sum(SIZES) + 1, 0, 1, sizes, seed=3)
    return Training(network, chosen, train, valid, Accelerator(cpu=True, mixed_precision=chosen.precision))
