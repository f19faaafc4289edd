"""What the commands do: start a stack, run days through it, say what came out."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack import reaper
from stack.environment import API_USER, api_password
from stack.home import ROOT, Home, StackError, all_homes, base_folder, home_of
from stack.launch import Stack
from stack.postgres import tail
from stack.progress import Follower, Outcome, day_of
from stack.rest import Airflow
from stack.services import command_environment

DAILY = "notemill_daily"
TRAINING = "notemill_training"
DEMO_LAST_DAY = "2026-01-14"
DEMO_DAYS = 9


@dataclass(frozen=True)
class Days:
    """A range of days, both ends included."""

    first: dt.date
    last: dt.date


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def demo(num_notes: int, num_days: int, num_active: int, *, with_teacher: bool) -> int:
    """Generate a world, run its days as a backfill and the last one by hand; the exit status.

    Before the last day a handbook is mined and a recommender trained, which recommends on it. With a teacher, a small model
    is trained too, and tags the last day's notes.
    """
    folder = base_folder() / "demo"
    last = dt.date.fromisoformat(DEMO_LAST_DAY)
    write(f"A generated world of {num_notes} notes and {num_days} days in {folder}")
    size = ["--notes", str(num_notes), "--days", str(num_days), "--end", DEMO_LAST_DAY]
    made = subprocess.Popen([sys.executable, "-m", "demo", *size, "--out", str(folder)], cwd=ROOT)
    config = folder / "config.yaml"
    with stack_of(config) as stack:
        if made.wait() != 0:
            raise StackError("the world could not be generated, see above; `make clean` starts afresh")
        outcomes = []
        if num_days > 1:
            before = Days(last - dt.timedelta(num_days - 1), last - dt.timedelta(1))
            outcomes.append(run_backfill(stack, before, num_active, "completed"))
            if outcomes[0].is_success:
                write(f"\n{TRAINING} for {before.last}, started by hand (interest handbook, recommender, a new quantizer):")
                outcomes.append(trigger(stack, TRAINING, {"day": before.last.isoformat()}))
                if with_teacher:
                    name_teacher(config, trained_teacher(folder))
        if all(outcome.is_success for outcome in outcomes):
            outcomes.append(run_day(stack, config, last.isoformat()))
    return report(config, *outcomes)


def trained_teacher(world: Path) -> Path:
    """The small model that tags a generated world, trained once for it. Raises StackError where that fails."""
    write("\nA small image-text model learns to tag such notes (once; it stands in for a real teacher, see docs/tags.md):")
    command = [sys.executable, "-m", "demo.teacher", "--world", str(world), "--out", str(base_folder() / "teachers")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    line = ""
    for line in process.stdout or ():
        write(f"  {line.rstrip()}")
    if process.wait() != 0:
        raise StackError("the demo's teacher could not be trained, see above; `make clean` starts afresh")
    return Path(line.strip())


def name_teacher(config: Path, teacher: Path) -> None:
    """Have the world's configuration name its teacher, if it names none."""
    text = config.read_text(encoding="utf-8")
    if "\ntags:" not in text:
        config.write_text(f"{text}tags: {{teacher: {json.dumps(str(teacher))}}}\n", encoding="utf-8")


def run(config: Path, days: Days, *, by_hand: bool, num_active: int, reprocess: str) -> int:
    """Run one day by hand or a range as a backfill, on the user's own configuration; the exit status."""
    with stack_of(config) as stack:
        if by_hand:
            outcome = run_day(stack, config, days.last.isoformat())
        else:
            outcome = run_backfill(stack, days, num_active, reprocess)
    return report(config, outcome)


def train(config: Path, day: str | None) -> int:
    """Run the training DAG once; the exit status."""
    with stack_of(config) as stack:
        outcome = trigger(stack, TRAINING, {"day": day} if day else {})
    return report(config, outcome)


def ui(config: Path, *options: str) -> int:
    """Leave the servers up until Ctrl-C."""
    with stack_of(config, *options) as stack:
        write(f"\nAirflow: {stack.address}\n  user      {API_USER}\n  password  {api_password(stack.home)}")
        write("\nCtrl-C stops it.")
        stack.wait()
    return 0


@contextlib.contextmanager
def stack_of(config: Path, *options: str) -> Any:
    """The running stack of a configuration; says how long the start took."""
    started = time.monotonic()
    write("Starting PostgreSQL, Airflow and Spark ...")
    environment = {"NOTEMILL_CONFIG": str(config.resolve())}
    with Stack(home_of(config), lambda text: write(f"  {text}"), *options, environment=environment) as stack:
        write(f"  up after {time.monotonic() - started:.0f} s: {stack.address} (`make ui` to look around later)")
        yield stack


def run_day(stack: Stack, config: Path, day: str) -> Outcome:
    """One manual run of the daily DAG, as a user would start it."""
    write(f"\n{DAILY} for {day}, started by hand ({config}):")
    return trigger(stack, DAILY, {"day": day})


def trigger(stack: Stack, dag_id: str, conf: dict[str, Any]) -> Outcome:
    airflow = Airflow.of(stack.home, stack.address)
    airflow.wait_for_dag(dag_id)
    airflow.unpause(dag_id)
    follower = Follower(airflow, dag_id, stack.home, write)
    run_id = airflow.trigger(dag_id, conf)
    return follower.follow(lambda: [airflow.run(dag_id, run_id)], stack.check)


def run_backfill(stack: Stack, days: Days, num_active: int, reprocess: str) -> Outcome:
    """The days as `airflow backfill create` runs them, at most `num_active` at once."""
    write(f"\n{DAILY} for {days.first} to {days.last}, by `airflow backfill create`, {num_active} days at a time:")
    airflow = Airflow.of(stack.home, stack.address)
    airflow.wait_for_dag(DAILY)
    airflow.unpause(DAILY)
    follower = Follower(airflow, DAILY, stack.home, write)
    wait_for_earlier_backfill(airflow, stack.check)
    command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", DAILY, "--from-date", str(days.first)]
    command += ["--to-date", str(days.last), "--max-active-runs", str(num_active), "--reprocess-behavior", reprocess]
    command += ["--dag-run-conf", json.dumps({"since": str(days.first)})]
    log = stack.home.logs / "backfill.log"
    with log.open("wb") as file:
        done = subprocess.run(command, env=command_environment(stack.home, stack.address), stdout=file, stderr=file)
    if done.returncode:
        raise StackError(f"the backfill could not be created, see {log}\n{tail(log)}")
    runs = airflow.backfill_runs(DAILY, str(days.first), str(days.last))
    kept = [day_of(run) for run in runs if run["state"] in ("success", "failed")]
    if kept:
        write(f"  ran before and left as they are: {', '.join(kept)}")
    return follower.follow(lambda: airflow.backfill_runs(DAILY, str(days.first), str(days.last)), stack.check)


def wait_for_earlier_backfill(airflow: Airflow, check: Callable[[], None]) -> None:
    """Airflow notices up to 30 s later that a backfill is over, and refuses a second one until then."""
    while any(not b["completed_at"] for b in airflow.backfills(DAILY)):
        check()
        time.sleep(1)


def report(config: Path, *outcomes: Outcome) -> int:
    """What is published now; the exit status."""
    from jobs.config import load_config
    from stack.published import published

    failed = [task for outcome in outcomes for task in outcome.failed_tasks]
    write("\n" + published(load_config(config).open_lake()))
    if failed:
        write(f"\nFailed: {', '.join(failed)}. The last good partitions stay; put it right and run the same command again.")
    return 0 if all(outcome.is_success for outcome in outcomes) else 1


def down() -> int:
    """Stop every stack of this checkout, and what a killed one left behind."""
    stopped = False
    for home in all_homes():
        status = status_of(home)
        if status and reaper.is_running(status["front"]):
            os.kill(status["front"], signal.SIGTERM)
            wait_until_gone(home, status)
            stopped = True
        stopped |= reaper.kill_all(lambda home=home: reaper.marked(home.id)) > 0  # type: ignore[misc]
        home.status_file.unlink(missing_ok=True)
    write("stopped" if stopped else "nothing was running")
    return 0


def wait_until_gone(home: Home, status: dict[str, Any]) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and (reaper.is_running(status["keeper"]) or home.status_file.exists()):
        time.sleep(0.1)


def status() -> int:
    """Which stacks run, and where they answer."""
    running = [(home, found) for home in all_homes() if (found := status_of(home)) and reaper.is_running(found["keeper"])]
    for home, found in running:
        write(f"{home.state.name}: {found['address']} (process {found['front']}, logs in {home.logs})")
    if not running:
        write("nothing is running")
    return 0


def status_of(home: Home) -> dict[str, Any] | None:
    if not home.status_file.is_file():
        return None
    found: dict[str, Any] = json.loads(home.status_file.read_text(encoding="utf-8"))
    return found
