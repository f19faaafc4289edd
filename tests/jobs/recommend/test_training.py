"""The training loop: the same weights after any kill, broken states told, and when it stops."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import save

from jobs.lake import LakeError
from jobs.recommend import steps, training_state
from jobs.recommend import training as loop
from jobs.recommend.batches import epoch_batches
from jobs.recommend.training import Training
from jobs.recommend.training_state import earlier
from tests.jobs.recommend.killed import Killed, killed_in_step
from tests.jobs.recommend.small_training import examples, recipe, training


@pytest.fixture(autouse=True)
def every_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    """The weights of 3 epochs of 3 steps that nothing disturbed."""
    return save(dict(training(recipe(), examples(), examples(5)).run().weights))


def run_again(state: Path) -> bytes:
    return save(dict(training(recipe(), examples(), examples(5)).run(state).weights))


@pytest.mark.parametrize("step", [0, 1, 3, 4, 8])
def test_a_kill_in_any_step_leaves_the_same_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: bytes, step: int
) -> None:
    with killed_in_step(monkeypatch, step):
        training(recipe(), examples(), examples(5)).run(tmp_path / "state.safetensors")
    assert run_again(tmp_path / "state.safetensors") == undisturbed


def test_a_kill_at_the_end_of_an_epoch_repeats_its_last_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: bytes
) -> None:
    def kill(self: Training, seconds_a_step: float) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_end_of_epoch", kill)
        with pytest.raises(Killed):
            training(recipe(), examples(), examples(5)).run(tmp_path / "state.safetensors")
    resumed = training(recipe(), examples(), examples(5))
    assert save(dict(resumed.run(tmp_path / "state.safetensors").weights)) == undisturbed
    assert [point["epoch"] for point in resumed.curve] == [1, 2, 3]


def test_a_kill_while_the_state_is_written_leaves_the_one_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: bytes
) -> None:
    state, write = tmp_path / "state.safetensors", training_state.write_atomically
    written = []

    def third_time(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) == 3:
            raise Killed
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(training_state, "write_atomically", third_time)
        with pytest.raises(Killed):
            training(recipe(), examples(), examples(5)).run(state)
    assert not state.exists()
    assert earlier(state).exists()
    assert run_again(state) == undisturbed


@pytest.mark.parametrize("cut", [["state.safetensors"], ["state.safetensors", "state.before.safetensors"]])
def test_a_state_cut_short_is_told_and_the_one_before_or_none_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    undisturbed: bytes,
    cut: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with killed_in_step(monkeypatch, 5):
        training(recipe(), examples(), examples(5)).run(tmp_path / "state.safetensors")
    for name in cut:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])
    with caplog.at_level(logging.INFO, logger="notemill"):
        assert run_again(tmp_path / "state.safetensors") == undisturbed
    assert [r.getMessage().split(" is ")[1] for r in caplog.records if "left aside" in r.getMessage()] == [
        "cut short, left aside"
    ] * len(cut)
    goes_on = [r.getMessage() for r in caplog.records if "goes on" in r.getMessage()]
    assert goes_on == ([] if len(cut) == 2 else ["recommender: goes on after step 4 of an earlier run"])


def test_a_state_of_another_recipe_is_left_aside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with killed_in_step(monkeypatch, 5):
        training(recipe(), examples(), examples(5)).run(tmp_path / "state.safetensors")
    other = training(recipe(learning_rate=0.02), examples(), examples(5))
    with caplog.at_level(logging.WARNING, logger="notemill"):
        other.run(tmp_path / "state.safetensors")
    assert len(other.curve) == 3
    assert "of another training, left aside" in caplog.text


def test_another_seed_gives_other_weights(undisturbed: bytes) -> None:
    other = training(recipe(seed=18), examples(), examples(5)).run()
    assert save(dict(other.weights)) != undisturbed


@pytest.mark.parametrize("is_encoder_decoder", [False, True])
def test_a_batch_in_parts_is_learned_like_a_whole_one(is_encoder_decoder: bool) -> None:
    whole = training(recipe(is_encoder_decoder=is_encoder_decoder), examples(), examples(5), dropout=0.0)
    split = training(
        recipe(is_encoder_decoder=is_encoder_decoder, parts=3), examples(), examples(5), dropout=0.0
    )
    whole.run()
    split.run()
    for one, three in zip(whole.curve, split.curve, strict=True):
        assert three == pytest.approx(one, abs=1e-4)


def test_bf16_learns_about_the_same() -> None:
    exact = training(recipe(), examples(), examples(5), dropout=0.0)
    exact.run()
    AcceleratorState._reset_state()
    try:
        short = training(recipe(precision="bf16"), examples(), examples(5), dropout=0.0)
        short.run()
    finally:
        AcceleratorState._reset_state()
    assert short.curve != exact.curve
    for one, other in zip(exact.curve, short.curve, strict=True):
        assert other == pytest.approx(one, rel=0.05)
    assert {value.dtype for value in short.best.weights.values()} == {torch.float32}


def test_it_stops_where_validation_gets_worse_and_keeps_the_best(caplog: pytest.LogCaptureFixture) -> None:
    found = training(recipe(epochs=50, patience=2, learning_rate=0.03), examples(), examples(10, shift=9))
    best = found.run()
    losses = [point["valid_loss"] for point in found.curve]
    assert found.is_stopped
    assert len(losses) == best.epoch + 2 < 50
    assert best.loss == min(losses) == losses[best.epoch - 1]
    again = training(recipe(), examples(), examples(10, shift=9))
    with torch.no_grad():
        for name, value in best.weights.items():
            again.weights[name].copy_(value)
    assert again._valid_loss() == pytest.approx(best.loss, abs=1e-6)


def test_a_loss_that_is_no_number_is_told() -> None:
    found = training(recipe(), examples(), examples(5))
    with torch.no_grad():
        next(iter(found.weights.values())).fill_(float("nan"))
    with pytest.raises(LakeError, match=r"after epoch 1 the loss is nan .*lower recommend\.learning_rate"):
        found.run()


def test_waiting_for_data_is_measured_inside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    make = steps.batch_of

    def slow(*asked: Any) -> Any:
        time.sleep(0.1)
        return make(*asked)

    quick, waits = (training(recipe(epochs=1), examples(), examples(5)) for _ in range(2))
    quick.run()
    monkeypatch.setattr(steps, "batch_of", slow)
    waits.run()
    assert 0 < quick.train.clock.waited_share < 0.5
    assert waits.train.clock.waited_s >= 0.3  # three steps
    assert waits.train.clock.waited_share > quick.train.clock.waited_share


def test_an_epoch_has_every_example_once_in_another_order_than_the_next() -> None:
    lengths = np.arange(1, 1001) % 7
    one, two = (epoch_batches(lengths, 8, seed=3, epoch=epoch) for epoch in (0, 1))
    assert sorted(np.concatenate(one).tolist()) == list(range(1000))
    assert [len(rows) for rows in one].count(8) == 125
    assert not np.array_equal(np.concatenate(one), np.concatenate(two))
    assert all(
        np.array_equal(a, b) for a, b in zip(one, epoch_batches(lengths, 8, seed=3, epoch=0), strict=True)
    )
    padding = sum(int((lengths[rows].max() - lengths[rows]).sum()) for rows in one)
    assert padding < 0.1 * lengths.sum()


def test_the_rate_warms_up_and_falls_to_its_least() -> None:
    chosen = recipe(learning_rate=1.0)
    assert [round(chosen.rate(step, 100), 3) for step in (0, 4, 5, 52, 100)] == [0.2, 1.0, 1.0, 0.533, 0.05]
