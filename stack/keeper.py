"""The keeper: a process of its own that starts the services, restarts what dies and ends them all. `python -m stack.keeper`.

Its standard input is a pipe that only the command line holds open. However the command line ends (done, Ctrl-C, kill -9),
the pipe closes, the keeper notices and stops everything. If the keeper itself is killed, its orphans become the command
line's, which kills them. Messages go to standard output, one JSON object a line.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from stack import keys, reaper
from stack.environment import pools
from stack.home import Home, StackError, home_at, make_folders
from stack.ports import PortReservation
from stack.postgres import tail
from stack.rest import Airflow
from stack.services import Plan, Service, make_plan, migrate

READY_SECONDS = 180.0
STOP_SECONDS = 3.0  # Airflow's processes have nothing to save: their state is in the database
DATABASE_STOP_SECONDS = 15.0
CALM_SECONDS = 60.0  # a service that died this long ago is restarted at once
MAX_PAUSE = 15.0


class Keeper:
    """One stack from start to stop."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.services: list[Service] = []
        self.stopping = threading.Event()

    def up(self) -> None:
        """Start everything, quickest order: what needs nothing at once, Airflow when its schema is there."""
        self.plan.postgres.prepare()
        postgres, *others = self.plan.early
        self._start(postgres)
        self._start(*others)
        self._wait_for([postgres])
        migrate(self.plan)
        self._start(*self.plan.airflow)
        self._wait_for(others)
        if self.plan.warm_up is not None:
            self._start(self.plan.warm_up)
        self._wait_for(self.services)
        airflow = Airflow.of(self.plan.home, self.plan.address)
        for name, slots in pools().items():
            airflow.set_pool(name, slots)

    def watch(self) -> None:
        """Restart what dies, end orphans, until we are told to stop."""
        while not self.stopping.wait(0.5):
            self.look()

    def look(self) -> None:
        """Collect what has ended: a service is started anew, an orphan's remains are ended (what belonged to a dead
        service must not go on beside its successor)."""
        ended = reaper.reap_children()
        dead = [s for s in self.services if s.process and (s.process.pid in ended or s.process.poll() is not None)]
        for service in dead:
            if service.once:
                self.services.remove(service)
                continue
            code = ended.get(service.process.pid, service.process.returncode) if service.process else None
            self._kill_orphans()
            self._restart(service, code)
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        known = {s.process.pid for s in self.services if s.process}
        for child in reaper.children():
            if child.pid not in known:
                family = [child, *child.children(recursive=True)]
                reaper.kill_all(lambda family=family: family, seconds=2)  # type: ignore[misc]

    def _restart(self, service: Service, code: int | None) -> None:
        recent = [t for t in service.starts if time.monotonic() - t < CALM_SECONDS]
        pause = min(MAX_PAUSE, 0.0 if len(recent) < 2 else 2.0 ** (len(recent) - 2))
        say("restarted", service=service.name, code=code, pause=pause, log=str(service.log), tail=tail(service.log, 5))
        if not self.stopping.wait(pause):
            self._start(service)

    def _start(self, *services: Service) -> None:
        for service in services:
            if self.stopping.is_set():
                raise StackError("stopped while starting")
            service.starts.append(time.monotonic())
            service.start()
            if service not in self.services:
                self.services.append(service)

    def _wait_for(self, services: list[Service]) -> None:
        """Return when all are ready. Raises StackError naming the one that died or took too long."""
        waiting = list(services)
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            if self.stopping.wait(0.05):
                raise StackError("stopped while starting")
            for service in list(waiting):
                if service.process is not None and service.process.poll() is not None and not service.once:
                    raise failed(service, f"ended with status {service.process.returncode}")
                if service.ready():
                    waiting.remove(service)
            if waiting and time.monotonic() > deadline:
                raise failed(waiting[0], f"was not ready after {READY_SECONDS:.0f} s")

    def down(self) -> None:
        """Airflow first, the database last; what does not go in a few seconds is killed, with all descendants."""
        self.stopping.set()
        postgres = [s for s in self.services if s.name == "postgres"]
        others = [s for s in self.services if s.name != "postgres"]
        for group in (others, postgres):
            for service in group:
                if service.process is not None and service.process.poll() is None:
                    with suppress(ProcessLookupError):
                        service.process.send_signal(service.stop_signal)
            deadline = time.monotonic() + (STOP_SECONDS if group is others else DATABASE_STOP_SECONDS)
            while time.monotonic() < deadline and any(s.process and s.process.poll() is None for s in group):
                time.sleep(0.05)
            if group is others:
                spared = {s.process.pid for s in postgres if s.process}
                reaper.kill_all(lambda spared=spared: reaper.descendants(spared))  # type: ignore[misc]
        reaper.kill_all(reaper.descendants)


def failed(service: Service, what: str) -> StackError:
    return StackError(f"{service.name} {what}; its log is {service.log}\n{tail(service.log, 15)}")


def say(event: str, **details: Any) -> None:
    """One message to the command line. It may be gone: then nobody listens, and the closed pipe stops us anyway."""
    with suppress(OSError, ValueError):
        sys.stdout.write(json.dumps({"event": event, **details}) + "\n")
        sys.stdout.flush()


def take_lock(home: Home) -> IO[str]:
    """The right to run this checkout's stack; given back by the kernel when this process ends, however it ends.

    Raises StackError that says who has it and where it answers.
    """
    lock = home.lock_file.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        status = json.loads(home.status_file.read_text()) if home.status_file.is_file() else {}
        where = status.get("address", "still starting")
        raise StackError(
            f"the stack of this configuration is already running ({where}, process {status.get('front', '?')}). "
            "`make down` stops it."
        ) from None
    return lock


def stop_at_end_of_input(keeper: Keeper) -> None:
    """Block until the command line's end of the pipe is closed."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    keeper.stopping.set()


def keep(home: Home, lay_out: Callable[[PortReservation], Plan]) -> int:
    """Run one stack, laid out on free ports, until told to stop; the exit status."""
    ports = PortReservation()
    keeper = None
    try:
        lock = take_lock(home)
        left = reaper.kill_all(lambda: reaper.marked(home.id))
        if left:
            say("cleaned", killed=left)
        keeper = Keeper(lay_out(ports))
        status = {"front": os.getppid(), "keeper": os.getpid(), "address": keeper.plan.address}
        keys.write_private(home.status_file, json.dumps(status))
        threading.Thread(target=stop_at_end_of_input, args=(keeper,), daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_, keeper=keeper: keeper.stopping.set())
        keeper.up()
        say("ready", address=keeper.plan.address)
        keeper.watch()
        return 0
    except (StackError, OSError) as error:
        say("failed", message=str(error))
        return 1
    finally:
        if keeper is not None:
            keeper.down()
            home.status_file.unlink(missing_ok=True)
            lock.close()
        ports.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggerer", action="store_true", help="also run the triggerer (for deferrable operators)")
    parser.add_argument("--schedule", action="store_true", help="let DAGs start on their schedule")
    parser.add_argument("--state", type=Path, required=True, help="the stack's folder")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    home = home_at(options.state)
    make_folders(home)
    reaper.adopt_orphans()
    chosen = {"triggerer": options.triggerer, "schedule": options.schedule}
    sys.exit(keep(home, lambda ports: make_plan(home, ports, **chosen)))


if __name__ == "__main__":
    main()
