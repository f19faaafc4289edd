"""Leaving nothing running: finding every process of a stack, however deep or orphaned, and ending it.

Three ways lead to a process. By descent: the keeper (and the command line above it) is a "child subreaper" (prctl(2)), so
that an orphaned grandchild becomes its child instead of init's. By the kernel: a service dies with the keeper
(PR_SET_PDEATHSIG). By name: every process carries NOTEMILL_STACK=<id> in its environment, which finds what an earlier,
killed stack left behind. The last two also serve where the keeper and the command line are killed in the same moment.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import psutil

from stack.home import MARKER

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on, orphans among our descendants become our children (Linux; elsewhere only the marker finds them)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: int = signal.SIGKILL) -> Callable[[], None]:
    """For Popen(preexec_fn=...) or after a fork: the parent's death sends us this signal (Linux). Must come after a change
    of user, which takes it away."""
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None)  # loaded before the fork

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return bind


def marked(stack_id: str) -> list[psutil.Process]:
    """Processes that carry the stack's marker, this one and its ancestors left out. Airflow makes its task processes
    unreadable for other processes of the same user: those are found by descent, below the ones that are readable."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid not in spared and process.environ().get(MARKER) == stack_id:
                found[process.pid] = process
                found |= {child.pid: child for child in process.children(recursive=True)}
    return list(found.values())


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def descendants(besides: Collection[int] = ()) -> list[psutil.Process]:
    """Our descendants without the children `besides` (pids) and what is below them."""
    found = [child for child in children() if child.pid not in besides]
    return [*found, *(below for child in found for below in child.children(recursive=True))]


def is_running(pid: int) -> bool:
    try:
        return is_alive(psutil.Process(pid))
    except psutil.Error:
        return False


def kill_all(find: Callable[[], Iterable[psutil.Process]], seconds: float = 10.0) -> int:
    """SIGKILL what `find` finds, again and again until nothing that lives is found twice in a row.

    Once is not enough: a process may fork while we look, and a child whose parent ends between two looks at the table of
    processes is found below neither its old parent nor its new one. Returns how many were killed.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + seconds
    calm = 0
    while calm < 2 and time.monotonic() < deadline:
        living = [process for process in find() if is_alive(process)]
        calm = 0 if living else calm + 1
        for process in living:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
                killed.add(process.pid)
        psutil.wait_procs(living, timeout=0.5)
        reap_children()
    return len(killed)


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def reap_children() -> dict[int, int]:
    """Collect every child that has ended: its exit status by process id (negative: the signal that ended it)."""
    ended = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended
