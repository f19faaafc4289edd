"""The steps of the proof, one after the other; each returns what it has found, or raises StackError."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stack.commands import DAILY, write
from stack.home import ROOT, Home, StackError
from stack.launch import Stack
from stack.postgres import tail
from stack.progress import Follower, Outcome
from stack.rest import Airflow
from tests.cluster import master
from tests.cluster.bytes import published, require_equal
from tests.cluster.compose import WORKERS, Compose, Ports, properties, world
from tests.cluster.keeper import environment
from tests.cluster.killing import Kill, WorkerKiller
from tests.cluster.stranger import refused

LAST_DAY = dt.date(2026, 1, 14)
BACK_SECONDS = 90
ON_SPARK = ("clean_notes", "clean_events", "build_pairs")


def make_world(home: Home, num_notes: int, num_days: int) -> str:
    size = ["--notes", str(num_notes), "--days", str(num_days), "--end", str(LAST_DAY), "--out", str(world(home))]
    if subprocess.run([sys.executable, "-m", "demo", *size], cwd=ROOT).returncode:
        raise StackError("the world could not be generated, see above")
    return f"{num_notes} notes, {num_days} days"


@dataclass
class Cluster:
    """The running topology, and what is done with it."""

    stack: Stack
    ports: Ports
    num_days: int
    kill: Kill | None = None

    @property
    def home(self) -> Home:
        return self.stack.home

    @property
    def airflow(self) -> Airflow:
        return Airflow.of(self.home, self.stack.address)

    @property
    def day(self) -> str:
        return str(LAST_DAY)

    @property
    def lake(self) -> Path:
        return world(self.home) / "lake"

    def initialise(self) -> str:
        """deploy/init.sh as the compose file runs it; on a schema that is there already, it sets the pools."""
        self._run("init", "sh", str(ROOT / "deploy" / "init.sh"))
        pools = self.airflow.call("GET", "pools")["pools"]
        return "pools " + ", ".join(f"{pool['name']} {pool['slots']}" for pool in pools if pool["name"] != "default_pool")

    def refuse_stranger(self) -> str:
        own = environment(Compose(self.home, self.ports), "scheduler")
        return refused(own, properties(self.home), self.ports, self.home.logs / "stranger.log")

    def backfill(self, num_active: int) -> str:
        """All days but the last."""
        first, last = str(LAST_DAY - dt.timedelta(self.num_days - 1)), str(LAST_DAY - dt.timedelta(1))
        airflow = self.airflow
        airflow.wait_for_dag(DAILY, 180)
        airflow.unpause(DAILY)
        follower = Follower(airflow, DAILY, self.home, write)
        bounds = ["--from-date", first, "--to-date", last, "--max-active-runs", str(num_active)]
        self._run("backfill", "airflow", "backfill", "create", "--dag-id", DAILY, *bounds)
        outcome = follower.follow(lambda: airflow.backfill_runs(DAILY, first, last), self.stack.check)
        require_success(outcome, self.num_days - 1)
        return f"{first} to {last}: {len(outcome.runs)} runs, every task succeeded"

    def run_and_kill(self) -> str:
        """The last day by hand over REST; a worker dies in the middle of a job of it."""
        shutil.copytree(self.lake, world(self.home) / "reference")
        airflow = self.airflow
        killer = WorkerKiller(self.home, self.ports.master_page)
        follower = Follower(airflow, DAILY, self.home, write)
        run_id = airflow.trigger(DAILY, {"day": self.day})
        killer.start()
        try:
            outcome = follower.follow(lambda: [airflow.run(DAILY, run_id)], self._checked(killer))
        finally:
            killer.give_up()
        require_success(outcome, 1)
        if killer.kill is None:
            raise StackError("no worker was killed: none was found with an unfinished task of the jobs looked for")
        self.kill = killer.kill
        found = airflow.call("GET", f"dags/{DAILY}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        return f"{self.kill}; run succeeded, {self._aftermath(found)}"

    def _checked(self, killer: WorkerKiller) -> Callable[[], None]:
        """The stack's check, which also says once that the worker has been killed."""
        told: list[Kill] = []

        def check() -> None:
            self.stack.check()
            if killer.kill is not None and not told:
                told.append(killer.kill)
                write(f"  kill -9: {killer.kill}")

        return check

    def _aftermath(self, tasks: list[dict[str, Any]]) -> str:
        again = [f"{task['task_id']} ({task['try_number']} tries)" for task in tasks if task["try_number"] > 1]
        if again:
            return f"Airflow tried again: {', '.join(again)}"
        ended = {app["id"]: app["state"] for app in master.completed(self.ports.master_page)}
        state = ended.get(self.kill.application if self.kill else "", "unknown")
        return f"by Spark alone: the same application went on ({state}), no task was tried twice"

    def wait_for_workers(self) -> str:
        deadline = time.monotonic() + BACK_SECONDS
        while (found := master.num_workers(self.ports.master_page)) < len(WORKERS):
            self.stack.check()
            if time.monotonic() > deadline:
                raise StackError(f"{found} of {len(WORKERS)} workers are alive {BACK_SECONDS} s after the kill")
            time.sleep(0.5)
        return f"{found} workers alive"

    def applications(self) -> str:
        """Proof that jobs ran on this master and nowhere else: each of them, at least once for each day."""
        ended = master.completed(self.ports.master_page)
        names = Counter(str(app["name"]) for app in ended)
        missing = [job for job in ON_SPARK if names[f"notemill {job}"] < self.num_days]
        bad = [app for app in ended if app["state"] != "FINISHED" and app["id"] != (self.kill and self.kill.application)]
        if missing or bad:
            raise StackError(f"not on this master for every day: {missing}; ended badly: {bad}")
        return f"{len(ended)} applications ran on the master, among them {self.num_days} of each of {', '.join(ON_SPARK)}"

    def reference(self) -> str:
        """The last day once more, from the lake as it was before it: spark-submit, local[2], nothing killed."""
        source = world(self.home) / "config.yaml"
        config = source.with_name("reference.yaml")
        told: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
        config.write_text(yaml.safe_dump(told | {"lake": "reference"}, allow_unicode=True), encoding="utf-8")
        self._run("reference", sys.executable, "-m", "tests.cluster.reference", "--config", str(config), "--day", self.day)
        return "every step of the day by spark-submit, local[2]"

    def compare(self) -> str:
        found = published(self.lake, self.day)
        require_equal(found, published(world(self.home) / "reference", self.day))
        for name, digest in found.items():
            write(f"  {digest}  {name}")
        return f"{len(found)} files of {self.day}: names and SHA-256 equal"

    def _run(self, name: str, *command: str) -> None:
        """A command in the scheduler's environment, as `docker compose exec scheduler ...` would run it."""
        log = self.home.logs / f"{name}.log"
        own = environment(Compose(self.home, self.ports), "scheduler")
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, env=own, cwd=self.home.state, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
            while process.poll() is None:
                self.stack.check()
                time.sleep(0.2)
        if process.returncode:
            raise StackError(f"{name} ended with {process.returncode}, see {log}\n{tail(log)}")


def require_success(outcome: Outcome, num_runs: int) -> None:
    """Raises StackError where a run or a task failed, or a run is missing."""
    if not outcome.is_success or outcome.failed_tasks or len(outcome.runs) != num_runs:
        raise StackError(f"runs {outcome.runs}, wanted {num_runs}; failed: {outcome.failed_tasks or 'none'}")
