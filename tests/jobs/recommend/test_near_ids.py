"""Neighbours that a training learns: of whom they are made, when content is read, and that a kill changes nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.lake import Lake
from jobs.recommend import training
from jobs.recommend.near_ids import NearIds, near_ids_of_day, open_near_ids, save_near_ids
from jobs.recommend.recommender import KIND
from jobs.recommend.recommender_inputs import inputs_of
from jobs.recommend.train_recommender import run
from models.recommend.soft_targets import Near
from tests.jobs.lakes import tree
from tests.jobs.recommend.killed import killed_in_step
from tests.jobs.recommend.served import on_a_ring, publish_vectors
from tests.jobs.recommend.taught import DAY, NOTES, configured
from tests.jobs.recommend.trained import small_and_quick, taught_lake

EMBEDDINGS = f"note_embeddings/ds={DAY}"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_and_quick(monkeypatch)


def read_lake(folder: Path) -> Lake:
    """Users act on notes in the ring n00, n01, ...; what reads alike is two steps further on, and n11 has no text."""
    lake = taught_lake(folder)
    names = sorted(NOTES)[:-1]
    vectors = on_a_ring(names)
    publish_vectors(lake, DAY, {name: vectors[names[(at * 2) % 11]] for at, name in enumerate(names)})
    return lake


def near(found: Near, note_id: str) -> dict[str, float]:
    """The neighbours of a note's ID by name; every note has an ID of its own."""
    names = sorted(NOTES, key=NOTES.__getitem__)
    row = names.index(note_id)
    pairs = zip(found.leaf_NE[row].tolist(), found.share_NE[row].tolist(), strict=True)
    return {names[leaf]: share for leaf, share in pairs if leaf >= 0}


def of_day(lake: Lake, **settings: Any) -> NearIds:
    config = configured(lake, model="lazy", **settings)
    return near_ids_of_day(lake, DAY, config.recommend, inputs_of(lake, DAY, config).reads)


def test_by_clicks_those_beside_a_note_in_the_ring_are_nearest(tmp_path: Path) -> None:
    found = near(of_day(taught_lake(tmp_path)).soft, "n05")
    assert sorted(found, key=lambda name: -found[name])[:2] in (["n04", "n06"], ["n06", "n04"])
    assert sum(found.values()) == pytest.approx(1)
    assert "n05" not in found


def test_what_reads_alike_has_its_share_and_a_note_without_text_has_clicks_alone(tmp_path: Path) -> None:
    lake = read_lake(tmp_path)
    both, clicks = of_day(lake).soft, of_day(lake, content=0).soft
    assert of_day(lake, content=0).content is None
    assert near(both, "n11") == pytest.approx(near(clicks, "n11"))
    two, one = near(both, "n05"), near(clicks, "n05")
    read = {name: (share - 0.6 * one.get(name, 0.0)) / 0.4 for name, share in two.items()}
    # Beside it on the circle is n10; n00 and n04, twice as far, have exp(20 * (cos 30 - cos 60)) = 1514 times less.
    assert read["n10"] == pytest.approx(1512 / 1514, abs=1e-3)
    assert read["n06"] == pytest.approx(0, abs=1e-3)


def test_they_are_kept_as_they_were(tmp_path: Path) -> None:
    found = of_day(read_lake(tmp_path))
    save_near_ids(tmp_path / "room", found)
    again = open_near_ids(tmp_path / "room")
    assert again is not None
    assert found.content is not None
    assert again.content is not None
    for before, after in ((found.soft, again.soft), (found.content, again.content)):
        assert all(np.array_equal(*arrays) for arrays in zip(before, after, strict=True))
    assert open_near_ids(tmp_path) is None
    save_near_ids(tmp_path / "clicks", NearIds(found.soft, None))
    clicks = open_near_ids(tmp_path / "clicks")
    assert clicks is not None
    assert clicks.content is None


def test_embeddings_belong_to_a_recommender_where_it_learns_neighbours_by_content(tmp_path: Path) -> None:
    lake = read_lake(tmp_path)

    def reads(**settings: Any) -> set[str]:
        return set(inputs_of(lake, DAY, configured(lake, **settings)).reads)

    assert EMBEDDINGS in reads(model="lazy")
    for other in ({"neighbours": 0}, {"content": 0}, {"model": "causal"}):
        assert EMBEDDINGS not in reads(**{"model": "lazy", **other})


def test_without_embeddings_clicks_alone_tell_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = taught_lake(tmp_path)
    with caplog.at_level(logging.WARNING, logger="notemill"):
        found = inputs_of(lake, DAY, configured(lake, model="lazy"))
    assert EMBEDDINGS not in found.reads
    assert f"note_embeddings ds={DAY} are not published: clicks alone" in caplog.text


def test_a_killed_training_with_neighbours_makes_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakes = [read_lake(tmp_path / name) for name in ("one", "two")]
    monkeypatch.setattr(training, "STATE_SECONDS", 0.0)
    with killed_in_step(monkeypatch, 5):
        run(configured(lakes[0], model="lazy"), DAY)
    names = [run(configured(lake, model="lazy"), DAY) for lake in lakes]
    assert names[0] == names[1]
    one, two = (dict(tree(Artifacts(lake, KIND).folder(names[0]))) for lake in lakes)
    assert one["model.safetensors"] == two["model.safetensors"]
    assert EMBEDDINGS in Artifacts(lakes[0], KIND).manifest(names[0])["depends_on"]["reads"]
    alone = run(configured(lakes[1], model="lazy", neighbours=0), DAY)
    assert (
        Artifacts(lakes[1], KIND).folder(alone).joinpath("model.safetensors").read_bytes()
        != two["model.safetensors"]
    )
