"""The teacher is asked anew about what the student is not sure of: once, within the budget, and its tags are taken."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.tags.tag_notes import Asking, main, plan_of, stage
from jobs.tags.teacher_calls import terms_of
from schemas.tag_tables import NOTE_TAGS, TAG_POSTINGS, TAG_VOCABULARY
from tests.jobs.lakes import note, publish_notes, stage_rows, tree
from tests.jobs.raw import deployment
from tests.jobs.tags.misbehaving import Answer, refused, serving
from tests.jobs.tags.misbehaving import said as told
from tests.jobs.tags.said import publish_said, said
from tests.jobs.tags.taught import tiny_student
from tests.jobs.tags.test_tag_notes import Loader

DAYS = ["2026-01-05", "2026-01-06"]
pytestmark = pytest.mark.usefixtures("quick_publish")
TAGS = [("style", "dry", 0.8), ("style", "light", 0.8)]
ASKED = ("num_doubtful", "num_fallback", "num_over_budget", "num_asked", "num_calls")


def chain(value: str, evidence: str) -> str:
    """A reply of the agreed form with one tag."""
    values = [{"dimension": "style", "value": value, "evidence": evidence}]
    return json.dumps({"text": [], "picture": "", "dimensions": ["style"], "values": values, "tags": [f"style: {value}"]})


def written(count: int) -> list[dict[str, Any]]:
    """Notes `n0` and so on, each a day newer than the one before."""
    return [
        note(f"n{i}", f"A tent for {i}", created_at=datetime(2026, 1, 1 + i, tzinfo=UTC)) for i in range(count)
    ]


def deployed(home: Path, address: str, **tags: Any) -> Lake:
    """A deployment whose teacher is a server."""
    home.mkdir(exist_ok=True)
    settings = {"teacher": address, "teacher_model": "m", "use_handbook": False, "timeout_s": 5.0, **tags}
    return deployment(home, [], {}, extra=f"tags: {json.dumps(settings)}\n").open_lake()


def prepared(lake: Lake, day: str, rows: list[dict[str, Any]], taught: list[dict[str, Any]]) -> None:
    """Publish notes, what the teacher said of those that it was asked about, and the vocabulary."""
    publish_notes(lake, day, rows)
    publish_said(lake, day, [said(r, TAGS) if r in taught else said(r, status="skipped") for r in rows])
    row = {"dimension": "style", "status": "canonical", "num_notes": 2, "nearest": None, "similarity": None}
    words = [{**row, "surface": tag, "tag": tag, "since": date.fromisoformat(day)} for tag in ("dry", "light")]
    stage_rows(lake, TAG_VOCABULARY, day, words)
    publish(lake, TAG_VOCABULARY, day)


def published(home: Path, lake: Lake, day: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Run the job and publish: source and tags by note, and the counts."""
    main(["--config", str(home / "config.yaml"), "--day", day])
    counts = publish(lake, NOTE_TAGS, day)["counts"]
    publish(lake, TAG_POSTINGS, day)
    rows = [row for file in lake.files(NOTE_TAGS, day) for row in pq.read_table(file).to_pylist()]
    return {row["note_id"]: (row["source"], row["tags"]) for row in rows}, counts


def promoted(lake: Lake, folder: Path) -> None:
    """A student of random weights: what it says is noise, so that it is sure of nothing."""

    def build(half: Path) -> dict[str, Any]:
        tiny_student(folder)
        for file in folder.iterdir():
            (half / file.name).write_bytes(file.read_bytes())
        return {"seed": 1}

    Artifacts(lake, "tagger").write("g1", build)
    Artifacts(lake, "tagger").promote("g1", DAYS[0])


def test_what_the_student_is_not_sure_of_is_asked_newest_first_once_and_within_the_budget(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(lambda n, body: told(chain("Light", "Light"))) as calls:
        home, n = tmp_path / "h", written(6)
        lake = deployed(home, calls.address, max_calls=2, max_new_tokens=8)
        prepared(lake, DAYS[0], n, n[:2])
        promoted(lake, tmp_path / "student")
        with caplog.at_level(logging.INFO, "notemill"):
            rows, counts = published(home, lake, DAYS[0])
        by_teacher = {"n0": ("teacher", ["dry", "light"]), "n1": ("teacher", ["dry", "light"])}
        anew = {name: ("teacher", ["light"]) for name in ("n4", "n5")}
        assert rows == {**by_teacher, "n2": ("none", []), "n3": ("none", []), **anew}
        assert [counts[name] for name in ASKED] == [6, 4, 2, 2, 2]
        assert "4 notes of which the student is not sure have no answer of the teacher; asking m@127" in caplog.text
        assert "doubtful 6" in caplog.text
        assert [text.count("A tent for 5") + text.count("A tent for 4") for text in calls.texts()] == [1, 1]
        before = tree(lake.root / "note_tags_v1")
        assert (published(home, lake, DAYS[0]), len(calls.bodies)) == ((rows, counts), 2)
        assert tree(lake.root / "note_tags_v1") == before
        # The next day asks what was left, by the answers of which the teacher's table knows nothing yet.
        prepared(lake, DAYS[1], n, n[:2])
        rows, counts = published(home, lake, DAYS[1])
        assert rows == {**by_teacher, **anew, "n2": ("teacher", ["light"]), "n3": ("teacher", ["light"])}
        assert ([counts[name] for name in ASKED], len(calls.bodies)) == ([6, 6, 0, 2, 2], 4)


def test_a_server_that_is_gone_fails_the_task_and_the_rerun_asks_the_rest(spark: SparkSession, tmp_path: Path) -> None:
    is_gone = [True]

    def answer(number: int, _: dict[str, Any]) -> Answer:
        return refused(402, "no money left") if is_gone[0] and number == 2 else told(chain("Light", "Light"))

    with serving(answer) as calls:
        home, n = tmp_path / "h", written(5)
        lake = deployed(home, calls.address, concurrency=1, max_new_tokens=8)
        prepared(lake, DAYS[0], n, n[:2])
        promoted(lake, tmp_path / "student")
        with pytest.raises(LakeError, match=r"tag_notes ds=2026-01-05: .*server answered 402.*no money left"):
            main(["--config", str(home / "config.yaml"), "--day", DAYS[0]])
        assert lake.partition(NOTE_TAGS, DAYS[0]) is None
        is_gone[0] = False
        rows, counts = published(home, lake, DAYS[0])
        assert {source for source, _ in rows.values()} == {"teacher"}
        assert [counts[name] for name in ASKED] == [5, 5, 0, 1, 1]
        assert len(set(calls.texts())) == 3


def test_a_sure_student_is_believed_and_a_reply_of_no_use_leaves_its_tags(spark: SparkSession, tmp_path: Path) -> None:
    with serving(lambda n, body: told("I would rather not")) as calls:
        home, n = tmp_path / "h", written(5)
        lake = deployed(home, calls.address)
        prepared(lake, DAYS[0], n, n[3:])  # n2 is doubtful, n3 gets no answer: see HandStudent
        config = load_config(home / "config.yaml")
        plan = plan_of(lake, DAYS[0], config, None)
        (tmp_path / "asked.txt").write_text("")
        stage(lake, plan, Asking(Loader(tmp_path / "asked.txt"), {}, (), 0.6, terms_of(config, lake, DAYS[0])))
        manifest = publish(lake, NOTE_TAGS, DAYS[0])
        rows = [row for file in lake.files(NOTE_TAGS, DAYS[0]) for row in pq.read_table(file).to_pylist()]
        assert [(r["note_id"], r["source"], r["tags"]) for r in sorted(rows, key=lambda r: r["note_id"])] == [
            ("n0", "student", ["light"]),
            ("n1", "student", ["dry", "light"]),
            ("n2", "student", ["light"]),  # not sure, and the teacher was of no help
            ("n3", "teacher", ["dry", "light"]),  # by what it had said already
            ("n4", "student", ["light"]),
        ]
        assert [manifest["counts"][name] for name in ASKED] == [2, 1, 0, 1, 1]
        assert len(calls.bodies) == 1
