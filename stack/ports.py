"""Free ports on the loopback. A port in use is no failure: the next free one is taken."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

from stack.home import StackError, make_private

HOST = "127.0.0.1"
NUM_TRIES = 200


def is_free(port: int) -> bool:
    """Whether nobody listens on the port. SO_REUSEADDR, so that a port in TIME_WAIT counts as free, as servers see it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


class PortReservation:
    """Ports chosen for one stack. Holds a lock file per port while it lives, so that two stacks that start at the same
    moment, before either listens, do not choose the same one."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"notemill-ports-{os.getuid()}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        make_private(self._folder)
        self._locks: list[IO[bytes]] = []

    def take(self, preferred: int) -> int:
        """`preferred` or the next free port above it. Raises StackError after 200 ports in use."""
        for port in range(preferred, preferred + NUM_TRIES):
            if is_free(port) and self._lock(port):
                return port
        raise StackError(f"ports {preferred} to {preferred + NUM_TRIES - 1} of {HOST} are all in use: close something.")

    def _lock(self, port: int) -> bool:
        lock = (self._folder / str(port)).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._locks.append(lock)
        return True

    def release(self) -> None:
        for lock in self._locks:
            lock.close()
        self._locks.clear()
