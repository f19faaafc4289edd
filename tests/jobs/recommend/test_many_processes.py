"""Two processes learn what one does: the same steps on the same examples, each the half of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession

from jobs.lake import LakeError, write_atomically
from jobs.recommend.compact_tokenizer import compact_tokenizer
from jobs.recommend.examples import Lesson, save_examples, tokenised
from jobs.recommend.many_processes import learn_in_processes
from jobs.recommend.recipe import Recipe
from jobs.recommend.training_process import BASE, LEARNED, RECIPE
from jobs.recommend.training_state import State, load_state
from models.recommend.networks import Config, compact_network

SIZES = (4, 4)
IDS = [f"<a_{first}><b_{second}>" for first in range(4) for second in range(4)]


def prepared(room: Path, processes: int) -> Recipe:
    """A room with 9 examples, of whose last step the second process has none."""
    tokenizer = compact_tokenizer(SIZES, ["<age:x>"])
    lessons = [Lesson(f"<age:x> {''.join(IDS[n : n + n % 3])}", IDS[n + 3]) for n in range(9)]
    examples = tokenised(tokenizer, lessons)
    save_examples(room, "train", examples)
    save_examples(room, "valid", examples)
    small = Config(hidden=16, layers=1, heads=2, head_width=8, feed_forward=32, dropout=0.0)
    compact_network("causal", len(tokenizer), 0, 1, small, seed=3).save_pretrained(room / BASE)
    recipe = Recipe(2, 4, 0.01, 9, 17, SIZES, 3, 0, is_encoder_decoder=False, processes=processes)
    write_atomically(room / RECIPE, recipe.as_json().encode())
    return recipe


def learned(room: Path, recipe: Recipe) -> State:
    found = load_state(room / LEARNED, recipe.as_json())
    assert found is not None
    return found


def test_two_processes_learn_what_one_does(spark: SparkSession, tmp_path: Path) -> None:
    alone = prepared(tmp_path / "one", 1)
    learn_in_processes(tmp_path / "one", 1)
    together = prepared(tmp_path / "two", 2)
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
    recipe = prepared(tmp_path / "two", 2)
    write_atomically(
        tmp_path / "two" / RECIPE, dataclasses.replace(recipe, precision="fp99").as_json().encode()
    )
    with pytest.raises(LakeError, match="a training process failed"):
        learn_in_processes(tmp_path / "two", 2)
