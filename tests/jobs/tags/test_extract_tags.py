"""Every note gets a row, nothing is asked twice, no budget is overdrawn, and no fault of a server or a note loses any."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.tags import extract_tags
from jobs.tags.extract_tags import main
from schemas.tag_tables import TEACHER_TAGS
from tests.jobs.lakes import note, publish_notes
from tests.jobs.raw import deployment
from tests.jobs.tags.misbehaving import Answer, Calls, Stop, refused, said, serving
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


def test_every_note_is_asked_once_and_its_row_says_what_it_took(spark: SparkSession, tmp_path: Path) -> None:
    with serving(lambda n, body: said(chain())) as calls:
        lake = deployed(tmp_path, calls.address, price_in=1.0, price_out=10.0)
        publish_notes(lake, DAY, [note("n1"), note("n2", "A tent for three")])
        rows, counts = tagged(tmp_path)
        assert (len(calls.bodies), counts["num_asked"], counts["num_left"]) == (2, 2, 0)
        row = rows["n1"]
        assert (row["status"], row["dimensions"], row["tags"], row["evidence"]) == ("ok", ["kind"], ["tent"], ["tent"])
        assert (row["tokens_in"], row["tokens_out"], row["num_calls"]) == (100, 20, 1)
        assert row["cost"] == pytest.approx(0.0003)  # 100 at 1 and 20 at 10 a million
        assert json.loads(row["reply"])["tags"] == ["kind: tent"]
        publish_notes(lake, "2026-01-06", [note("n1"), note("n2", "A tent for four")])
        later, counts = tagged(tmp_path, "2026-01-06")
        assert (len(calls.bodies), counts["num_asked"]) == (3, 1)
        assert later["n1"] == row


def test_an_embedded_model_tags_notes_and_a_second_run_asks_nothing(spark: SparkSession, tmp_path: Path) -> None:
    tiny_llava(tmp_path / "teacher")
    lake = deployed(tmp_path, "teacher", max_new_tokens=20)
    publish_notes(lake, DAY, [note(f"n{i}", "A tent " * (i + 1)) for i in range(5)])
    rows, counts = tagged(tmp_path)
    assert {row["status"] for row in rows.values()} == {"truncated"}  # noise that never ends
    assert counts["num_asked"] == 5


def test_without_a_teacher_every_note_is_skipped_and_the_log_says_how_to_name_one(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = deployed(tmp_path, "")
    publish_notes(lake, DAY, [note("n1"), note("n2", "A stove")])
    with caplog.at_level(logging.WARNING, "notemill"):
        rows, counts = tagged(tmp_path)
    assert [row["status"] for row in rows.values()] == ["skipped", "skipped"]
    assert "name one as tags.teacher" in caplog.text
    assert counts["num_skipped"] == 2
