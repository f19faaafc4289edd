"""Training the lazy network end to end on a tiny lake: what it recommends, what its manifest says, and a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.recommend import training
from jobs.recommend.recommender import KIND, load_recommender
from jobs.recommend.train_recommender import run
from models.recommend.lazy import Lazy
from models.recommend.prefixes import catalogue_of
from tests.jobs.recommend.killed import killed_in_step
from tests.jobs.recommend.taught import CODES, DAY, NOTES, configured, semantic_id
from tests.jobs.recommend.trained import best_ids, files_of, small_and_quick, taught_lake


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_and_quick(monkeypatch)


@pytest.fixture(scope="module")
def lazily_trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """A lake with a trained lazy network."""
    with pytest.MonkeyPatch.context() as patch:
        small_and_quick(patch)
        lake = taught_lake(tmp_path_factory.mktemp("lazily"))
        config = configured(lake, model="lazy", epochs=30, learning_rate=0.01)
        return config, run(config, DAY)


def test_the_lazy_network_tells_what_comes_next_in_the_ring(lazily_trained: tuple[Config, str]) -> None:
    config, generation = lazily_trained
    found = load_recommender(config.open_lake(), generation)
    histories = [["n01", "n02"], ["n02", "n03", "n04"], ["n08", "n09", "n10"]]
    assert best_ids(found, histories) == [semantic_id(note) for note in ("n03", "n05", "n11")]
    assert best_ids(found, [[]])[0] in map(semantic_id, NOTES)


def test_the_lazy_network_says_what_chose_its_epoch_and_knows_the_days_catalogue(
    lazily_trained: tuple[Config, str],
) -> None:
    config, generation = lazily_trained
    lake = config.open_lake()
    facts, folder = Artifacts(lake, KIND).manifest(generation), Artifacts(lake, KIND).folder(generation)
    figures = [point["valid_ndcg_10"] for point in facts["curve"]]
    assert figures[facts["best_epoch"] - 1] == max(figures) > 0.9
    assert f"| {facts['best_epoch']} | " in (folder / "card.md").read_text()
    assert f"{max(figures):.4f}" in (folder / "card.md").read_text()
    assert "generation_config.json" not in facts["files"]
    network = load_recommender(lake, generation).network
    assert sorted(catalogue_of(list(keys_of(network)), (CODES,) * 3).tolist()) == sorted(NOTES.values())


def keys_of(network: Lazy) -> Any:
    return (network.get_buffer(f"key_{level}") for level in range(3))


def test_a_killed_training_of_the_lazy_network_makes_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakes = [taught_lake(tmp_path / name) for name in ("one", "two")]
    monkeypatch.setattr(training, "STATE_SECONDS", 0.0)
    with killed_in_step(monkeypatch, 5):
        run(configured(lakes[0], model="lazy"), DAY)
    one, two = (run(configured(lake, model="lazy"), DAY) for lake in lakes)
    assert one == two
    assert files_of(lakes[0], one) == files_of(lakes[1], two)
