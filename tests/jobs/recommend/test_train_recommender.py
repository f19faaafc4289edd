"""Training end to end on a tiny lake: what is written, what it recommends, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.config import Config, ConfigError
from jobs.lake import Lake, LakeError
from jobs.recommend import recommender_training, training
from jobs.recommend.answering import batch_of, losses
from jobs.recommend.base_model import Base
from jobs.recommend.batches import pieces_of
from jobs.recommend.examples import tokenised
from jobs.recommend.recommender import KIND, Recommender, load_recommender
from jobs.recommend.train_recommender import main, require_sane, run
from models.recommend.lazy import Lazy
from tests.jobs.recommend.killed import Killed
from tests.jobs.recommend.taught import (
    DAY,
    configured,
    publish_taught,
    rings,
    rows_of,
)
from tests.jobs.recommend.tiny_language_models import tiny_language_model
from tests.jobs.recommend.trained import best_ids, files_of, small_and_quick, taught_lake


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_and_quick(monkeypatch)


@pytest.fixture
def taught(tmp_path: Path) -> Lake:
    return taught_lake(tmp_path)


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
