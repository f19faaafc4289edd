"""The training loop: the same weights from the same seed, also after a kill at any step, and it learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import jobs.tags.distill_training
from jobs.tags.compact_student import compact_student
from jobs.tags.distill_training import Training
from jobs.tags.lesson_batches import Pupil, Recipe, drawn_round, with_fewer_words
from jobs.tags.lora import MAX_WHOLE, merged, rank_for, with_lora
from jobs.tags.teacher_top_k import TopK
from tests.jobs.tags.taught import TINY, lesson, texts

SMALL = {"round_steps": 3, "batch_notes": 4, "round_notes": 5, "has_looks": True}


def training(tmp_path: Path, steps: int = 8, seed: int = 1, **other: float) -> Training:
    lessons = [lesson(n, tmp_path / "images") for n in range(12)]
    pupil = Pupil(compact_student(texts(), seed, TINY), {})
    return Training(pupil, Recipe(steps, seed, **{**SMALL, **other}), lessons[:9], lessons[9:])


def weights_of(found: Training, state: Path | None = None) -> dict[str, bytes]:
    found.run(state)
    return {name: value.numpy().tobytes() for name, value in found.network.state_dict().items()}


def test_the_same_seed_gives_the_same_weights_and_another_one_other_weights(tmp_path: Path) -> None:
    first = weights_of(training(tmp_path))
    assert first == weights_of(training(tmp_path))
    assert first != weights_of(training(tmp_path, seed=2))


@pytest.mark.parametrize("killed_after", [1, 2, 3, 7])
def test_a_training_killed_after_any_step_goes_on_to_the_same_weights(
    killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.tags.distill_training, "STATE_SECONDS", -1.0)
    state, real = tmp_path / "state.safetensors", Training._save

    def killed(self: Training, path: Path) -> None:
        real(self, path)
        if self.step == killed_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            training(tmp_path).run(state)
    resumed, alone = training(tmp_path), training(tmp_path)
    assert weights_of(resumed, state) == weights_of(alone)
    assert (resumed.curve, resumed.best.step) == (alone.curve, alone.best.step)
    assert np.array_equal(resumed.wrong_N, alone.wrong_N)  # all judged by now, some before the kill


def test_it_learns_its_lessons_and_says_so_in_its_curve(tmp_path: Path) -> None:
    found = training(tmp_path, steps=30, round_steps=5, learning_rate=1e-2, rationale_weight=0.0)
    best = found.run()
    assert [point["step"] for point in found.curve] == [5, 10, 15, 20, 25, 30]
    assert best.score[1] < 0.8 * found.curve[0]["held_out_loss"]
    scores = {point["step"]: (point["held_out_wrong"], point["held_out_loss"]) for point in found.curve}
    assert best.score == min(scores.values())
    assert scores[best.step] == best.score


def test_the_best_weights_are_left_in_the_student_and_not_the_last(tmp_path: Path) -> None:
    found = training(tmp_path, steps=16, round_steps=2, learning_rate=1.0, rationale_weight=0.0)
    best = found.run()
    assert best.step < found.step
    loss_N, wrong_N = found.pupil.told(found.stopping)
    assert (wrong_N.mean(), loss_N.mean()) == pytest.approx(best.score)


def test_it_stops_after_patience_rounds_without_a_better_one(tmp_path: Path) -> None:
    found = training(tmp_path, steps=90, learning_rate=0.0, patience=2)
    found.run()
    assert (found.best.step, found.step, found.is_stopped) == (3, 9, True)


def test_where_nothing_is_learned_the_divergence_is_not_said_and_with_a_top_k_it_is(tmp_path: Path) -> None:
    plain = training(tmp_path, steps=3, rationale_weight=100.0)
    plain.run()
    assert "divergence" not in plain.curve[0]
    told = training(tmp_path, steps=3, rationale_weight=100.0)
    student = told.pupil.student

    def top_k_of(answer: str) -> TopK:
        by_answer = {x.answer: x for x in told.lessons}
        tokens = np.array(student.reply_tokens(by_answer[answer].reply))
        ids_TK = np.stack([tokens, (tokens + 1) % TINY.vocabulary], axis=1)
        return TopK(tokens, ids_TK, np.log(np.tile(np.float32([0.7, 0.2]), (len(tokens), 1))))

    told.pupil.top_k_of = top_k_of
    told.run()
    assert told.curve[0]["divergence"] > 0
    assert told.curve[0]["loss"] != plain.curve[0]["loss"]


def test_hard_notes_and_small_categories_are_drawn_more_often(tmp_path: Path) -> None:
    lessons = [lesson(n, tmp_path / "images") for n in range(9)]
    recipe = Recipe(100, 1, round_steps=75, batch_notes=4, balance_temperature=1.0, hard_emphasis=3.0)
    wrong_N = np.array([1.0] + [0.0] * 8)
    rows = [row for batch in drawn_round(0, recipe, lessons, wrong_N) for row in batch]
    times = [sum(row[0] is x for row in rows) for x in lessons]
    assert times == [100] + [25] * 8  # 300 draws over weights 4, 1, 1, ...
    assert drawn_round(0, recipe, lessons, wrong_N) == drawn_round(0, recipe, lessons, wrong_N)
    assert drawn_round(1, recipe, lessons, wrong_N) != drawn_round(0, recipe, lessons, wrong_N)


def test_a_note_that_was_not_judged_counts_as_hard_as_the_others_on_average(tmp_path: Path) -> None:
    lessons = [lesson(n, tmp_path / "images") for n in range(3)]
    recipe = Recipe(100, 1, round_steps=90, batch_notes=1, hard_emphasis=2.0)
    rows = [row for batch in drawn_round(0, recipe, lessons, np.array([0.0, 1.0, np.nan])) for row in batch]
    assert [sum(row[0] is x for row in rows) for x in lessons] == [15, 45, 30]  # weights 1, 3 and 2


def test_a_note_with_a_picture_lacks_words_that_its_reply_does_not_repeat(tmp_path: Path) -> None:
    whole, dice = lesson(3, tmp_path / "images"), np.random.default_rng(1)  # "Chair 3 of 棉", "Light and dry."
    fewer = [with_fewer_words(whole, dice) for _ in range(30)]
    words = {word for x in fewer for word in ("Chair", "棉", "dry.") if word not in f"{x.note.title} {x.note.body}"}
    assert words == {"Chair", "dry."}
    assert all((x.note.hashtags, x.reply, x.picture) == (whole.note.hashtags, whole.reply, whole.picture) for x in fewer)
    blind = dataclasses.replace(whole, picture=None)
    assert with_fewer_words(blind, dice) is blind


def test_each_round_judges_other_notes_until_all_had_their_turn(tmp_path: Path) -> None:
    found = training(tmp_path, steps=3)
    found.run()
    assert np.isnan(found.wrong_N).tolist() == [False] * 5 + [True] * 4
    found = training(tmp_path, steps=6)
    found.run()
    assert not np.isnan(found.wrong_N).any()


def test_adapters_alone_are_trained_and_merged_weights_say_the_same(tmp_path: Path) -> None:
    student = compact_student(texts(), 1, TINY)
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    adapted = with_lora(student, 2)
    lessons = [lesson(n, tmp_path / "images") for n in range(8)]
    found = Training(Pupil(adapted, {}), Recipe(6, 1, **SMALL, learning_rate=1e-2), lessons[:6], lessons[6:])
    assert found.weights
    assert all("lora" in name for name in found.weights)
    found.run()
    told = found.pupil.told(found.stopping)
    plain = merged(adapted)
    again = Pupil(plain, {}).told(found.stopping)
    assert told[0] == pytest.approx(again[0], abs=1e-5)
    after = plain.network.state_dict()
    assert set(after) == set(before)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("q_proj" in name for name in changed)
    assert not any("embed_tokens" in name for name in changed)


def test_large_students_get_adapters_and_small_ones_where_a_rank_is_configured() -> None:
    assert [rank_for(MAX_WHOLE, 0), rank_for(MAX_WHOLE + 1, 0), rank_for(10, 4)] == [0, 16, 4]
