"""A few seconds of training: the loss falls, the folder loads and answers, the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from demo.teacher.__main__ import main
from demo.teacher.folder import Recipe, make_teacher
from demo.teacher.generation import Asked, answers, load
from demo.teacher.lessons import School, draw_lessons
from demo.teacher.training import Encoder, Progress
from tests.demo.teacher.conftest import RECIPE, Trained


def nobody(progress: Progress) -> None:
    """Who does not want to know how far it is."""


def _files(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_the_loss_falls(trained: Trained) -> None:
    losses = [progress.loss for progress in trained.told if progress.stage == "lessons"]
    assert len(losses) == 24
    assert np.mean(losses[-4:]) < 0.75 * np.mean(losses[:4])
    assert trained.told[-1].step == trained.told[-1].steps == 24


def test_the_same_recipe_is_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    again, is_new = make_teacher(RECIPE, tmp_path, nobody)
    assert is_new
    assert _files(again) == _files(trained.folder)
    assert [p.name for p in tmp_path.iterdir()] == [trained.folder.name]  # nothing unfinished is left


def test_a_teacher_that_is_there_is_not_trained_again(trained: Trained) -> None:
    told: list[Progress] = []
    assert make_teacher(RECIPE, trained.folder.parent, told.append) == (trained.folder, False)
    assert told == []


def test_another_seed_size_or_course_is_another_teacher() -> None:
    others = (
        replace(RECIPE, world_seed=8),
        replace(RECIPE, num_notes=161),
        replace(RECIPE, course=replace(RECIPE.course, steps=25)),
    )
    assert len({RECIPE.identity(), *(other.identity() for other in others)}) == 4


def test_it_is_trained_on_another_world_than_the_one_it_reads() -> None:
    assert all(Recipe(seed).seed != seed for seed in (0, 7, 1234, 2**40))


def test_a_killed_training_leaves_nothing_that_looks_like_a_teacher(tmp_path: Path) -> None:
    def killed(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_teacher(RECIPE, tmp_path, killed)
    assert list(tmp_path.glob("teacher-*")) == []


def test_it_is_read_as_it_was_trained(trained: Trained, school: School) -> None:
    """The tokens of a lesson's prompt are those that the saved processor makes of prompt and picture."""
    processor = load(trained.folder).processor
    encoder = Encoder(school, processor)
    lessons = list(draw_lessons(school, 0))[:20]
    assert {lesson.picture >= 0 for lesson in lessons} == {True, False}
    for lesson in lessons:
        ids, num_prompt = encoder.tokens(lesson)
        chat = processor.apply_chat_template(
            lesson.prompt.messages(), tokenize=False, add_generation_prompt=True
        )
        pictures = [[school.picture(lesson.picture)]] if lesson.picture >= 0 else None
        read = processor(text=[chat], images=pictures, return_tensors="pt")
        assert read["input_ids"][0].tolist() == ids[:num_prompt]
        if pictures:
            difference = (read["pixel_values"][0] - encoder.picture(lesson.picture)).abs().max()
            assert difference < 0.005  # kept in bfloat16


def test_it_answers_alone_as_in_a_batch(trained: Trained, school: School) -> None:
    loaded = load(trained.folder)
    asked = [
        Asked(lesson.prompt, school.picture(lesson.picture) if lesson.picture >= 0 else None)
        for lesson in list(draw_lessons(school, 0))[:6]
    ]
    together = answers(loaded, asked, max_new_tokens=12)
    alone = [answers(loaded, [one], max_new_tokens=12)[0] for one in asked]
    assert together == alone
    assert all(0 < answer.tokens_out <= 12 for answer in together)


def test_its_card_and_manifest_say_what_it_is(trained: Trained) -> None:
    card = (trained.folder / "README.md").read_text(encoding="utf-8")
    assert "for the demo only" in card
    manifest = json.loads((trained.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"] == {n: h for n, h in _files(trained.folder).items() if n != "manifest.json"}
    assert {p.suffix for p in trained.folder.iterdir()} <= {".json", ".safetensors", ".md", ".jinja"}


def test_the_command_says_what_is_no_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--world", str(tmp_path / "nothing"), "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert "is no generated world" in capsys.readouterr().err


def test_the_command_prints_the_folder_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "world.json").write_text('{"world": {"seed": 7}}', encoding="utf-8")
    options = ["--world", str(tmp_path), "--out", str(tmp_path / "out"), "--notes", "60", "--threads", "1"]
    assert main([*options, "--steps", "1"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert (Path(last) / "manifest.json").is_file()
    assert Path(last).parent == tmp_path / "out"
