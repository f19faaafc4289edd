"""Two processes learn what one does: the same steps on the same examples, each the half of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyspark.sql import SparkSession

from jobs.lake import LakeError, write_atomically
from jobs.recommend.compact_tokenizer import compact_tokenizer
from jobs.recommend.examples import Lesson, save_examples, tokenised
from jobs.recommend.lazy_files import save_network
from jobs.recommend.many_processes import learn_in_processes
from jobs.recommend.recipe import Recipe
from jobs.recommend.training_process import BASE, LEARNED, RECIPE
from jobs.recommend.training_state import State, load_state
from models.recommend import lazy
from models.recommend.id_tokens import IdTokens
from models.recommend.networks import Config, compact_network
from models.recommend.prefixes import prefix_keys

SIZES = (4, 4)
IDS = [f"<a_{first}><b_{second}>" for first in range(4) for second in range(4)]


def prepared(room: Path, processes: int, is_lazy: bool) -> Recipe:
    """A room with 9 examples, of whose last step the second process has none."""
    tokenizer = compact_tokenizer(SIZES, ["<age:x>"])
    lessons = [Lesson(f"<age:x> {''.join(IDS[n : n + n % 3])}", IDS[n + 3]) for n in range(9)]
    examples = tokenised(tokenizer, lessons)
    save_examples(room, "train", examples)
    save_examples(room, "valid", examples)
    save_network(lazy_network(len(tokenizer)) if is_lazy else causal_network(len(tokenizer)), room / BASE)
    lazily = {"is_lazy": is_lazy, "averaging": 0.9 if is_lazy else 0.0}
    recipe = Recipe(2, 4, 0.01, 9, 17, SIZES, 3, 0, is_encoder_decoder=False, processes=processes, **lazily)
    write_atomically(room / RECIPE, recipe.as_json().encode())
    return recipe


def causal_network(num_tokens: int) -> Any:
    small = Config(hidden=16, layers=1, heads=2, head_width=8, feed_forward=32, dropout=0.0)
    return compact_network("causal", num_tokens, 0, 1, small, seed=3)


def lazy_network(num_tokens: int) -> lazy.Lazy:
    codes_NL = np.array([(first, second) for first in range(4) for second in range(4)])
    small = lazy.Config(places=5, dim=16, layers=1, heads=2, dropout=0.0, note_dropout=0.0)
    torch.manual_seed(3)
    return lazy.Lazy(IdTokens(3, SIZES), num_tokens, prefix_keys(codes_NL, SIZES), small)


def learned(room: Path, recipe: Recipe) -> State:
    found = load_state(room / LEARNED, recipe.as_json())
    assert found is not None
    return found


@pytest.mark.parametrize("is_lazy", [False, True])
def test_two_processes_learn_what_one_does(spark: SparkSession, tmp_path: Path, is_lazy: bool) -> None:
    alone = prepared(tmp_path / "one", 1, is_lazy)
    learn_in_processes(tmp_path / "one", 1)
    together = prepared(tmp_path / "two", 2, is_lazy)
    learn_in_processes(tmp_path / "two", 2)
    one, two = learned(tmp_path / "one", alone), learned(tmp_path / "two", together)
    assert (one.facts["num_processes"], two.facts["num_processes"]) == (1, 2)
    assert two.facts["steps"] == one.facts["steps"] == 6
    for here, there in zip(one.facts["curve"], two.facts["curve"], strict=True):
        assert there == pytest.approx(here, abs=1e-4)
    assert sorted(two.tensors) == sorted(one.tensors)
    for name, value in one.tensors.items():
        assert torch.allclose(two.tensors[name], value, atol=1e-3), name


def test_a_process_that_fails_is_told(spark: SparkSession, tmp_path: Path) -> None:
    recipe = prepared(tmp_path / "two", 2, is_lazy=False)
    write_atomically(
        tmp_path / "two" / RECIPE, dataclasses.replace(recipe, precision="fp99").as_json().encode()
    )
    with pytest.raises(LakeError, match="a training process failed"):
        learn_in_processes(tmp_path / "two", 2)
