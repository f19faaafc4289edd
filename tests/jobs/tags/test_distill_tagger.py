"""The job: a whole artifact from the teacher's rows, promoted only if it is good enough, the same bytes after a kill."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.tags.asking import Question
from jobs.tags.distill_tagger import arg_parser, main, run
from jobs.tags.student import load_student
from models.tags.prompt import NoteText, prompt_for
from tests.jobs.lakes import publish_notes, tree
from tests.jobs.tags.taught import DAY, publish_numbered, tagged_note, tiny_student

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("quick_publish")
NOTES = range(60)


def home(folder: Path, **tags: object) -> Path:
    """A deployment with sixty tagged notes; its configuration file."""
    folder.mkdir(exist_ok=True)
    if not (folder / "student").exists():
        tiny_student(folder / "student")
        publish_numbered(Lake.open(folder / "lake"), DAY, folder / "images", NOTES)
    return write_config(folder, **{"student": "student", "distill_steps": 4, "max_new_tokens": 8, **tags})


def write_config(folder: Path, **tags: object) -> Path:
    file = folder / "config.yaml"
    text = f"lake: lake\ntimezone: UTC\nsources: {{}}\nimage_roots: [images]\ntags: {json.dumps(tags)}\n"
    file.write_text(text)
    return file


def distill(config: Path, *more: str) -> Artifacts:
    main([f"--config={config}", f"--day={DAY}", *more])
    return Artifacts(load_config(config).open_lake(), "tagger")


def test_an_artifact_has_weights_tokenizer_card_curves_and_a_manifest_that_says_what_it_came_from(
    tmp_path: Path,
) -> None:
    artifacts = distill(home(tmp_path / "h"))
    (generation,) = artifacts.generations()
    folder, facts = artifacts.folder(generation), artifacts.manifest(generation)
    names = {"model.safetensors", "config.json", "tokenizer.json", "card.md", "curve.json", "curve.png"}
    assert names <= set(facts["files"])
    assert not [p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pkl")]
    assert {n.partition("/")[0] for n in facts["depends_on"]["reads"]} == {"teacher_tags", "notes"}
    assert facts["teachers"] == ["teacher@1"]
    assert facts["started_from"].startswith("student@")
    counts = [facts[f"num_{name}"] for name in ("training", "stopping", "frozen")]
    assert (sum(counts), facts["seed"], facts["steps"], facts["num_top_k"]) == (60, 17, 4, 0)
    assert facts["figures"]["all notes"]["num_notes"] == facts["num_frozen"]
    assert set(facts["figures"]["categories"]) <= {"home", "garden"}
    assert "Taught by `teacher@1`" in (folder / "card.md").read_text()
    assert [p.name for p in artifacts.room.iterdir() if p.name.startswith(".")] == []


def test_below_the_bar_the_student_before_stays_and_the_figures_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = distill(home(tmp_path / "h", min_agreement=0.0), "--promote").current(DAY)
    with caplog.at_level(logging.INFO, "notemill"):
        artifacts = distill(home(tmp_path / "h", seed=18))
    (second,) = set(artifacts.generations()) - {first}
    assert artifacts.current(DAY) == first
    frozen = artifacts.manifest(second)["figures"]["all notes"]["num_notes"]
    said = f"tagger {second} is not promoted, {first} stays current: F1 against the teacher is 0.000 on {frozen} frozen"
    assert said in caplog.text


def test_nothing_is_trained_twice_and_false_never_promotes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = home(tmp_path / "h", min_agreement=0.0)
    artifacts = distill(config, "--promote=false")
    assert artifacts.promotions() == []
    before = tree(artifacts.room)
    with caplog.at_level(logging.INFO, "notemill"):
        distill(config, "--promote=false")
    assert "trained already from the same inputs" in caplog.text
    assert tree(artifacts.room) == before
    distill(config)  # if-better: good enough for a bar of 0, and there is none before
    assert artifacts.current(DAY) == artifacts.generations()[0]


def test_a_worse_student_does_not_take_the_place_of_a_better_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = distill(home(tmp_path / "h", min_agreement=0.0)).current(DAY)
    monkeypatch.setattr("jobs.tags.distill_tagger.figures", lambda _: {"f1": 0.5})  # of the one before
    artifacts = distill(home(tmp_path / "h", min_agreement=0.0, seed=18))
    assert artifacts.current(DAY) == first
    assert "F1 is 0.000, the current one has 0.500 on the same frozen notes" in caplog.text
    assert distill(home(tmp_path / "h", min_agreement=0.0, seed=18), "--promote=true").current(DAY) != first


def test_without_a_teachers_rows_there_is_nothing_to_learn_and_that_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = write_config(tmp_path)
    lake = load_config(config).open_lake()
    with caplog.at_level(logging.INFO, "notemill"):
        assert distill(config).generations() == []
        publish_notes(lake, DAY, [tagged_note(1, tmp_path / "images")])
        assert distill(config).generations() == []
        publish_numbered(lake, DAY, tmp_path / "images", range(8))
        assert distill(config).generations() == []
    assert caplog.text.count("nothing to learn from yet: no published teacher_tags of the window") == 2
    assert "2 notes to learn from, at least 20 are needed" in caplog.text


def test_the_student_of_a_day_answers_and_is_refused_where_someone_changed_it(tmp_path: Path) -> None:
    config = home(tmp_path / "h", min_agreement=0.0)
    lake, settings = load_config(config).open_lake(), load_config(config)
    assert load_student(lake, DAY, settings) is None
    artifacts = distill(config)
    student = load_student(lake, DAY, settings)
    assert student is not None
    assert student.identity == f"tagger/{artifacts.current(DAY)}/8"
    replies = {}
    prompt = prompt_for(NoteText("Chair of oak", ""), None, "tags", has_picture=False)
    student.ask([Question(prompt)], replies.__setitem__)
    assert replies[0].tokens_out == 8
    weights = artifacts.folder(artifacts.generations()[0]) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    with pytest.raises(LakeError, match=r"model.safetensors is not the file that its manifest names"):
        load_student(lake, DAY, settings)


def test_the_compact_student_of_a_local_teacher_takes_over_its_tokenizer(tmp_path: Path) -> None:
    teacher = tiny_student(tmp_path / "teacher", seed=5)
    config = home(tmp_path / "h", student="", teacher=str(teacher), distill_steps=2)
    artifacts = distill(config, "--promote=false")
    (generation,) = artifacts.generations()
    facts, folder = artifacts.manifest(generation), artifacts.folder(generation)
    assert facts["started_from"].startswith("a compact model with the tokenizer of teacher@")
    made, taken = (json.loads((f / "tokenizer.json").read_text())["model"] for f in (folder, teacher))
    assert made == taken
    sizes = json.loads((folder / "config.json").read_text())["text_config"]
    assert (sizes["num_hidden_layers"], sizes["hidden_size"]) == (2, 32)


def test_a_killed_process_and_its_rerun_end_in_the_bytes_of_one_that_was_left_alone(tmp_path: Path) -> None:
    configs = [
        home(tmp_path / name, student="", distill_steps=3, min_agreement=0.0) for name in ("alone", "killed")
    ]
    alone = distill(configs[0])
    room = load_config(configs[1]).lake / "artifacts" / "tagger"
    command = [sys.executable, "-m", "jobs.tags.distill_tagger", f"--config={configs[1]}", f"--day={DAY}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    until = time.monotonic() + 60
    while not list(room.glob(".g*.building")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    killed = distill(configs[1])
    assert killed.current(DAY) == alone.current(DAY)
    assert tree(killed.room) == tree(alone.room)


@pytest.mark.parametrize(
    ("name", "value"), [("distill_days", 0), ("distill_steps", 0), ("min_agreement", 1.5)]
)
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(LakeError, match=f"tags.{name} is {value}: it must be from"):
        run(load_config(write_config(tmp_path, **{name: value})), DAY, "false")


def test_the_recorded_command_reads_as_meant(tmp_path: Path) -> None:
    given = [f"--config={write_config(tmp_path)}", f"--day={DAY}"]
    assert [
        arg_parser().parse_args([*given, *more]).promote for more in ([], ["--promote"], ["--promote=false"])
    ] == [
        "if-better",
        "true",
        "false",
    ]
