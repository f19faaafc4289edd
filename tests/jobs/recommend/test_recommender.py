"""A recommender read back: what it recommends, how it asks, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.lake import Lake, LakeError
from jobs.recommend.recommender import KIND, Recommender, load_recommender
from models.recommend.prompts import Profile
from tests.jobs.recommend.taught import NOTES, PROFILES, make_quantizer, semantic_id
from tests.jobs.recommend.trained import best_ids


@pytest.fixture
def recommender(trained: tuple[Config, str]) -> Recommender:
    config, generation = trained
    return load_recommender(config.open_lake(), generation)


def test_it_tells_what_comes_next_in_the_ring(recommender: Recommender) -> None:
    histories = [["n01", "n02"], ["n02", "n03", "n04"], ["n08", "n09", "n10"]]
    assert best_ids(recommender, histories) == [semantic_id(note) for note in ("n03", "n05", "n11")]


def test_the_counting_scorer_stands_beside_it_about_notes_by_name(recommender: Recommender) -> None:
    names = recommender.collaborative.note_ids.to_pylist()
    assert names == sorted(NOTES)
    history_QT = recommender.collaborative.items([["n01", "n02"], ["gone", "n05"], []], 3)
    assert history_QT.tolist() == [[-1, 1, 2], [-1, -1, 5], [-1, -1, -1]]
    found = recommender.collaborative.scorer.top(history_QT, 1)
    assert [names[item] if item >= 0 else None for item in found.item_QK[:, 0]] == ["n03", "n06", None]


def test_prompts_are_padded_on_the_left_and_hold_the_latest_notes(recommender: Recommender) -> None:
    notes = [semantic_id(f"n{i:02d}") for i in range(7)]
    prompt = recommender.prompt([notes, []], [Profile("of no one before"), PROFILES[1]])
    assert prompt.mask_QT.tolist() == [[1] * 19, [0] * 15 + [1] * 4]
    assert recommender.prompt_texts([notes], [PROFILES[1]])[0].endswith(
        "<children:unknown> " + "".join(notes[2:])
    )
    assert prompt.token_QT[0, 0] == recommender.tokenizer.convert_tokens_to_ids("<gender:unknown>")
    assert recommender.prompt([], []).token_QT.shape == (0, 0)


def test_a_history_of_foreign_ids_is_refused(recommender: Recommender) -> None:
    with pytest.raises(LakeError, match=r"wrong vocabulary: .* speaks IDs of \(4, 4, 4\) codes"):
        recommender.prompt([["<a_0><b_2><c_9>"]], [PROFILES[0]])


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "collaborative.safetensors"])
@pytest.mark.parametrize("harm", ["cut", "missing", "foreign"])
def test_a_file_that_is_not_the_one_written_is_refused(
    trained: tuple[Config, str], tmp_path: Path, name: str, harm: str
) -> None:
    config, generation = trained
    shutil.copytree(config.lake, tmp_path / "lake")
    path = tmp_path / "lake" / "artifacts" / KIND / generation / name
    content = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes(
            content[: len(content) // 2] if harm == "cut" else content[:-1] + bytes([content[-1] ^ 1])
        )
    with pytest.raises(LakeError, match=rf"{name} is not the file that its manifest names"):
        load_recommender(Lake.open(tmp_path / "lake"), generation)


@pytest.mark.parametrize("what", ["gone", "other"])
def test_a_quantizer_that_is_gone_or_another_one_is_a_wrong_vocabulary(
    trained: tuple[Config, str], tmp_path: Path, what: str
) -> None:
    config, generation = trained
    shutil.copytree(config.lake, tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    shutil.rmtree(Artifacts(lake, "quantizer").folder("g1"))
    if what == "other":
        make_quantizer(lake, "g1", salt="other")
    with pytest.raises(LakeError, match=r"wrong vocabulary: recommender .* speaks codes of quantizer g1"):
        load_recommender(lake, generation)
    with pytest.raises(LakeError, match="has no generation 'gnone'"):
        load_recommender(lake, "gnone")
