"""Nothing of a stack outlives it: the real keeper and command line around small services."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack import reaper
from stack.home import MARKER, ROOT, home_at
from tests.stack.test_warm import wait_until

# The keeper and the command line as they are, with two small services in place of the real ones: one ignores SIGTERM and
# has a child that has left its session.
KEEPER = """
import sys
from pathlib import Path
from stack import keeper
from stack.services import Service

class Nothing:
    def prepare(self): pass

class SmallPlan:
    def __init__(self, home):
        log = home.logs / "x.log"
        env = dict(__import__("os").environ)
        deaf = ("import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                "subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(600)")
        self.home, self.address, self.postgres, self.airflow = home, "http://nowhere", Nothing(), []
        self.services = [Service("postgres", ["sleep", "600"], env, log),
                         Service("deaf", [sys.executable, "-c", deaf], env, log)]

def up(self):
    self._start(*self.plan.services)

keeper.make_plan = lambda home, ports, **_: SmallPlan(home)
keeper.Keeper.up = up
keeper.main()
"""
FRONT = """
import sys, subprocess
from pathlib import Path
from stack import launch
from stack.home import home_at
real = subprocess.Popen
def popen(command, **options):
    if command[1:3] == ["-m", "stack.keeper"]:
        command = [command[0], "-c", sys.argv[2], *command[3:]]
    return real(command, **options)
launch.subprocess.Popen = popen
is_short = sys.argv[3:] == ["leave at once"]
earlier = real(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if is_short else None
with launch.Stack(home_at(Path(sys.argv[1])), lambda text: print(text, flush=True)) as stack:
    print("ready", flush=True)
    if not is_short:
        stack.wait()
if earlier:
    print("the earlier child lives" if earlier.poll() is None else "the earlier child was ended", flush=True)
    earlier.kill()
"""


def front(state: Path, *options: str) -> subprocess.Popen[str]:
    """The command line of a small stack, ready, in a process group of its own."""
    command = [sys.executable, "-c", FRONT, str(state), KEEPER, *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if line == "ready\n":
            return process
    raise AssertionError("".join(lines))


def members(state: Path) -> list[int]:
    """Processes that carry the marker of the stack."""
    return [process.pid for process in reaper.marked(home_at(state).id) if reaper.is_alive(process)]


def keeper_of(process: subprocess.Popen[str]) -> int:
    return int(reaper.psutil.Process(process.pid).children()[0].pid)  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_command_line_ends_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    process = front(tmp_path)
    wait_until(lambda: len(members(tmp_path)) >= 4)  # keeper, two services, the child that left its session
    process.send_signal(number)
    process.wait(30)
    wait_until(lambda: members(tmp_path) == [])
    assert members(tmp_path) == []


def test_what_ran_before_the_stack_is_left_alone(tmp_path: Path) -> None:
    output, _ = front(tmp_path, "leave at once").communicate(timeout=30)
    assert "the earlier child lives" in output
    assert members(tmp_path) == []


def test_a_killed_keeper_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    process = front(tmp_path)
    wait_until(lambda: len(members(tmp_path)) >= 4)
    os.kill(keeper_of(process), signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert "the stack's keeper ended unexpectedly" in output
    assert members(tmp_path) == []


def test_what_both_leave_behind_when_killed_at_once_is_found_by_its_marker(tmp_path: Path) -> None:
    process = front(tmp_path)
    wait_until(lambda: len(members(tmp_path)) >= 4)
    os.kill(process.pid, signal.SIGSTOP)  # it must not clean up before its turn
    os.kill(keeper_of(process), signal.SIGKILL)
    process.kill()
    process.wait()
    stack_id = home_at(tmp_path).id
    assert reaper.kill_all(lambda: reaper.marked(stack_id)) > 0
    assert members(tmp_path) == []


def test_a_dead_service_is_started_again_and_its_remains_are_ended(tmp_path: Path) -> None:
    process = front(tmp_path)
    wait_until(lambda: len(members(tmp_path)) >= 4)
    before = members(tmp_path)
    deaf = next(
        p
        for p in reaper.marked(home_at(tmp_path).id)
        if "SIGTERM" in " ".join(p.cmdline()) and "keeper" not in p.cmdline()[2]
    )
    child = deaf.children()[0].pid
    deaf.kill()
    assert process.stdout is not None
    assert process.stdout.readline().startswith("deaf ended (signal 9) and is started again")
    wait_until(lambda: child not in members(tmp_path) and len(members(tmp_path)) == len(before))
    process.terminate()
    process.wait(30)


def test_a_second_start_says_that_the_first_is_running(tmp_path: Path) -> None:
    process = front(tmp_path)
    with pytest.raises(AssertionError, match="already running \\(http://nowhere, process"):
        front(tmp_path)
    process.terminate()
    process.wait(30)


def test_the_marker_is_in_the_environment_of_every_member(tmp_path: Path) -> None:
    process = front(tmp_path)
    wait_until(lambda: len(members(tmp_path)) >= 4)
    for pid in members(tmp_path):
        assert reaper.psutil.Process(pid).environ()[MARKER] == home_at(tmp_path).id  # type: ignore[attr-defined]
    process.terminate()
    process.wait(30)
