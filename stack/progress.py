"""Following runs to their end: one line for each finished task, the end of the log of each failed one."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.home import Home
from stack.rest import Airflow

POLL_SECONDS = 1.0  # a request costs the API server about 20 ms
NUM_LOG_LINES = 40
OVER = ("success", "failed", "skipped", "upstream_failed", "removed")
SHOWN = (*OVER[:3], "up_for_retry")


@dataclass
class Outcome:
    """What became of the runs that were followed."""

    runs: dict[str, str] = field(default_factory=dict)  # state by run id
    failed_tasks: list[str] = field(default_factory=list)
    task_seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        return bool(self.runs) and set(self.runs.values()) == {"success"}


class Follower:
    """Polls the runs of one DAG that were started after it was made, and tells a person about them."""

    def __init__(self, airflow: Airflow, dag_id: str, home: Home, write: Callable[[str], None]) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        self._home = home
        self._write = write
        self._since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
        self._told: set[tuple[str, str, int, str]] = set()
        self._states: dict[tuple[str, str, int], str] = {}
        self._days: dict[str, str] = {}
        self._is_terminal = sys.stdout.isatty()

    def follow(self, fetch: Callable[[], list[dict[str, Any]]], check: Callable[[], None]) -> Outcome:
        """Until all runs that `fetch` gives are over. `check` is called at every turn and may raise."""
        outcome = Outcome()
        while True:
            check()
            runs = fetch()
            self._days |= {run["dag_run_id"]: day_of(run) for run in runs}
            self._look_at_tasks({run["dag_run_id"] for run in runs}, outcome)
            outcome.runs = {run["dag_run_id"]: run["state"] for run in runs}
            if runs and all(state in ("success", "failed") for state in outcome.runs.values()):
                self._clear()
                return outcome
            self._summary(outcome)
            time.sleep(POLL_SECONDS)

    def _look_at_tasks(self, runs: set[str], outcome: Outcome) -> None:
        tasks = self._airflow.tasks(self._dag_id, self._since.isoformat())
        for task in sorted(tasks, key=lambda t: t["end_date"] or "9"):
            if task["dag_run_id"] not in runs:
                continue
            self._states[task["dag_run_id"], task["task_id"], task["map_index"]] = task["state"] or "none"
            told = (task["dag_run_id"], task["task_id"], task["try_number"], task["state"])
            if task["state"] in SHOWN and told not in self._told:
                self._told.add(told)
                self._tell(task, outcome)

    def _tell(self, task: dict[str, Any], outcome: Outcome) -> None:
        seconds = task["duration"] or 0.0
        outcome.task_seconds += seconds
        self._clear()
        day = self._days[task["dag_run_id"]]
        state = "failed, will be tried again" if task["state"] == "up_for_retry" else task["state"]
        self._write(f"{day}  {task['task_id']:<36} {seconds:7.1f} s  {state}")
        if task["state"] == "failed":
            log = log_of(self._home, task)
            outcome.failed_tasks.append(f"{day} {task['task_id']}")
            self._write("\n".join(f"    {line}" for line in log_lines(log)[-NUM_LOG_LINES:]))
            self._write(f"    the whole log: {log}")

    def _summary(self, outcome: Outcome) -> None:
        """One line that is written over, on a terminal only."""
        if not self._is_terminal:
            return
        done = sum(state in OVER for state in self._states.values())
        running = sorted(
            f"{self._days[run]} {task}" for (run, task, _), state in self._states.items() if state == "running"
        )
        over = sum(state in ("success", "failed") for state in outcome.runs.values())
        line = f"runs {over}/{len(outcome.runs)}  tasks {done}/{len(self._states)}  now: {', '.join(running) or '-'}"
        sys.stdout.write(f"\r\x1b[K{line[:118]}")
        sys.stdout.flush()

    def _clear(self) -> None:
        if self._is_terminal:
            sys.stdout.write("\r\x1b[K")


def day_of(run: dict[str, Any]) -> str:
    """The day a run is for: what the user asked for, else its logical date."""
    asked = (run.get("conf") or {}).get("day")
    return str(asked or (run["logical_date"] or run["run_after"])[:10])


def log_of(home: Home, task: dict[str, Any]) -> Path:
    """Where Airflow's file task handler writes the log of this try."""
    folder = home.logs / "tasks" / f"dag_id={task['dag_id']}" / f"run_id={task['dag_run_id']}"
    folder /= f"task_id={task['task_id']}"
    if task["map_index"] >= 0:
        folder /= f"map_index={task['map_index']}"
    return folder / f"attempt={task['try_number']}.log"


def log_lines(path: Path) -> list[str]:
    """A task's log as a person wants to read it: the messages, with the error's own words."""
    if not path.is_file():
        return ["(there is no log: the task did not start)"]
    lines = []
    for raw in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(raw)
        except ValueError:
            lines.append(raw)
            continue
        if str(record.get("event", "")).startswith("::"):
            continue
        lines.append(f"{str(record.get('timestamp', ''))[11:19]} {record.get('event', '')}")
        lines += [f"{e.get('exc_type')}: {e.get('exc_value')}" for e in record.get("error_detail") or ()]
    return [part for line in lines for part in line.splitlines()]
