"""Every note gets a row, nothing is asked twice, no budget is overdrawn, and no fault of a server or a note loses any."""

from __future__ import annotations

import hashlib
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

from jobs.artifact import Artifacts
from jobs.config import ConfigError, load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.tags import extract_tags
from jobs.tags.choosing import in_share
from jobs.tags.extract_tags import LEFT_TO_STUDENT, NOT_SAMPLED, main
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


def is_in_share(note_id: str, share: float) -> bool:
    """By hand: the first 48 bits of the hash, in millionths."""
    return int(hashlib.sha256(f"teacher share {note_id}".encode()).hexdigest()[:12], 16) % 1_000_000 < share * 1e6


def promoted_student(lake: Lake, since: str) -> None:
    """A student that is current since a day; this job only asks whether there is one."""
    artifacts = Artifacts(lake, "tagger")
    artifacts.write("g1", lambda half: {"seed": 1})
    artifacts.promote("g1", since)


@pytest.mark.usefixtures("quick_publish")
def test_with_a_student_the_teacher_is_asked_about_a_share_of_the_new_notes_and_the_rest_is_not_left_over(
    spark: SparkSession, tmp_path: Path
) -> None:
    with serving(lambda n, body: said(chain())) as calls:
        lake = deployed(tmp_path, calls.address, teacher_share=0.3)
        known = [note(f"old{i}", f"A tent of old {i}") for i in range(3)]
        publish_notes(lake, DAY, known)
        before, counts = tagged(tmp_path)
        assert (counts["num_asked"], counts["num_left_to_student"]) == (3, 0)  # there is no student yet
        promoted_student(lake, "2026-01-06")
        new = [note(f"n{i}", f"A tent for {i}") for i in range(24)]
        share = {row["note_id"] for row in new if is_in_share(row["note_id"], 0.3)}
        assert 3 <= len(share) <= 12
        publish_notes(lake, "2026-01-06", [*known, *new])
        rows, counts = tagged(tmp_path, "2026-01-06")
        assert {name for name, row in rows.items() if row["status"] == "ok"} == {*share, "old0", "old1", "old2"}
        assert rows["old0"] == before["old0"]
        left = [row for row in rows.values() if row["status"] == "skipped"]
        assert {(row["problem"], row["teacher"], row["answer"]) for row in left} == {(LEFT_TO_STUDENT, None, None)}
        assert (counts["num_asked"], counts["num_left_to_student"]) == (len(share), 24 - len(share))
        assert (counts["num_left"], len(calls.bodies)) == (0, 3 + len(share))
        assert lake.manifest(TEACHER_TAGS, "2026-01-06")["artifacts"]["student"] == "g1"
        publish_notes(lake, "2026-01-07", [*known, *new])
        later, counts = tagged(tmp_path, "2026-01-07")
        assert (later, counts["num_left_to_student"], len(calls.bodies)) == (rows, 24 - len(share), 3 + len(share))


@pytest.mark.usefixtures("quick_publish")
def test_a_day_that_is_run_again_after_a_promotion_keeps_its_answers_and_leaves_the_rest_to_the_student(
    spark: SparkSession, tmp_path: Path
) -> None:
    with serving(lambda n, body: said(chain())) as calls:
        lake = deployed(tmp_path, calls.address, max_calls=1, teacher_share=0.0)
        publish_notes(lake, DAY, [note("n1"), note("n2", "A stove")])
        rows, counts = tagged(tmp_path)
        assert ([rows[n]["status"] for n in ("n1", "n2")], counts["num_left"]) == (["ok", "skipped"], 1)
        promoted_student(lake, DAY)
        again, counts = tagged(tmp_path)
        assert (again["n1"], again["n2"]["problem"]) == (rows["n1"], LEFT_TO_STUDENT)
        assert (counts["num_left"], counts["num_left_to_student"], len(calls.bodies)) == (0, 1, 1)


def test_a_share_is_a_part_of_every_larger_one_and_more_than_all_is_refused(
    spark: SparkSession, tmp_path: Path
) -> None:
    names = spark.createDataFrame([(f"n{i}",) for i in range(200)], "note_id string")
    shares = [0.0, 0.1, 0.5, 1.0]
    found = [{row[0] for row in names.where(in_share(names.note_id, share)).collect()} for share in shares]
    assert found == [{f"n{i}" for i in range(200) if is_in_share(f"n{i}", share)} for share in shares]
    assert found[0] < found[1] < found[2] < found[3]
    lake = deployed(tmp_path, "", teacher_share=1.5)
    publish_notes(lake, DAY, [note("n1")])
    with pytest.raises(ConfigError, match=r"tags.teacher_share is 1.5: it is a share"):
        main(["--config", str(tmp_path / "config.yaml"), "--day", DAY])


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
