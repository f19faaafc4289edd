"""The day's neighbours by content: what they are made of, who is spoken for, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.ids.catalogue_trie import trie_of
from jobs.lake import Lake, LakeError
from jobs.recommend.collaborative_leaves import heard, leaf_scores, voice_of
from jobs.recommend.content_neighbours import KIND, at_places, content_reads, make_content, open_content
from jobs.recommend.recommender import load_recommender
from jobs.recommend.search import Asked, Search, search_of
from jobs.recommend.settings import Recommend
from models.recommend.mixing import ItemScores
from models.recommend.prompts import Profile
from models.recommend.sequences import padded
from tests.jobs.lakes import tree
from tests.jobs.recommend.served import D1, D2, IDS_2, config_file, generation_of, on_a_ring, publish_vectors
from tests.jobs.recommend.taught import NOTES, semantic_id

HEARD = Recommend(content=0.2)
D3 = "2026-03-03"


def made(lake: Lake, day: str) -> str:
    return make_content(lake, day, content_reads(lake, day, HEARD))


def near(lake: Lake, day: str, note_id: str) -> dict[str, float]:
    """The neighbours of a note with their weights."""
    found = open_content(lake, made(lake, day))
    assert found is not None
    names = found.note_ids.to_pylist()
    row = found.scorer.near_NN.toarray()[names.index(note_id)]
    return {names[at]: float(row[at]) for at in np.flatnonzero(row)}


def searched(lake: Lake, share: float) -> Search:
    """The second day: by counts of the first, and its own neighbours where they have a share."""
    content = open_content(lake, made(lake, D2)) if share else None
    return search_of(
        load_recommender(lake, generation_of(lake)), trie_of(lake, D2, "g1"), content, share, "cpu"
    )


def best(search: Search, *history: str, guidance: float = 0.0) -> list[str]:
    """The notes of the best IDs, by the scorer alone unless `guidance` says otherwise."""
    asked = Asked([list(history)], [[semantic_id(n) for n in history if n in NOTES]], [Profile()])
    leaf_QB = search.constrained(asked, 4, guidance, exclude_seen=True).leaf_QB
    return [name for leaf in leaf_QB[0] for name in search.catalogue.notes_of(int(leaf))]


@pytest.fixture(scope="module")
def lake(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy that tests here only look at, or add days to."""
    import shutil

    home = tmp_path_factory.mktemp("near") / "world"
    shutil.copytree(world_template, home)
    return Lake.open(home / "lake")


def test_near_are_those_beside_a_note_in_the_ring_and_all_weight_is_shared(lake: Lake) -> None:
    found = near(lake, D1, "n03")
    assert sorted(found, key=lambda n: -found[n])[:2] in (["n02", "n04"], ["n04", "n02"])
    assert found["n02"] == pytest.approx(found["n04"], rel=1e-4)
    assert sum(found.values()) == pytest.approx(1)
    assert "n03" not in found


def test_the_same_partition_is_read_once_and_again_to_the_byte(lake: Lake, tmp_path: Path) -> None:
    name = made(lake, D1)
    before = dict(tree(Artifacts(lake, KIND).folder(name)))
    Artifacts(lake, KIND).folder(name).rename(tmp_path / "aside")
    assert made(lake, D1) == name
    assert dict(tree(Artifacts(lake, KIND).folder(name))) == before
    assert Artifacts(lake, KIND).manifest(name)["depends_on"]["reads"] == {
        f"note_embeddings/ds={D1}": content_reads(lake, D1, HEARD)[f"note_embeddings/ds={D1}"]
    }


@pytest.mark.parametrize("silent", [Recommend(content=0), Recommend(content=0.5, guidance=1)])
def test_without_a_share_nothing_is_read(lake: Lake, silent: Recommend) -> None:
    assert content_reads(lake, "2020-01-01", silent) == {}
    assert make_content(lake, D1, {"semantic_ids/ds=2026-03-01": "p"}) == ""
    assert open_content(lake, "") is None


def test_a_day_without_embeddings_says_what_to_run_or_to_set(lake: Lake) -> None:
    with pytest.raises(
        LakeError,
        match=r"note_embeddings ds=2020-01-01 are not published, .*embed_notes .*recommend\.content: 0",
    ):
        content_reads(lake, "2020-01-01", HEARD)


def test_encoders_have_no_neighbours_in_each_other_and_vectors_of_their_own_length(
    lake: Lake, quick_publish: None
) -> None:
    other = {"m1": ([1.0, 0.0, 0.0], "e2"), "m2": ([0.0, 0.0, 1.0], "e2"), "m3": ([0.0, 0.0, 0.0], "e2")}
    publish_vectors(lake, D3, {**on_a_ring(["n01", "n02"]), **other})
    assert near(lake, D3, "m1") == {"m2": 1.0}
    assert near(lake, D3, "m3") == {}  # a vector of zeros
    assert near(lake, D3, "n01") == {"n02": 1.0}


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        ([2.0, 0.0], r"encoder e1: 1 vectors are not of length 1, .* 2\.0; embed the day again"),
        ([float("nan"), 0.0], "1 vectors are not of length 1"),
        ([1.0, 0.0, 0.0], r"vectors have lengths \['2', '3'\]; those of one encoder have one"),
    ],
)
def test_embeddings_that_are_no_vectors_are_refused(
    lake: Lake, quick_publish: None, vector: list[float], said: str
) -> None:
    publish_vectors(lake, "2026-03-04", {**on_a_ring(["n01", "n02"]), "n03": (vector, "e1")}, str(vector))
    with pytest.raises(LakeError, match=said):
        made(lake, "2026-03-04")


def test_a_file_that_is_not_the_one_written_is_refused(world: Lake) -> None:
    name = made(world, D1)
    path = Artifacts(world, KIND).folder(name) / "content.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LakeError, match=r"content\.safetensors is not the file that its manifest names"):
        open_content(world, name)


def test_neighbours_stand_at_the_places_of_the_trie(lake: Lake) -> None:
    catalogue = trie_of(lake, D2, "g1")
    names = catalogue.note_ids.to_pylist()
    found = at_places(open_content(lake, made(lake, D2)), catalogue)
    assert found is not None
    item_QK = found.top(padded([[names.index("n05")]], 1), 2).item_QK
    assert {names[item] for item in item_QK[0]} == {"n04", "n06"}
    assert at_places(None, catalogue) is None


def test_a_note_that_came_after_the_training_is_spoken_for_by_content_alone(lake: Lake) -> None:
    # n12 stands where n00 stood, beside n11 and n01: nobody ever acted on it, and counts have never seen it.
    assert "n12" in IDS_2
    assert "n12" not in NOTES
    content = open_content(lake, made(lake, D2))
    assert content is not None
    voice = voice_of(*content, trie_of(lake, D2, "g1"), 1.0)
    scores = leaf_scores(voice, voice.items([["n11"], ["n12"], ["gone"]], 2), exclude_seen=True)
    assert scores.share_QM.sum(1).tolist() == pytest.approx([1, 1, 0])
    assert "n12" in best(searched(lake, 1.0), "n11")
    assert "n12" not in best(searched(lake, 0.0), "n11")[:2]
    # And a history of it alone, of which counts know nothing, leads to those beside it.
    assert set(best(searched(lake, 0.2), "n12")[:2]) == {"n11", "n01"}


def test_where_both_say_the_same_no_share_changes_it(lake: Lake) -> None:
    for share in (0.0, 0.2, 1.0):
        assert best(searched(lake, share), "n07", "n08")[0] == "n09"
    assert best(searched(lake, 0.2), "n07", "n08", guidance=0.5)[0] == "n09"


def test_voices_stand_side_by_side_with_their_shares_and_one_alone_has_all() -> None:
    def said(places: list[list[int]], shares: list[list[float]]) -> ItemScores:
        return ItemScores(torch.tensor(places), torch.tensor(shares, dtype=torch.float64))

    counts = said([[4, 2], [7, -1], [-1, -1]], [[0.75, 0.25], [1, 0], [0, 0]])
    content = said([[4, 5], [-1, -1], [6, -1]], [[0.5, 0.5], [0, 0], [1, 0]])
    found = heard(counts, content, 0.2)
    assert found.place_QM.tolist() == [[4, 2, 4, 5], [7, -1, -1, -1], [-1, -1, 6, -1]]
    assert found.share_QM[0].tolist() == pytest.approx([0.6, 0.2, 0.1, 0.1])
    assert found.share_QM[1:].tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_outside_its_range_is_refused(lake: Lake, share: float) -> None:
    from jobs.recommend.speaker import require_servable

    settings = replace(load_config(config_file(lake)).recommend, content=share)
    with pytest.raises(LakeError, match=r"recommend\.content is .*: it must be from 0 to 1"):
        require_servable(settings)
