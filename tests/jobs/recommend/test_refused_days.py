"""Days that `recommend` refuses before anything is staged, and what it says of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError
from jobs.recommend.recommend import main
from schemas.recommend_tables import RECOMMENDATIONS
from schemas.tables import SEMANTIC_IDS
from tests.jobs.recommend.served import (
    D1,
    D2,
    IDS_2,
    config_file,
    generation_of,
    make_recommender,
    publish_ids,
)


def run(lake: Lake, day: str, **settings: Any) -> None:
    main([f"--config={config_file(lake, **settings)}", f"--day={day}"])


def promote(lake: Lake, name: str = "") -> None:
    Artifacts(lake, "recommender").promote(name or generation_of(lake), D1)


@pytest.fixture
def refused(world: Lake) -> Iterator[Lake]:
    """A lake of which nothing may be staged in the test."""
    yield world
    assert not world.place("staging", RECOMMENDATIONS, D2).exists()


@pytest.mark.usefixtures("quick_publish")
def test_ids_of_another_generation_say_what_to_do(refused: Lake) -> None:
    promote(refused)
    Artifacts(refused, "quantizer").write("g2", lambda _: {"settings": {"codes": 4, "levels": 3}})
    publish_ids(refused, D2, IDS_2, "g2")
    message = "speaks codes of quantizer g1, semantic_ids ds=2026-03-02 are codes of g2: train and promote a recommender"
    with pytest.raises(LakeError, match=message):
        run(refused, D2)


def test_a_day_without_its_trie_is_refused(refused: Lake) -> None:
    promote(refused)
    shutil.rmtree(Artifacts(refused, "catalogue_trie").room)
    with pytest.raises(LakeError, match=r"no trie belongs to semantic_ids ds=2026-03-02 .*none was built"):
        run(refused, D2)


@pytest.mark.usefixtures("quick_publish")
def test_a_trie_of_ids_that_were_replaced_is_refused(refused: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(refused)
    monkeypatch.setattr("jobs.ids.build_trie.main", lambda _: None)
    publish_ids(refused, D2, {name: IDS_2[name] for name in ("n01", "n02")})
    with pytest.raises(LakeError, match=r"stale: .* belong to partitions that were replaced"):
        run(refused, D2)


def test_weights_cut_short_are_refused(refused: Lake) -> None:
    promote(refused)
    path = Artifacts(refused, "recommender").folder(generation_of(refused)) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LakeError, match=r"model\.safetensors is not the file that its manifest names"):
        run(refused, D2)


def test_a_recommender_without_words_for_the_day_s_codes_is_refused(refused: Lake) -> None:
    make_recommender(refused, "narrow", sizes=[4, 4, 3])
    promote(refused, "narrow")
    with pytest.raises(
        LakeError, match=r"levels of \(4, 4, 4\) codes, recommender narrow has words for \(4, 4, 3\)"
    ):
        run(refused, D2)


def test_a_day_without_ids_is_refused(refused: Lake) -> None:
    shutil.rmtree(refused.place("tables", SEMANTIC_IDS, D2))
    with pytest.raises(LakeError, match="table semantic_ids has no published partition ds=2026-03-02"):
        run(refused, D2)


def test_days_that_were_delivered_and_are_not_published_are_waited_for(refused: Lake) -> None:
    (refused.root.parent / "raw" / f"ds={D1}").mkdir(parents=True)
    (refused.root.parent / "raw" / f"ds={D2}").mkdir()
    config = config_file(refused)
    shutil.rmtree(refused.root / "tables" / "events_v1" / f"ds={D2}")
    with pytest.raises(
        LakeError, match=r"recommend ds=2026-03-02 needs the days .* events of 2026-03-02 are delivered"
    ):
        main([f"--config={config}", f"--day={D2}"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top": 0}, r"recommend\.top is 0: it must be from 1 to 1000"),
        ({"guidance": 1.5}, r"recommend\.guidance is 1\.5: it must be from 0 to 1"),
        ({"history": 0}, r"recommend\.history is 0"),
    ],
)
def test_settings_that_make_no_lists_are_named(refused: Lake, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LakeError, match=message):
        run(refused, D2, **settings)
