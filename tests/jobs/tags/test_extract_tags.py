"""Every note gets a row, nothing is asked twice, no budget is overdrawn, and no fault of a server or a note loses any."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.tags import extract_tags
from jobs.tags.extract_tags import NOT_SAMPLED, main
from schemas.tag_tables import TEACHER_TAGS
from tests.jobs.lakes import note, publish_notes
from tests.jobs.raw import deployment
from tests.jobs.tags.misbehaving import Answer, Stop, refused, said, serving
from tests.jobs.tags.tiny_models import tiny_llava

DAY = "2026-01-05"


def chain(value: str = "tent", evidence: str = "tent", dimension: str = "kind") -> str:
    """A reply of the agreed form with one tag."""
    values = [{"dimension": dimension, "value": value, "evidence": evidence}]
    tags = [f"{dimension}: {value}"]
    return json.dumps({"text": [], "picture": "", "dimensions": [dimension], "values": values, "tags": tags})


def deployed(home: Path, teacher: str, **tags: Any) -> Lake:
    """A deployment whose teacher is `teacher`."""
    settings = {"teacher": teacher, "teacher_model": "m", "use_handbook": False, "timeout_s": 5.0, **tags}
    return deployment(home, [], {}, extra=f"tags: {json.dumps(settings)}\n").open_lake()


def tagged(home: Path, day: str = DAY, *more: str) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Run the job and publish: the rows by note, and the counts."""
    lake = load_config(home / "config.yaml").open_lake()
    main(["--config", str(home / "config.yaml"), "--day", day, *more])
    manifest = publish(lake, TEACHER_TAGS, day)
    rows = [row for file in lake.files(TEACHER_TAGS, day) for row in pq.read_table(file).to_pylist()]
    return {row["note_id"]: row for row in rows}, manifest["counts"]


def test_a_day_is_asked_within_the_budget_newest_first_and_the_rest_by_later_runs(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(lambda n, body: said(chain())) as calls:
        lake = deployed(tmp_path, calls.address, max_calls=2, price_in=1.0, price_out=10.0)
        notes = [note(f"n{i}", f"A tent for {i}", created_at=datetime(2026, 1, i, tzinfo=UTC)) for i in (1, 2, 3)]
        publish_notes(lake, DAY, notes)
        with caplog.at_level(logging.INFO, "notemill"):
            rows, counts = tagged(tmp_path)
        assert "3 of 3 notes are new or changed; asking m@127.0.0.1" in caplog.text
        assert {name: row["status"] for name, row in rows.items()} == {"n1": "skipped", "n2": "ok", "n3": "ok"}
        assert (counts["num_asked"], counts["num_calls"], counts["num_left"], len(calls.bodies)) == (2, 2, 1, 2)
        row = rows["n3"]
        assert (row["dimensions"], row["tags"], row["evidence"]) == (["kind"], ["tent"], ["tent"])
        assert (row["tokens_in"], row["tokens_out"], row["num_calls"]) == (100, 20, 1)
        assert row["cost"] == pytest.approx(0.0003)  # 100 at 1 and 20 at 10 a million
        rows, counts = tagged(tmp_path)  # the same day again asks what was left, and nothing else
        assert (rows["n1"]["status"], counts["num_asked"], counts["num_left"], len(calls.bodies)) == ("ok", 1, 0, 3)
        assert rows["n3"] == row
        _, again = tagged(tmp_path)  # and now there is nothing left to do
        assert (again, len(calls.bodies)) == (counts, 3)
        publish_notes(lake, "2026-01-06", [*notes[:2], note("n3", "A tent for four")])
        later, counts = tagged(tmp_path, "2026-01-06")
        assert (counts["num_fresh"], counts["num_asked"], len(calls.bodies)) == (1, 1, 4)
        assert later["n1"] == rows["n1"]


def test_a_killed_job_asks_nothing_again_that_had_an_answer(
    spark: SparkSession, job_environment: dict[str, str], tmp_path: Path
) -> None:
    running: list[subprocess.Popen[bytes]] = []
    is_first = [True]

    def answer(number: int, _: dict[str, Any]) -> Answer:
        if is_first[0] and number == 4:
            os.killpg(running[0].pid, signal.SIGKILL)
            raise Stop
        return said(chain())

    with serving(answer) as calls:
        lake = deployed(tmp_path, calls.address, concurrency=1)
        publish_notes(lake, DAY, [note(f"n{i}", f"A tent for {i}") for i in range(9)])
        program = [sys.executable, extract_tags.__file__, "--config", str(tmp_path / "config.yaml"), "--day", DAY]
        running.append(subprocess.Popen(program, env=job_environment, start_new_session=True))
        assert running[0].wait(120) == -signal.SIGKILL
        assert lake.partition(TEACHER_TAGS, DAY) is None
        is_first[0] = False
        rows, counts = tagged(tmp_path)
        assert {row["status"] for row in rows.values()} == {"ok"}
        assert counts["num_asked"] == 5
        asked = calls.texts()
        assert (len(asked), len(set(asked))) == (10, 9)  # only the call that was under way is made again


def test_a_server_that_is_gone_fails_the_task_in_one_line(spark: SparkSession, tmp_path: Path) -> None:
    with serving(lambda n, _: refused(402, "no money left")) as calls:
        lake = deployed(tmp_path, calls.address)
        publish_notes(lake, DAY, [note("n1"), note("n2", "A stove")])
        with pytest.raises(LakeError, match=r"does not answer: the server answered 402.*no money left.*run again"):
            main(["--config", str(tmp_path / "config.yaml"), "--day", DAY])
        assert len(calls.bodies) == 1


def test_without_a_teacher_every_note_is_skipped_and_the_log_says_how_to_name_one(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = deployed(tmp_path, "")
    publish_notes(lake, DAY, [note("n1"), note("n2", "A stove")])
    with caplog.at_level(logging.WARNING, "notemill"):
        rows, counts = tagged(tmp_path)
    assert [row["status"] for row in rows.values()] == ["skipped", "skipped"]
    assert "name one as tags.teacher" in caplog.text
    assert (counts["num_skipped"], counts["num_left"]) == (2, 0)


def test_a_local_model_is_asked_about_a_sample_with_pictures(
    spark: SparkSession, tmp_path: Path
) -> None:
    tiny_llava(tmp_path / "teacher")
    lake = deployed(tmp_path, "teacher", max_new_tokens=20)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "images" / "red.png")
    publish_notes(lake, DAY, [note(f"n{i}", f"A tent for {i}", image_uris=["red.png"]) for i in range(30)])
    main(["--config", str(tmp_path / "config.yaml"), "--day", DAY, "--sample", "3"])
    first = staged(lake)  # and not published: what a model of random weights says is noise
    asked = {name for name, row in first.items() if row["status"] != "skipped"}
    assert (len(first), len(asked)) == (30, 3)
    assert {(first[n]["status"], first[n]["num_pictures"]) for n in asked} == {("truncated", 1)}
    assert {row["problem"] for name, row in first.items() if name not in asked} == {NOT_SAMPLED}


def staged(lake: Lake) -> dict[str, dict[str, Any]]:
    """The staged rows by note."""
    files = sorted((lake.place("staging", TEACHER_TAGS, DAY) / "data").glob("*.parquet"))
    return {row["note_id"]: row for file in files for row in pq.read_table(file).to_pylist()}
