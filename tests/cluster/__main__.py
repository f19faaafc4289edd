"""Prove the compose file's topology on this machine, without containers: `python -m tests.cluster`.

PostgreSQL over TCP with a password, Airflow's four services with LocalExecutor, a Spark master and two workers that ask for
a secret; jobs go through the real spark-submit. A backfill, a run by hand in which a worker is killed in the middle of a
job, and a comparison of what that run published with the same day made without a kill. Ends with 0 or 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stack import reaper
from stack.commands import write
from stack.home import Home, StackError, base_folder, home_at, make_folders
from stack.launch import Stack
from stack.ports import PortReservation
from tests.cluster.compose import Ports, write_properties
from tests.cluster.steps import Cluster, make_world


@dataclass
class Record:
    """What was done, for the table at the end."""

    rows: list[tuple[str, float, str]] = field(default_factory=list)
    is_good: bool = True

    def step(self, name: str, do: Callable[[], str]) -> None:
        """Do it and note how it went. What it raises goes on."""
        write(f"\n{name} ...")
        started = time.monotonic()
        result = "FAILED"
        try:
            result = do()
        except BaseException:
            self.is_good = False
            raise
        finally:
            self.rows.append((name, time.monotonic() - started, result))
            write(f"  {result}")

    def table(self) -> str:
        width = max((len(name) for name, _, _ in self.rows), default=4)
        lines = [f"{name:<{width}}  {seconds:>7.1f}  {result}" for name, seconds, result in self.rows]
        total = f"{'all':<{width}}  {sum(row[1] for row in self.rows):>7.1f}  {'passed' if self.is_good else 'FAILED'}"
        return "\n".join([f"{'step':<{width}}  seconds  result", "-" * (width + 50), *lines, total])


def prove(home: Home, ports: Ports, record: Record, options: argparse.Namespace) -> None:
    """All steps in order; the first that fails ends it, and everything is stopped all the same."""
    record.step("world", lambda: make_world(home, options.notes, options.days))
    write_properties(home)
    stack = Stack(home, lambda text: write(f"  {text}"), "--ports", str(ports), keeper="tests.cluster.keeper")
    cluster = Cluster(stack, ports, options.days)
    try:
        record.step("services up", lambda: f"{stack.__enter__().address}, master on {ports.master}, 2 workers")
        record.step("init.sh", cluster.initialise)
        record.step("another secret", cluster.refuse_stranger)
        record.step("backfill", lambda: cluster.backfill(options.max_active_runs))
        record.step("run with a killed worker", cluster.run_and_kill)
        record.step("worker is back", cluster.wait_for_workers)
        record.step("applications", cluster.applications)
        record.step("the day without a kill", cluster.reference)
        record.step("the same bytes", cluster.compare)
    finally:
        record.step("stopped", lambda: stop(stack))


def stop(stack: Stack) -> str:
    """Raises StackError for what still runs afterwards."""
    stack.__exit__(None, None, None)
    left = [process for process in reaper.marked(stack.home.id) if reaper.is_alive(process)]
    if left:
        names = ", ".join(f"{process.pid} {process.name()}" for process in left)
        reaper.kill_all(lambda: reaper.marked(stack.home.id))
        raise StackError(f"still running after the stop, now killed: {names}")
    return "nothing is left running"


def arg_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--notes", type=int, default=120)
    parser.add_argument("--days", type=int, default=6, help="all but the last by backfill (%(default)s)")
    parser.add_argument("--max-active-runs", type=int, default=1, metavar="N", help="days at once (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder also where all went well")
    return parser


def main() -> int:
    options = arg_parser().parse_args()
    stacks = base_folder() / "stacks"
    stacks.mkdir(parents=True, exist_ok=True)
    home = home_at(Path(tempfile.mkdtemp(prefix="cluster-", dir=stacks)))
    make_folders(home)
    reservation = PortReservation()
    record = Record()
    try:
        prove(home, Ports.take(reservation), record, options)
    except (StackError, OSError) as error:
        record.is_good = False
        write(f"\n{error}")
    except (KeyboardInterrupt, SystemExit):
        record.is_good = False
        write("\ninterrupted")
    finally:
        reservation.release()
    write("\n" + record.table())
    if record.is_good and not options.keep:
        for folder in (home.run, home.state):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
    else:
        write(f"\nlogs and lake: {home.state}")
    return 0 if record.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
