"""Every note gets its canonical tags: by the teacher alone, and by a student written by hand with the teacher behind it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.staging import Plan
from jobs.tags.asking import Question, Reply, Token
from jobs.tags.pages import current_pages
from jobs.tags.pictures import as_png
from jobs.tags.student import load_student
from jobs.tags.student_answers import ask_student
from jobs.tags.tag_notes import Asking, asking_of, main, plan_of, stage
from jobs.tags.teacher_calls import terms_of
from models.tags.handbook import Dimension, Page
from schemas.tag_tables import INTEREST_HANDBOOK, NOTE_TAGS, TAG_POSTINGS
from tests.jobs.lakes import note, publish_notes, stage_rows
from tests.jobs.raw import deployment
from tests.jobs.tags.said import notes, publish_said, publish_vocabulary, said

DAYS = ["2026-01-05", "2026-01-06"]


def answer(values: list[tuple[str, str, str]], probability: float) -> Reply:
    """A reply of the task `tags`, every character a token of its own of that probability."""
    keys = ("dimension", "value", "evidence")
    text = json.dumps({"values": [dict(zip(keys, v, strict=True)) for v in values]}, ensure_ascii=False)
    return Reply("ok", text, tokens=tuple(Token(i + 1, math.log(probability)) for i in range(len(text))))


@dataclass
class HandStudent:
    """Says `light` of every note, and `dry` of n1; of n2 it is not sure. It writes down whom it was asked about."""

    asked: Path
    identity: str = "student@1"

    def ask(self, questions: Sequence[Question], tell: Callable[[int, Reply], None]) -> None:
        for at, question in enumerate(questions):
            shown = json.loads(question.prompt.user.splitlines()[-2])
            with self.asked.open("a") as handle:
                handle.write(shown["title"] + "\n")
            if shown["title"].endswith("3"):
                continue  # it is not told about this one
            values = [("style", "Light", "light")] + [("style", "dry", "dry")] * shown["title"].endswith("1")
            tell(at, answer(values, 0.5 if shown["title"].endswith("2") else 0.9))


@dataclass(frozen=True)
class Loader:
    asked: Path

    def __call__(self) -> HandStudent:
        return HandStudent(self.asked)


def rows_of(lake: Lake, table: Any, day: str) -> list[dict[str, Any]]:
    with duckdb.connect() as reader:
        relation = reader.read_parquet(lake.files(table, day), hive_partitioning=False)
        rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    return sorted(rows, key=lambda row: tuple(row[name] for name in table.key))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    deployment(tmp_path, [], {}, extra="tags: {min_notes: 2, min_confidence: 0.6}\n")
    return tmp_path


def test_without_a_student_the_teachers_tags_are_made_canonical_and_posted(spark: SparkSession, home: Path) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    n = notes(4)
    publish_notes(lake, DAYS[0], n)
    rows = [
        said(n[0], [("style", "Light", 0.5), ("style", "lights", 0.75), ("style", "odd", 0.9)]),
        said(n[1], [("style", "light", 0.75), ("colour", "red", 0.25)]),
        said(n[2], [("colour", "red", 0.5)]),
        said(n[3], status="skipped", problem="no budget", teacher=None, prompt=None),
    ]
    publish_said(lake, DAYS[0], rows)
    vocabulary = publish_vocabulary(home, lake, DAYS[0])["partition"]
    main(["--config", str(home / "config.yaml"), "--day", DAYS[0]])
    manifest = publish(lake, NOTE_TAGS, DAYS[0])
    publish(lake, TAG_POSTINGS, DAYS[0])
    found = rows_of(lake, NOTE_TAGS, DAYS[0])
    assert [(r["note_id"], r["status"], r["tags"], r["unmapped"], r["source"]) for r in found] == [
        ("n0", "ok", ["light"], ["style: odd"], "teacher"),  # two spellings of one tag, one that is rare
        ("n1", "ok", ["light", "red"], [], "teacher"),
        ("n2", "ok", ["red"], [], "teacher"),
        ("n3", "skipped", [], [], "none"),
    ]
    assert (found[0]["evidence"], found[0]["confidences"]) == (["lights"], [0.75])
    assert (found[0]["model"], found[0]["prompt"], found[0]["handbook"], found[0]["vocabulary"]) == (
        "teacher@1", "p1", "", vocabulary,
    )  # fmt: skip
    assert manifest["counts"] == {
        "num_notes": 4, "num_by_none": 1, "num_by_teacher": 3, "num_tags": 4, "num_unmapped": 1,
    }  # fmt: skip
    posted = rows_of(lake, TAG_POSTINGS, DAYS[0])
    rarity = math.log(1 + 4 / 2)  # four notes, two of them with the tag
    assert [(r["tag"], r["rank"], r["note_id"], r["num_notes"]) for r in posted] == [
        ("red", 1, "n2", 2),
        ("red", 2, "n1", 2),
        ("light", 1, "n0", 2),  # as sure of n0 as of n1: the smaller id first
        ("light", 2, "n1", 2),
    ]
    assert [r["weight"] for r in posted] == pytest.approx([0.5 * rarity, 0.25 * rarity, 0.75 * rarity, 0.75 * rarity])


def _tagged_by_student(home: Path, lake: Lake, day: str, asked: Path) -> list[str]:
    """Stage the day's tags with the student. Returns whom it was asked about."""
    config = load_config(home / "config.yaml")
    reads = plan_of(lake, day, config, None).reads
    asked.write_text("")
    plan = Plan("tag_notes", day, reads, artifacts={"student": "g1"}, params={"min_confidence": 0.6})
    stage(lake, plan, Asking(Loader(asked), {}, (), 0.6, terms_of(config, lake, day)))
    return sorted(asked.read_text().splitlines())


def _staged(lake: Lake, day: str) -> list[dict[str, Any]]:
    """The rows of the day by note, but for the vocabulary's partition."""
    rows = pq.read_table(lake.place("staging", NOTE_TAGS, day) / "data").to_pylist()
    return [{**row, "vocabulary": ""} for row in sorted(rows, key=lambda row: row["note_id"])]


def _prepared(where: Path, day: str, rows: list[dict[str, Any]], taught: list[dict[str, Any]]) -> Lake:
    lake = load_config(where / "config.yaml").open_lake()
    tags = [("style", "dry", 0.8), ("style", "light", 0.8)]
    publish_notes(lake, day, rows)
    publish_said(lake, day, [said(r, tags) if r in taught else said(r, status="skipped") for r in rows])
    publish_vocabulary(where, lake, day)
    return lake


def test_a_student_tags_what_is_new_and_the_teacher_stands_behind_it(
    spark: SparkSession, home: Path, tmp_path: Path
) -> None:
    n, asked = notes(5), tmp_path / "asked.txt"
    lake = _prepared(home, DAYS[0], n, n[:3])
    assert _tagged_by_student(home, lake, DAYS[0], asked) == [row["title"] for row in n]
    found = _staged(lake, DAYS[0])
    assert [(r["note_id"], r["status"], r["tags"], r["source"], r["model"]) for r in found] == [
        ("n0", "ok", ["light"], "student", "student@1"),
        ("n1", "ok", ["dry", "light"], "student", "student@1"),
        ("n2", "ok", ["dry", "light"], "teacher", "teacher@1"),  # the student said light, at 0.5
        ("n3", "failed", [], "none", "student@1"),  # nobody answered
        ("n4", "ok", ["light"], "student", "student@1"),
    ]
    assert found[0]["confidences"] == pytest.approx([0.9])
    publish(lake, NOTE_TAGS, DAYS[0])
    second = [*n[:4], note("n4", "A tent for none"), note("n5", "A tent for 5")]
    _prepared(home, DAYS[1], second, n[:3])
    # New, changed, or without an answer: what was settled yesterday is not asked again.
    assert _tagged_by_student(home, lake, DAYS[1], asked) == ["A tent for 3", "A tent for 5", "A tent for none"]
    (tmp_path / "other").mkdir()
    deployment(tmp_path / "other", [], {}, extra="tags: {min_notes: 2, min_confidence: 0.6}\n")
    other = _prepared(tmp_path / "other", DAYS[1], second, n[:3])
    assert len(_tagged_by_student(tmp_path / "other", other, DAYS[1], asked)) == 6
    assert _staged(other, DAYS[1]) == _staged(lake, DAYS[1])


def picture(folder: Path, name: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    (folder / name).write_bytes(buffer.getvalue())
    return buffer.getvalue()


class Recorded:
    """A student that keeps its questions and answers each by what is in `replies`."""

    identity = "student@2"

    def __init__(self, replies: list[Reply]) -> None:
        self.replies, self.questions = replies, []

    def ask(self, questions: Sequence[Question], tell: Callable[[int, Reply], None]) -> None:
        self.questions = list(questions)
        for at in reversed(range(len(self.replies))):
            tell(at, self.replies[at])


def test_the_student_sees_the_picture_and_the_page_and_is_held_to_its_evidence(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    content = picture(tmp_path / "images", "a.png")
    (tmp_path / "secret.png").write_bytes(content)
    page = Page("outdoor", (Dimension("weight", "how heavy it is.", ("light",)),))
    rows = [
        note("n0", image_uris=["a.png"]),
        note("n1", category=["food"], image_uris=["../secret.png"]),
        note("n2"),
        note("n3"),
        note("n4"),
    ]
    replies = [
        answer([("weight", "light", "Light and dry"), ("colour", "red", "picture"), ("x", "heavy", "heavy")], 0.25),
        answer([("colour", "red", "picture")], 0.9),
        Reply("refused", "I cannot"),
        Reply("truncated", '{"values": [{"dimen'),
    ]
    student = Recorded(replies)
    found = ask_student(student, rows, {"outdoor": page}, (str(tmp_path / "images"),))
    seen = as_png(content)[0]
    assert seen is not None  # what the teacher is shown
    assert [q.picture for q in student.questions] == [seen, None, None, None, None]
    assert "- weight: how heavy it is. Such as: light." in student.questions[0].prompt.user
    assert "- weight" not in student.questions[1].prompt.user
    assert [(r["status"], r["tags"], r["source"]) for r in found] == [
        ("ok", ["light", "red"], "student"),
        ("empty", [], "student"),  # there is no picture to see red in
        ("refused", [], "none"),
        ("truncated", [], "none"),
        ("failed", [], "none"),
    ]
    assert found[0]["confidences"] == pytest.approx([0.25, 0.25])
    assert [r["handbook"] for r in found[:2]] == [page.version, ""]


def test_without_a_promotion_there_is_no_student(home: Path) -> None:
    config = load_config(home / "config.yaml")
    assert load_student(config.open_lake(), DAYS[0], config) is None


def test_the_plan_names_the_student_and_the_handbook_of_the_day(home: Path) -> None:
    config = load_config(home / "config.yaml")
    lake = config.open_lake()
    publish_notes(lake, DAYS[1], notes(1))
    publish_said(lake, DAYS[1], [said(notes(1)[0])])
    publish_vocabulary(home, lake, DAYS[1])
    row = {
        "category": "outdoor", "dimension": "weight", "position": 1, "definition": "how heavy it is",
        "example_values": ["light"], "num_clicks": 9, "support": 0.9, "lift": 2.0, "evidence_notes": ["n1"],
        "evidence_queries": [], "inherited_from": None, "named_by": "clusters", "change": "new", "page": "0" * 12,
    }  # fmt: skip
    stage_rows(lake, INTEREST_HANDBOOK, DAYS[0], [row], {"num_explained_clicks": 9, "num_engaged_clicks": 10})
    handbook = publish(lake, INTEREST_HANDBOOK, DAYS[0])["partition"]
    alone = plan_of(lake, DAYS[1], config, asking_of(lake, DAYS[1], config))
    assert (alone.artifacts, len(alone.reads)) == ({}, 3)
    artifacts = Artifacts(lake, "tagger")
    artifacts.write("g1", lambda half: {"seed": 1})
    artifacts.promote("g1", DAYS[0])
    plan = plan_of(lake, DAYS[1], config, asking_of(lake, DAYS[1], config))
    assert (plan.artifacts, "budget" in plan.params) == ({"student": "g1"}, False)
    assert plan.reads[f"interest_handbook/ds={DAYS[0]}"] == handbook
    assert current_pages(lake, "2026-01-04") == current_pages(lake, DAYS[1])  # the first one guides what was before it
    assert current_pages(lake, DAYS[1])[0] == {
        "outdoor": Page("outdoor", (Dimension("weight", "how heavy it is", ("light",)),))
    }
    tags = replace(config.tags, teacher="http://127.0.0.1:9/v1", teacher_model="m", max_calls=7)
    with_teacher = replace(config, tags=tags)
    plan = plan_of(lake, DAYS[1], with_teacher, asking_of(lake, DAYS[1], with_teacher))
    assert plan.artifacts["teacher"].startswith("m@127.0.0.1:9/v1+")
    assert plan.params["budget"] == [7, 10.0, 0.0, 0.0]
