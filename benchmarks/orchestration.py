"""What the scheduling costs: wall time of a run of the daily DAG over the sum of its jobs' own compute.

    python -m benchmarks.orchestration [--notes 500] [--runs 5]

A day's run is started by hand over REST in a stack that is up. Own compute is what a job says of itself, from the first
line of its `main` to the last, less the start of its Spark session. The rest is told apart by the times that Airflow
keeps: waiting for a slot and the scheduler, starting and ending a task's process with the job in it, sessions. Steps run
side by side on two cores, so the wall may be less than the sum; the honest second look is against the longest chain of
own compute, which no scheduler can beat.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import report
from demo.__main__ import main as make_world
from stack.commands import DAILY, Days, run_backfill, run_day, stack_of
from stack.home import Home
from stack.progress import log_of
from stack.rest import Airflow

LAST = dt.date(2026, 1, 14)
BAR = 0.30


def seconds_in(text: str, what: str) -> float:
    """The last `<what> 1.23 s` of a job's log; 0 where it says none."""
    found = re.findall(rf"{what} ([0-9.]+) s", text)
    return float(found[-1]) if found else 0.0


def measured(home: Home, airflow: Airflow, run: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    since = run["start_date"]
    tasks = [t for t in airflow.tasks(DAILY, since) if t["dag_run_id"] == run["dag_run_id"]]
    wall = moment(run["end_date"]) - moment(run["queued_at"] or run["start_date"])
    parts = {"waiting": 0.0, "process": 0.0, "session": 0.0, "compute": 0.0}
    own: dict[str, float] = {}
    for task in tasks:
        text = log_of(home, task).read_text(encoding="utf-8", errors="replace")
        session, whole = seconds_in(text, "spark session after"), seconds_in(text, "compute")
        parts["waiting"] += moment(task["start_date"]) - moment(task["queued_when"] or task["start_date"])
        parts["process"] += float(task["duration"]) - whole
        parts["session"] += session
        parts["compute"] += whole - session
        own[task["task_id"]] = whole - session
    longest = longest_chain(own, airflow.call("GET", f"dags/{DAILY}/tasks")["tasks"])
    return {
        "day": run["conf"]["day"],
        "wall s": wall,
        "own compute s": parts["compute"],
        "overhead %": 100 * (wall / parts["compute"] - 1),
        "longest chain s": longest,
        "over it %": 100 * (wall / longest - 1),
        "sessions s": parts["session"],
        "task start and end s": parts["process"],
        "queued s": parts["waiting"],
        "steps": len(tasks),
    }


def longest_chain(own: dict[str, float], tasks: list[dict[str, Any]]) -> float:
    """The own compute along the chain of steps where it is most: no schedule on any number of cores is shorter."""
    after = {task["task_id"]: task["downstream_task_ids"] for task in tasks}

    def from_here(task_id: str) -> float:
        return own[task_id] + max((from_here(name) for name in after[task_id]), default=0.0)

    return max(from_here(task_id) for task_id in own)


def moment(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("orchestration", description=__doc__)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        world = Path(scratch) / "world"
        num_days = 3 + args.runs
        make_world(
            ["--notes", str(args.notes), "--days", str(num_days), "--end", str(LAST), "--out", str(world)]
        )
        config = world / "config.yaml"
        rows = []
        with stack_of(config) as stack:
            airflow = Airflow.of(stack.home, stack.address)
            # Three days first, as the nights before: they train the quantizer and fill the JVM's code cache.
            before = Days(LAST - dt.timedelta(num_days - 1), LAST - dt.timedelta(args.runs))
            run_backfill(stack, before, 1, "completed")
            for back in reversed(range(args.runs)):
                outcome = run_day(stack, config, str(LAST - dt.timedelta(back)))
                if not outcome.is_success:
                    raise SystemExit("a run failed: no figures")
                rows.append(measured(stack.home, airflow, airflow.run(DAILY, next(iter(outcome.runs)))))
    overhead = statistics.median(row["overhead %"] for row in rows) / 100
    report.write(
        "orchestration",
        rows,
        bars={f"wall under 1.30 times the jobs' own compute (median overhead {overhead:.0%})": overhead < BAR},
        command=f"python -m benchmarks.orchestration --notes {args.notes} --runs {args.runs}",
        packages=["apache-airflow", "pyspark", "great-expectations"],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
