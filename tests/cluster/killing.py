"""Killing a worker in the middle of a task: its process and its executor's, at once, with SIGKILL."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack import reaper
from stack.home import Home
from tests.cluster import master
from tests.cluster.compose import WORKERS, work_folder

JOBS = ("build_pairs", "clean_events")  # jobs with work on every worker
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Kill:
    """Which worker died, of which application, with how many tasks unfinished on it."""

    worker: str
    application: str
    name: str
    tasks: int
    processes: int

    def __str__(self) -> str:
        return f"{self.worker} and its executor killed in {self.name}, {self.tasks} task unfinished"


class WorkerKiller(threading.Thread):
    """Waits for one of `JOBS` to have a task on a worker, and kills that worker."""

    def __init__(self, home: Home, master_page: int) -> None:
        super().__init__(daemon=True)
        self._home = home
        self._page = master_page
        self._over = threading.Event()
        self.kill: Kill | None = None

    def run(self) -> None:
        while self.kill is None and not self._over.wait(LOOK_SECONDS):
            with suppress(OSError, psutil.Error):
                self._look()

    def give_up(self) -> None:
        self._over.set()
        self.join(10)

    def _look(self) -> None:
        for worker in WORKERS:
            for log in newest_logs(work_folder(self._home, worker)):
                if not num_unfinished(log):
                    continue
                application = log.parent.parent.name
                name = master.running(self._page).get(application, "")
                if any(job in name for job in JOBS):
                    self._kill(worker, log, name)
                    return

    def _kill(self, worker: str, log: Path, name: str) -> None:
        """A task may have ended between the look and the kill: then this proves nothing, and another follows."""
        family = [p for p in reaper.marked(self._home.id) if is_of(p, work_folder(self._home, worker))]
        executors = [child for p in family for child in p.children(recursive=True)]
        for process in [*family, *executors]:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        time.sleep(0.2)
        tasks = num_unfinished(log)
        if family and executors and tasks:
            self.kill = Kill(worker, log.parent.parent.name, name, tasks, len(family) + len(executors))


def is_of(process: psutil.Process, folder: Path) -> bool:
    """Whether this is the worker daemon with that work folder."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return str(folder) in command and "org.apache.spark.deploy.worker.Worker" in command


def newest_logs(folder: Path) -> list[Path]:
    """Logs of executors that were written to a moment ago."""
    now = time.time()
    return [log for log in folder.glob("app-*/*/stderr") if now - log.stat().st_mtime < 30]


def num_unfinished(log: Path) -> int:
    """Tasks that have started and not ended, as the executor's log tells it."""
    text = log.read_text(encoding="utf-8", errors="replace")
    started = text.count(" INFO Executor: Running task ")
    return started - text.count(" INFO Executor: Finished task ") - text.count(" ERROR Executor: Exception in task ")
