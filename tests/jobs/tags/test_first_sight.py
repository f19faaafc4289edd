"""A compact student sees before it speaks: what the teacher read in pictures, and nothing where there is none."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest
import torch

from jobs.tags.compact_student import compact_student
from jobs.tags.distill_training import Training
from jobs.tags.first_sight import open_eyes, seen_values
from jobs.tags.lesson_batches import Pupil, Recipe
from jobs.tags.student_model import StudentModel
from models.tags.looks import looks
from models.tags.prompt import NoteText, prompt_for
from tests.jobs.tags.taught import TINY, lesson, texts


def test_values_from_pictures_teach_and_those_from_the_text_or_seen_twice_do_not(tmp_path: Path) -> None:
    lessons = [lesson(n, tmp_path / "images") for n in range(8)]  # red, green, blue: 3, 3 and 2 times
    assert seen_values(lessons) == {"colour": ["blue", "red"] if lessons[1].tags[1] == "blue" else ["green", "red"]}
    assert seen_values(lessons[:3]) == {}
    assert seen_values([dataclasses.replace(x, picture=None) for x in lessons]) == {}


def test_it_learns_to_tell_colours_apart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    student = compact_student(texts(), 1, dataclasses.replace(TINY, vision_hidden=16))
    with caplog.at_level(logging.INFO, "notemill"):
        open_eyes(student, [lesson(n, tmp_path / "images") for n in range(12)], 60, seed=3)
    assert float(caplog.records[-1].message.rpartition(" ")[2]) < 0.6  # of three colours at chance 1.1, at best 0.35


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    lessons = [lesson(n, tmp_path / "images") for n in range(12)]
    found = []
    for _ in range(2):
        student = compact_student(texts(), 1, TINY)
        before = student.network.model.vision_model.embeddings.patch_embedding.weight.clone()
        open_eyes(student, lessons, 20, seed=3)
        found.append({name: value.numpy().tobytes() for name, value in student.network.state_dict().items()})
    assert found[0] == found[1]
    assert not torch.equal(student.network.model.vision_model.embeddings.patch_embedding.weight, before)


def test_where_no_picture_teaches_anything_the_student_stays_as_it_is(tmp_path: Path) -> None:
    student = compact_student(texts(), 1, TINY)
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    open_eyes(student, [lesson(n, tmp_path / "images") for n in range(2)], 5, seed=3)
    assert all(torch.equal(value, before[name]) for name, value in student.network.state_dict().items())
    assert all(weight.requires_grad for weight in student.network.parameters())


def eyes_of(student: StudentModel) -> dict[str, bytes]:
    is_eye = ("model.vision_model", "model.connector")
    weights = student.network.state_dict().items()
    return {name: value.numpy().tobytes() for name, value in weights if name.startswith(is_eye)}


def test_what_the_eyes_learnt_stays_while_the_student_learns_to_speak(tmp_path: Path) -> None:
    student, lessons = compact_student(texts(), 1, TINY), [lesson(n, tmp_path / "images") for n in range(12)]
    open_eyes(student, lessons, 5, seed=3)
    seen, head = eyes_of(student), student.network.lm_head.weight.clone()
    training = Training(Pupil(student, {}), Recipe(3, 1, round_steps=3, has_looks=True), lessons[:9], lessons[9:])
    assert not any("vision" in name or "connector" in name for name in training.weights)
    training.run()
    assert eyes_of(student) == seen
    assert not torch.equal(student.network.lm_head.weight, head)


def test_a_rerun_takes_what_the_eyes_learnt_from_where_an_earlier_one_left_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, lessons = tmp_path / "room" / "eyes.safetensors", [lesson(n, tmp_path / "images") for n in range(12)]
    first, second = (compact_student(texts(), 1, TINY) for _ in range(2))
    open_eyes(first, lessons, 5, seed=3, kept=kept)
    monkeypatch.delattr("jobs.tags.first_sight._learn_to_see")
    open_eyes(second, lessons, 5, seed=3, kept=kept)
    assert eyes_of(second) == eyes_of(first)
    frozen = [{n for n, p in s.network.named_parameters() if not p.requires_grad} for s in (first, second)]
    assert frozen[0] == frozen[1] == set(eyes_of(first))


def test_the_four_vectors_of_a_picture_are_of_its_quarters(tmp_path: Path) -> None:
    student, said = compact_student(texts(), 1, TINY), prompt_for(NoteText("Chair", ""), None, "tags", has_picture=True)
    shown = student.prompt_inputs(said, lesson(0, tmp_path / "images").picture_bytes())
    assert int((shown["input_ids"] == student.network.config.image_token_id).sum()) == 4
    patches_BPW = torch.zeros(1, 16, TINY.vision_hidden)
    patches_BPW[0, 2] = 1.0  # the third of four patches in the first row
    connector = student.network.model.connector
    is_changed = (connector(patches_BPW) - connector(0 * patches_BPW)).abs().sum(-1) > 0
    assert is_changed.tolist() == [[False, True, False, False]]


def test_another_look_moves_a_picture_and_leaves_its_colour() -> None:
    red_B = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(64, 3, 16, 16).contiguous()
    seen_B = looks(red_B, torch.Generator().manual_seed(1))
    share_B = (seen_B == 0).all(1).float().mean((1, 2))
    assert set(share_B.tolist()) == {0.0, 1 / 16}  # a quarter of the side, squared, is covered
    assert torch.allclose(seen_B[share_B == 0], red_B[share_B == 0])
    edge_B = red_B.clone()
    edge_B[..., :8] = 0.5
    assert not torch.equal(looks(edge_B, torch.Generator().manual_seed(1)), edge_B)
    assert torch.equal(
        looks(edge_B, torch.Generator().manual_seed(2)), looks(edge_B, torch.Generator().manual_seed(2))
    )
