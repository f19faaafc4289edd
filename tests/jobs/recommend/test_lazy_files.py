"""The lazy network in a folder: what was written comes back, and harm is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from jobs.lake import LakeError
from jobs.recommend.lazy_files import is_lazy, open_lazy, save_network
from jobs.recommend.training_process import open_network
from models.recommend.lazy import Lazy
from models.recommend.networks import Config, compact_network
from tests.models.recommend.tiny_lazy import CATALOGUE, HISTORIES, SMALL, lazy, log_prob


def test_it_comes_back_as_it_was_and_the_same_network_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_network(lazy(), tmp_path / name)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    found = open_network(tmp_path / "one", is_encoder_decoder=False)
    assert isinstance(found, Lazy)
    assert found.config == SMALL
    expected = log_prob(lazy(), HISTORIES[0], CATALOGUE)
    assert torch.equal(log_prob(found.eval(), HISTORIES[0], CATALOGUE), expected)


def test_other_networks_are_written_as_transformers_does(tmp_path: Path) -> None:
    small = Config(hidden=16, layers=1, heads=2, head_width=8, feed_forward=32)
    save_network(compact_network("causal", 20, 0, 1, small, seed=1), tmp_path)
    assert (tmp_path / "generation_config.json").exists()
    assert not is_lazy(tmp_path)
    assert not is_lazy(tmp_path / "nowhere")


@pytest.mark.parametrize("harm", ["cut", "other sizes", "no key", "unknown size"])
def test_files_that_do_not_fit_each_other_are_told(tmp_path: Path, harm: str) -> None:
    save_network(lazy(), tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    facts = json.loads(config.read_bytes())
    if harm == "cut":
        weights.write_bytes(weights.read_bytes()[:100])
    elif harm == "other sizes":
        facts["num_tokens"] += 1
    elif harm == "no key":
        facts["sizes"].append(4)
    else:
        facts["config"]["width"] = 3
    config.write_text(json.dumps(facts))
    with pytest.raises(LakeError, match="holds no lazy recommender"):
        open_lazy(tmp_path)
