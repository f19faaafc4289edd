"""Training the quantizer: the same bytes from the same input, also after a kill, and promotion only of what is sound."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jobs.ids.training
from jobs.artifact import Artifacts
from jobs.config import Quantizer
from jobs.ids.gates import weaknesses
from jobs.ids.generations import generation_of, recipe_hash
from jobs.ids.quantizer import load_quantizer
from jobs.ids.train_quantizer import arg_parser, promote_sound, run
from jobs.ids.training import Recipe, Training
from jobs.lake import Lake, LakeError
from models.ids.health import row_groups
from models.ids.rqvae import Config
from tests.jobs.ids.embedded import DIMS, ENCODER, numbered, publish_embeddings, vector
from tests.jobs.lakes import tree

ROOT = Path(__file__).resolve().parents[3]
DAY = "2026-03-01"
OPEN = Quantizer(min_separated_share=0.0, min_used_share=0.0, min_last_perplexity_share=0.0, max_shared_share=1.0)
SETTINGS = replace(OPEN, levels=2, codes=4, epochs=6, seed=3)
SMALL = Config(input_dim=DIMS, levels=2, codes=4, hidden_dims=(16,), latent_dim=4)
X = np.array([vector(f"text {i}") for i in range(60)], dtype=np.float32)


def small_training(epochs: int = 24, seed: int = 1) -> Training:
    return Training(SMALL, Recipe(epochs, seed, batch_rows=16), X, row_groups(X))


def weights_of(training: Training, state: Path | None = None) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in training.run(state).weights.items()}


def test_the_same_seed_gives_the_same_weights_and_another_one_other_weights() -> None:
    assert weights_of(small_training()) == weights_of(small_training())
    assert weights_of(small_training()) != weights_of(small_training(seed=2))


@pytest.mark.parametrize("killed_after", [1, 2, 11, 23])
def test_a_training_killed_after_any_epoch_goes_on_to_the_same_weights(
    killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.ids.training, "STATE_SECONDS", -1.0)
    state, real = tmp_path / "state.safetensors", Training._save

    def killed(self: Training, path: Path) -> None:
        real(self, path)
        if self.epoch == killed_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            small_training().run(state)
    assert weights_of(small_training(), state) == weights_of(small_training())


def test_training_brings_the_reconstruction_nearer() -> None:
    training = small_training(epochs=60)
    start = training.model.autoencoder_loss(training.rows_ND).item()
    assert training.run().loss["reconstruction"] < 0.8 * start


def test_the_best_health_is_kept_and_not_the_last_or_the_least_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = jobs.ids.training.judged, []

    def watched(*given: Any) -> Any:
        seen.append(real(*given))
        return seen[-1]

    monkeypatch.setattr(jobs.ids.training, "judged", watched)
    best = small_training(epochs=40).run()
    assert len(seen) == 21  # every epoch from the 20th to the 40th
    assert best.score == max((f.separable_unique_rate, np.mean([level.perplexity for level in f.levels])) for f in seen)


def test_an_artifact_has_weights_config_card_and_a_manifest_that_says_what_it_came_from(
    lake: Lake, quick_publish: None
) -> None:
    manifest = publish_embeddings(lake, DAY, numbered(1, 40))
    run(lake, DAY, SETTINGS, if_missing=False, promote=False)
    artifacts = Artifacts(lake, "quantizer")
    (generation,) = artifacts.generations()
    assert sorted(tree(artifacts.folder(generation))) == [
        "card.md",
        "config.json",
        "ids.parquet",
        "manifest.json",
        "model.safetensors",
    ]
    facts = artifacts.manifest(generation)
    assert facts["trained_on"] == f"note_embeddings/ds={DAY}/{manifest['partition']}"
    assert (facts["encoders"], facts["num_rows"], facts["num_contents"]) == ([ENCODER], 40, 40)
    assert facts["settings"]["seed"] == 3
    assert len(facts["figures"]["levels"]) == 2
    assert generation in (artifacts.folder(generation) / "card.md").read_text()
    assert artifacts.current(DAY) is None
    assert not list(artifacts.room.glob(".*"))


def test_two_lakes_of_the_same_notes_get_the_same_bytes(tmp_path: Path, quick_publish: None) -> None:
    rooms = []
    for name in ("one", "two"):
        lake = Lake.open(tmp_path / name)
        publish_embeddings(lake, DAY, numbered(1, 40))
        run(lake, DAY, SETTINGS, if_missing=False, promote=True)
        rooms.append(tree(lake.root / "artifacts"))
    assert rooms[0] == rooms[1]


def test_what_is_loaded_gives_the_codes_that_the_manifest_counts(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, DAY, numbered(1, 40))
    run(lake, DAY, SETTINGS, if_missing=True, promote=True)
    artifacts = Artifacts(lake, "quantizer")
    generation = artifacts.current(DAY)
    assert generation is not None
    x = np.array([vector(content) for content in numbered(1, 40).values()], dtype=np.float32)
    codes = load_quantizer(artifacts, generation).encode(x)
    assert len({tuple(row) for row in codes.tolist()}) == artifacts.manifest(generation)["figures"]["num_ids"]


def test_fewer_different_notes_than_codes_cap_the_codes_and_the_manifest_says_so(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, DAY, {"a": "one text", "b": "one text", "c": "another", "d": "one text"})
    run(lake, DAY, SETTINGS, if_missing=True, promote=True)
    facts = Artifacts(lake, "quantizer").manifest(Artifacts(lake, "quantizer").generations()[0])
    assert facts["settings"]["codes"] == 2
    assert facts["codes_note"] == "2 codes a level, not 4 as configured: there are only 2 different vectors."
    assert facts["figures"]["irreducible_share"] == 0.75


def test_if_missing_returns_at_once_where_one_is_promoted(
    lake: Lake, quick_publish: None, caplog: pytest.LogCaptureFixture
) -> None:
    publish_embeddings(lake, DAY, numbered(1, 20))
    run(lake, DAY, SETTINGS, if_missing=True, promote=True)
    before = tree(lake.root / "artifacts")
    with caplog.at_level(logging.INFO, "notemill"):
        run(lake, "2026-03-02", SETTINGS, if_missing=True, promote=True)
    assert "nothing to train" in caplog.text
    assert tree(lake.root / "artifacts") == before


def test_another_setting_is_another_generation_and_the_gates_are_none() -> None:
    reads = {"note_embeddings/ds=2026-03-01": "p"}
    recipe = recipe_hash(reads, SETTINGS)
    assert recipe != recipe_hash(reads, replace(SETTINGS, epochs=7))
    assert recipe != recipe_hash(reads, replace(SETTINGS, collisions="extra"))
    assert recipe == recipe_hash(reads, replace(SETTINGS, min_separated_share=0.9, max_shared_share=0.0))
    assert recipe != recipe_hash({"note_embeddings/ds=2026-03-01": "q"}, SETTINGS)
    assert len({generation_of(recipe, None), generation_of(recipe, "g0"), generation_of(recipe, "g1")}) == 3


def facts(
    used: int, separable: float, num_contents: int = 16, shared: float = 0.0, perplexity: float = 4.0
) -> dict[str, Any]:
    figures = {
        "levels": [{"codes_used": 4, "perplexity": 4.0}, {"codes_used": used, "perplexity": perplexity}],
        "separable_unique_rate": separable,
        "num_ids": 9,
        "shared_share": shared + 0.25,
        "irreducible_share": 0.25,
    }
    return {"settings": {"codes": 4}, "num_contents": num_contents, "figures": figures}


def test_each_gate_stops_what_is_just_beyond_it_and_names_its_key() -> None:
    gates = Quantizer(min_separated_share=0.7, min_used_share=0.5, min_last_perplexity_share=0.5, max_shared_share=0.25)
    assert weaknesses(facts(2, 0.7, shared=0.25, perplexity=2.0), gates) == []
    assert weaknesses(facts(1, 0.7), gates) == ["level 2 uses 1 of its 4 codes, quantizer.min_used_share asks for 50%"]
    assert weaknesses(facts(1, 0.7, num_contents=15, perplexity=1.0), gates) == []
    assert "get only 9 different IDs (69.0%), quantizer.min_separated" in weaknesses(facts(2, 0.69), gates)[0]
    assert "as 1.9 codes used alike (perplexity), quantizer.min_last" in weaknesses(facts(2, 0.7, perplexity=1.9), gates)[0]
    assert "26.0% of the notes have no ID of their own" in weaknesses(facts(2, 0.7, shared=0.26), gates)[0]


def test_a_weak_generation_is_kept_for_a_look_but_the_one_before_stays_current(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, DAY, numbered(1, 40))
    run(lake, DAY, SETTINGS, if_missing=True, promote=True)
    artifacts = Artifacts(lake, "quantizer")
    before = artifacts.current(DAY)
    poor = replace(OPEN, levels=1, codes=2, epochs=2, min_separated_share=0.9)
    complaint = f"is not promoted, {before} stays current: 40 different vectors get only 2 different IDs"
    with pytest.raises(LakeError, match=complaint):
        run(lake, DAY, poor, if_missing=False, promote=True)
    assert artifacts.current(DAY) == before
    assert len(artifacts.generations()) == 2


def test_promotion_and_rollback_are_one_entry_each(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, DAY, numbered(1, 20))
    run(lake, DAY, SETTINGS, if_missing=True, promote=True)
    artifacts = Artifacts(lake, "quantizer")
    (first,) = artifacts.generations()
    run(lake, DAY, replace(SETTINGS, epochs=4), if_missing=False, promote=False)
    (second,) = set(artifacts.generations()) - {first}
    promote_sound(lake, second, "2026-03-05", SETTINGS)
    assert [artifacts.current(d) for d in ("2026-02-01", DAY, "2026-03-04", "2026-03-05")] == [first, first, first, second]
    artifacts.promote(first, "2026-03-05")
    assert artifacts.current("2026-03-06") == first


def test_weights_that_someone_changed_are_refused(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, DAY, numbered(1, 20))
    run(lake, DAY, SETTINGS, if_missing=True, promote=True)
    artifacts = Artifacts(lake, "quantizer")
    (generation,) = artifacts.generations()
    weights = artifacts.folder(generation) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    with pytest.raises(LakeError, match=r"model.safetensors is not the file that its manifest names"):
        load_quantizer(artifacts, generation)


@pytest.mark.parametrize(("name", "value"), [("levels", 27), ("codes", 0), ("epochs", 0), ("max_shared_share", 1.5)])
def test_a_setting_that_cannot_be_is_named(lake: Lake, name: str, value: float) -> None:
    with pytest.raises(LakeError, match=f"quantizer.{name} is {value}: it must be from"):
        run(lake, DAY, Quantizer(**{name: value}), if_missing=False, promote=False)


def test_a_day_without_embeddings_says_what_to_run(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"note_embeddings has no published partition ds=2026-03-01"):
        run(lake, DAY, SETTINGS, if_missing=True, promote=True)


def write_config(lake: Lake, folder: Path, epochs: int) -> Path:
    file = folder / "notemill.yaml"
    gates = "min_separated_share: 0.0, min_used_share: 0.0, min_last_perplexity_share: 0.0, max_shared_share: 1.0"
    quantizer = f"{{levels: 2, codes: 4, epochs: {epochs}, seed: 3, {gates}}}"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\nsources: {{}}\nquantizer: {quantizer}\n")
    return file


def test_a_killed_process_and_its_rerun_end_in_the_bytes_of_one_that_was_left_alone(
    tmp_path: Path, quick_publish: None
) -> None:
    lakes = [Lake.open(tmp_path / name / "lake") for name in ("left-alone", "killed")]
    for lake in lakes:
        publish_embeddings(lake, DAY, numbered(1, 40))
    run(lakes[0], DAY, SETTINGS, if_missing=True, promote=True)
    config = write_config(lakes[1], tmp_path / "killed", SETTINGS.epochs)
    command = [sys.executable, "-m", "jobs.ids.train_quantizer", f"--config={config}", f"--day={DAY}", "--if-missing"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    wait_for(lakes[1].root / "artifacts" / "quantizer", process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert Artifacts(lakes[1], "quantizer").generations() == []
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "current since ds=2026-03-01" in done.stdout
    assert tree(lakes[1].root / "artifacts") == tree(lakes[0].root / "artifacts")


def wait_for(room: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the training has begun."""
    until = time.monotonic() + 60
    while not list(room.glob(".g*.building")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_recorded_command_reads_as_meant(lake: Lake, tmp_path: Path) -> None:
    args = arg_parser().parse_args([f"--config={write_config(lake, tmp_path, 5)}", "--day=2026-03-01", "--promote"])
    assert (args.day, args.promote, args.if_missing, args.config.quantizer.epochs) == (DAY, True, False, 5)
