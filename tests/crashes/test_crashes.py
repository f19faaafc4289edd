"""A `kill -9` of any job at any point, and of the scheduler, followed by a rerun, ends in the same published bytes.

One stack is up for both tests. The reference is a day made step by step with nothing killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo.__main__ import main as make_world
from stack import reaper
from stack.commands import DAILY, stack_of
from stack.progress import Follower
from stack.rest import Airflow
from tests.jobs.lakes import tree

ROOT = Path(__file__).resolve().parent.parent.parent
SUBMIT = str(ROOT / "stack" / "warm" / "bin" / "spark-submit")
DAY = "2026-01-13"
KILLS_A_JOB = 3
STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("logs/clean_users", (), ("users",)),
    ("notes/clean_notes", (), ("notes",)),
    ("logs/clean_events", (), ("events",)),
    ("notes/build_pairs", ("--allow-gaps", "true"), ("note_pairs",)),
    ("notes/embed_notes", (), ("note_embeddings",)),
    ("notes/embed_pictures", (), ("picture_embeddings",)),
    ("ids/train_quantizer", ("--if-missing",), ()),
    ("ids/assign_ids", (), ("semantic_ids",)),
)
# Follows from published tables alone, and stages as the jobs above do: not killed again.
REPORT_STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (("ids/report_health", (), ("id_health",)),)
# Nobody is promoted yet, so that the lists are of neighbours; a training's kills are in tests/jobs/recommend.
LIST_STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("ids/build_trie", (), ()),
    ("recommend/recommend", ("--allow-gaps", "true"), ("recommendations",)),
)
# Their kills are in tests/jobs/tags, where a teacher is asked; here nobody is.
TAG_STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("tags/extract_tags", (), ("teacher_tags",)),
    ("tags/build_vocabulary", (), ("tag_vocabulary",)),
    ("tags/tag_notes", (), ("note_tags", "tag_postings")),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crashes") / "world"
    make_world(["--notes", "60", "--days", "1", "--end", DAY, "--pictures", "20", "--out", str(folder)])
    with (folder / "config.yaml").open("a") as config:
        config.write("quantizer: {codes: 16, epochs: 10, min_separated_share: 0.2, max_shared_share: 0.9}\n")
    return folder


@pytest.fixture(scope="module")
def stack(world: Path) -> Iterator[Any]:
    with stack_of(world / "config.yaml") as running:
        yield running


@pytest.fixture(scope="module")
def environment(stack: Any) -> dict[str, str]:
    return {
        **os.environ,
        "NOTEMILL_WARM_SOCKET": str(stack.home.warm_socket),
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def copy_of(world: Path, name: str) -> Path:
    folder = world.parent / name
    shutil.copytree(world, folder, ignore=shutil.ignore_patterns("lake"))
    return folder


def command(home: Path, job: str, arguments: tuple[str, ...], step: int) -> list[str]:
    application = [str(ROOT / "jobs" / f"{job}.py"), "--config", str(home / "config.yaml"), "--day", DAY]
    return [SUBMIT, str(Path(__file__).parent / "killed.py"), str(step), str(home / "lake"), *application, *arguments]


def finished(environment: dict[str, str], home: Path, job: str, arguments: tuple[str, ...] = ()) -> int:
    """Run a job to its end; how many changes of the file system it made."""
    done = subprocess.run(command(home, job, arguments, -1), env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split()[-1])


def publish(environment: dict[str, str], home: Path, tables: tuple[str, ...]) -> None:
    for name in tables:
        finished(environment, home, "publish_table", ("--table", name))


@pytest.fixture(scope="module")
def reference(world: Path, environment: dict[str, str]) -> dict[str, Any]:
    """The published files of a day that nothing disturbed, with changes and seconds of every job."""
    home = copy_of(world, "reference")
    changes, seconds = {}, {}
    for job, arguments, tables in STEPS + REPORT_STEPS + LIST_STEPS + TAG_STEPS:
        started = time.monotonic()
        changes[job] = finished(environment, home, job, arguments)
        seconds[job] = time.monotonic() - started
        publish(environment, home, tables)
    return {"tables": tree(home / "lake" / "tables"), "changes": changes, "seconds": seconds}


def command_line(process: psutil.Process) -> str:
    """The command of a process; empty where it is over and not yet reaped."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_jobs_killed_again_and_again_end_in_the_same_bytes(
    world: Path, environment: dict[str, str], reference: dict[str, Any]
) -> None:
    home = copy_of(world, "killed")
    for job, arguments, tables in STEPS:
        assert reference["changes"][job] > KILLS_A_JOB, f"{job} changes next to nothing: the kills would prove nothing"
        codes = []
        for at in range(KILLS_A_JOB):
            step = at * reference["changes"][job] // KILLS_A_JOB
            killed = subprocess.run(command(home, job, arguments, step), env=environment, capture_output=True, timeout=240)
            codes.append(killed.returncode)
        # A job that finds what a killed run has made sure of (a trained generation, IDs in the ledger) has less to do,
        # and may be done before its turn to die comes.
        assert set(codes) <= {0, 137}, job
        assert codes[0] == 137, job
        client = subprocess.Popen(command(home, job, arguments, -1), env=environment, stdout=subprocess.DEVNULL)
        time.sleep(reference["seconds"][job] / 2)  # in the middle of the computation
        client.kill()
        client.wait()
        finished(environment, home, job, arguments)
        publish(environment, home, tables)
    for job, arguments, tables in REPORT_STEPS + LIST_STEPS + TAG_STEPS:
        finished(environment, home, job, arguments)
        publish(environment, home, tables)
    assert tree(home / "lake" / "tables") == reference["tables"]


def test_a_killed_scheduler_ends_in_the_same_bytes(world: Path, stack: Any, reference: dict[str, Any]) -> None:
    airflow = Airflow.of(stack.home, stack.address)
    airflow.wait_for_dag(DAILY)
    airflow.unpause(DAILY)
    follower = Follower(airflow, DAILY, stack.home, sys.stdout.write)
    run_id = airflow.trigger(DAILY, {"day": DAY, "allow_gaps": True})
    deadline = time.monotonic() + 120
    while not [t for t in airflow.tasks(DAILY, "2000-01-01T00:00:00Z") if t["state"] == "running"]:
        assert time.monotonic() < deadline, "no task ever ran"
        time.sleep(0.2)
    schedulers = [p for p in reaper.marked(stack.home.id) if "airflow scheduler" in command_line(p)]
    assert schedulers
    for process in schedulers:
        os.kill(process.pid, signal.SIGKILL)
    outcome = follower.follow(lambda: [airflow.run(DAILY, run_id)], stack.check)
    assert outcome.is_success
    assert tree(world / "lake" / "tables") == reference["tables"]
