"""The lazy network in the training loop: the same weights after any kill, in parts, and with the mean of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import save

from jobs.recommend import training as loop
from jobs.recommend.recipe import Recipe
from jobs.recommend.training import Training
from models.recommend.id_tokens import IdTokens
from models.recommend.lazy import Config, Lazy
from models.recommend.prefixes import prefix_keys
from tests.jobs.recommend.killed import killed_in_step
from tests.jobs.recommend.small_training import SIZES, examples, recipe

CATALOGUE = np.array([(first, second) for first in range(4) for second in range(4)])
SMALL = Config(places=5, dim=16, layers=1, heads=2, dropout=0.2, note_dropout=0.3)


@pytest.fixture(autouse=True)
def every_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)


def lazy_recipe(**other: Any) -> Recipe:
    return recipe(**{"is_lazy": True, "averaging": 0.9, **other})


def training(chosen: Recipe, config: Config = SMALL) -> Training:
    torch.manual_seed(3)
    network = Lazy(IdTokens(3, SIZES), 3 + sum(SIZES) + 1, prefix_keys(CATALOGUE, SIZES), config)
    return Training(network, chosen, examples(), examples(5), Accelerator(cpu=True))


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    """The weights of 3 epochs of 3 steps that nothing disturbed."""
    return save(dict(training(lazy_recipe()).run().weights))


@pytest.mark.parametrize("step", [0, 1, 4, 8])
def test_a_kill_in_any_step_leaves_the_same_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: bytes, step: int
) -> None:
    state = tmp_path / "state.safetensors"
    with killed_in_step(monkeypatch, step):
        training(lazy_recipe()).run(state)
    assert save(dict(training(lazy_recipe()).run(state).weights)) == undisturbed


def test_what_is_kept_is_the_mean_that_was_judged(undisturbed: bytes) -> None:
    found = training(lazy_recipe(epochs=1))
    best = found.run()
    assert all(torch.equal(value, found.averaging.means[name]) for name, value in best.weights.items())
    assert not any(
        torch.equal(value, found.weights[name]) for name, value in best.weights.items() if value.dim() > 1
    )
    with torch.no_grad():
        for name, value in best.weights.items():
            found.weights[name].copy_(value)
    assert found._valid_loss() == pytest.approx(best.loss, abs=1e-6)
    assert found._ndcg() == pytest.approx(best.ndcg, abs=1e-6) == found.curve[0]["valid_ndcg_10"]
    latest = training(lazy_recipe(averaging=0.0)).run()
    assert save(dict(latest.weights)) != undisturbed


def test_a_batch_in_parts_is_learned_like_a_whole_one() -> None:
    still = Config(**{**SMALL.__dict__, "dropout": 0.0, "note_dropout": 0.0})
    whole, split = training(lazy_recipe(), still), training(lazy_recipe(parts=3), still)
    whole.run()
    split.run()
    for one, three in zip(whole.curve, split.curve, strict=True):
        assert three == pytest.approx(one, abs=1e-4)
