"""Training end to end on a tiny lake: what is written, what it recommends, and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.config import Config, ConfigError
from jobs.lake import Lake, LakeError
from jobs.recommend import recommender_training, training
from jobs.recommend.answering import batch_of, losses
from jobs.recommend.base_model import Base
from jobs.recommend.batches import pieces_of
from jobs.recommend.examples import tokenised
from jobs.recommend.recommender import KIND, Recommender, load_recommender
from jobs.recommend.train_recommender import main, require_sane, run
from models.ids.text import codes_to_text
from models.ids.trie_build import build
from models.ids.trie_torch import on_device
from models.recommend import networks
from models.recommend.decoding import beam_search
from models.recommend.lazy import Lazy
from models.recommend.prefixes import catalogue_of
from models.recommend.prompts import Profile
from tests.jobs.lakes import tree
from tests.jobs.recommend.taught import (
    CODES,
    DAY,
    NOTES,
    PROFILES,
    configured,
    make_quantizer,
    publish_taught,
    rings,
    rows_of,
    semantic_id,
)
from tests.jobs.recommend.tiny_language_models import tiny_language_model

SMALL = networks.Config(hidden=32, layers=2, heads=2, head_width=16, feed_forward=64)
TIMES = ("seconds", "clock")  # measured, so not the same twice


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
    monkeypatch.setattr(networks, "CAUSAL", SMALL)
    monkeypatch.setattr(networks, "TIGER", SMALL)


def taught_lake(folder: Path, mixed: bool = False) -> Lake:
    lake = Lake.open(folder / "lake")
    make_quantizer(lake)
    publish_taught(lake, rows_of(rings(24, 9), mixed=mixed))
    return lake


@pytest.fixture
def taught(tmp_path: Path) -> Lake:
    return taught_lake(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """A lake with a trained recommender that the tests here only look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
        patch.setattr(networks, "CAUSAL", SMALL)
        config = configured(
            taught_lake(tmp_path_factory.mktemp("trained")), epochs=30, learning_rate=0.005, noise=False
        )
        return config, run(config, DAY)


@pytest.fixture
def recommender(trained: tuple[Config, str]) -> Recommender:
    config, generation = trained
    return load_recommender(config.open_lake(), generation)


def files_of(lake: Lake, generation: str) -> dict[str, Any]:
    """Every file of an artifact but what was measured."""
    found: dict[str, Any] = dict(tree(Artifacts(lake, KIND).folder(generation)))
    manifest = json.loads(found.pop("manifest.json"))
    found.pop("card.md")
    kept = {name: value for name, value in manifest.items() if name not in (*TIMES, "files")}
    return {**found, "facts": kept, "files": {n: h for n, h in manifest["files"].items() if n != "card.md"}}


def best_ids(recommender: Recommender, histories: list[list[str]]) -> list[str]:
    """The best ID inside the catalogue after each history of notes."""
    prompt = recommender.prompt(
        [[semantic_id(n) for n in notes] for notes in histories], [PROFILES[0]] * len(histories)
    )
    ids = np.array(list(NOTES.values()), dtype=np.int32)
    trie = on_device(build(ids, np.zeros(len(ids), dtype=np.int64), [CODES] * 3).trie)
    found = beam_search(recommender.decoder, prompt, trie, num_beams=3)
    return [codes_to_text(codes[0].tolist()) for codes in found.code_QBL]


def valid_loss(found: Recommender, config: Config) -> float:
    """What a recommender read back costs on the rows that chose its epoch."""
    base = Base(found.network, found.tokenizer, found.id_tokens, found.manifest["prompt_style"])
    recipe = recommender_training.recipe_of(config.recommend, base)
    rows = recommender_training.lessons_of(
        config.open_lake(), DAY, config.recommend, base, "valid", ("next_item",)
    )
    examples = tokenised(found.tokenizer, rows)
    batch = batch_of(pieces_of(examples, np.arange(len(examples.learned_N))), recipe)
    return float(losses(found.network, batch, recipe).detach().sum()) / int(examples.learned_N.sum())


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


def test_the_manifest_binds_quantizer_vocabulary_and_reads(trained: tuple[Config, str]) -> None:
    config, generation = trained
    lake = config.open_lake()
    facts = Artifacts(lake, KIND).manifest(generation)
    assert (facts["quantizer"], facts["sizes"], facts["prompt_style"]) == ("g1", [4, 4, 4], "terse")
    assert sorted(facts["depends_on"]["reads"]) == [
        f"recommend_instructions/ds={DAY}",
        f"semantic_ids/ds={DAY}",
    ]
    assert facts["settings"]["epochs"] == len(facts["curve"]) == 30
    assert 0 < facts["clock"]["waited_share"] < 1
    assert sorted(facts["files"]) == [
        "card.md",
        "collaborative.safetensors",
        "collaborative_notes.parquet",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    card = (Artifacts(lake, KIND).folder(generation) / "card.md").read_text()
    assert f"chose epoch {facts['best_epoch']}" in card
    assert "quantizer `g1`" in card


def test_the_same_inputs_are_trained_once(
    trained: tuple[Config, str], caplog: pytest.LogCaptureFixture
) -> None:
    config, generation = trained
    with caplog.at_level(logging.INFO, logger="notemill"):
        main([f"--config={config.home / 'notemill.yaml'}", f"--day={DAY}"])
    assert f"recommender {generation}: trained already from the same inputs" in caplog.text
    assert Artifacts(config.open_lake(), KIND).generations() == [generation]


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


class Killed(BaseException):
    """What no handler of the code may catch."""


@pytest.mark.parametrize("where", ["preparing", "training", "writing"])
def test_a_killed_training_and_its_rerun_make_the_same_files(
    taught: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(training, "STATE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        if where == "preparing":
            patch.setattr(recommender_training, "write_atomically", kill)  # the recipe, which is last
        elif where == "training":
            learn, steps = training.Training._learn, []

            def until(self: training.Training, told: Any) -> None:
                steps.append(1)
                if len(steps) == 9:
                    raise Killed
                learn(self, told)

            patch.setattr(training.Training, "_learn", until)
        else:
            patch.setattr(recommender_training, "save_collaborative", kill)
        with pytest.raises(Killed):
            run(configured(taught), DAY)
    assert Artifacts(taught, KIND).generations() == []
    generation = run(configured(taught), DAY)
    other = taught_lake(tmp_path / "undisturbed")
    assert run(configured(other), DAY) == generation
    assert files_of(other, generation) == files_of(taught, generation)
    assert [p.name for p in Artifacts(taught, KIND).room.iterdir()] == [generation]  # nothing is left behind


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "lazy"},
        {"model": "t5"},
        {"model": "t5", "tasks": "mixed", "languages": "en"},
        {"model": "causal", "tasks": "mixed"},
        {"model": "lm", "lora_rank": 2},
        {"model": "lm", "tasks": "mixed"},
    ],
)
def test_every_kind_of_model_is_trained_and_loaded(tmp_path: Path, settings: dict[str, Any]) -> None:
    lake = taught_lake(tmp_path, mixed=True)
    tiny_language_model(tmp_path / "lm", tied=False)
    config = configured(lake, epochs=1, **settings)
    found = load_recommender(lake, run(config, DAY))
    assert len(best_ids(found, [["n01", "n02"], []])) == 2
    assert valid_loss(found, config) == pytest.approx(found.manifest["best_loss"], abs=1e-5)
    style = "sentence" if settings["model"] == "lm" else "terse"
    assert (found.manifest["prompt_style"], found.is_encoder_decoder) == (style, settings["model"] == "t5")
    assert bool(found.manifest["depends_on"]["base"]) is (settings["model"] == "lm")
    assert isinstance(found.network, Lazy) is (settings["model"] == "lazy")
    if settings.get("tasks") == "mixed":
        title = found.tokenizer("note 03 of a tent")["input_ids"]
        assert found.tokenizer.decode(title).strip() == "note 03 of a tent"


def test_settings_and_inputs_decide_the_name_and_how_it_decodes_does_not(taught: Lake) -> None:
    from jobs.recommend.recommender_inputs import inputs_of

    def name(**settings: Any) -> str:
        config = configured(taught, **settings)
        return inputs_of(taught, DAY, config).generation(config.recommend)

    assert name() == name(beams=5, top=3, guidance=1.0, max_judged=10)
    assert len({name(), name(seed=18), name(split="by_date"), name(model="t5"), name(epochs=3)}) == 5
    before = name()
    publish_taught(taught, rows_of(rings(23, 9)))
    assert name() != before


def test_a_level_added_against_collisions_has_room_to_grow(taught: Lake) -> None:
    from jobs.recommend.recommender_inputs import vocabulary_sizes

    def fill(folder: Path) -> dict[str, Any]:
        (folder / "config.json").write_text("{}")
        return {"settings": {"codes": 4, "levels": 2}}

    Artifacts(taught, "quantizer").write("g2", fill)
    assert vocabulary_sizes(taught, DAY, "g1") == (4, 4, 4)
    assert vocabulary_sizes(taught, DAY, "g2") == (4, 4, 16)


def test_instructions_of_another_quantizer_are_refused(taught: Lake) -> None:
    publish_taught(taught, [{**row, "generation": "g0"} for row in rows_of(rings(4, 5))])
    with pytest.raises(
        LakeError, match=r"speak codes of quantizer g0, semantic_ids .* are of g1: run build_instructions"
    ):
        run(configured(taught), DAY)


def test_rows_without_validation_are_refused(taught: Lake) -> None:
    publish_taught(taught, [{**row, "by_date": "train"} for row in rows_of(rings(4, 5))])
    with pytest.raises(LakeError, match=r"has no valid row for recommend\.split: by_date"):
        run(configured(taught, split="by_date"), DAY)


def test_a_day_without_instructions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="table recommend_instructions has no published partition"):
        run(configured(Lake.open(tmp_path / "lake")), DAY)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0}, r"recommend\.epochs is 0: it must be from 1"),
        ({"learning_rate": 0}, r"recommend\.learning_rate is 0\.0"),
        ({"dropout": 0.95}, r"recommend\.dropout is 0\.95"),
        ({"parts": 0}, r"recommend\.parts is 0"),
        ({"processes": 0}, r"recommend\.processes is 0"),
        ({"processes": 9}, r"recommend\.processes is 9: no more than recommend\.batch_size \(8\)"),
        ({"patience": 0}, r"recommend\.patience is 0"),
        ({"history": 0}, r"recommend\.history is 0"),
        ({"lora_rank": 4}, r"recommend\.lora_rank is 4: .*compact"),
        ({"model": "lazy", "tasks": "mixed"}, r"recommend\.tasks is mixed: the model lazy reads and writes no text"),
    ],
)
def test_settings_that_make_no_recommender_are_refused(
    taught: Lake, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(LakeError, match=said):
        require_sane(configured(taught, **settings).recommend)


def test_half_precision_without_an_accelerator_is_refused(
    taught: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(LakeError, match=r"recommend\.precision is fp16, which takes an accelerator"):
        run(configured(taught, precision="fp16"), DAY)


def test_a_model_that_is_nowhere_is_refused(taught: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        ConfigError, match=r"recommend\.model: 'nowhere/at-all' is neither a folder nor a model"
    ):
        run(configured(taught, model="nowhere/at-all"), DAY)


@pytest.fixture(scope="module")
def lazily_trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """The same with the lazy network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
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
    learn, lakes = training.Training._learn, [taught_lake(tmp_path / name) for name in ("one", "two")]

    def until(self: training.Training, told: Any) -> None:
        if self.step == 5:
            raise Killed
        learn(self, told)

    monkeypatch.setattr(training, "STATE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(training.Training, "_learn", until)
        with pytest.raises(Killed):
            run(configured(lakes[0], model="lazy"), DAY)
    one, two = (run(configured(lake, model="lazy"), DAY) for lake in lakes)
    assert one == two
    assert files_of(lakes[0], one) == files_of(lakes[1], two)
