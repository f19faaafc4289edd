"""The warm job server: imports the heavy libraries once, then forks a process per job. `python -m stack.warm.server`.

It must stay fit to fork: one thread, no Spark session, no gRPC channel, nothing computed with torch or BLAS.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil

from stack.warm import job

PRELOAD = (
    "numpy,pandas,pyarrow,pyarrow.parquet,pyarrow.dataset,pyarrow.compute,duckdb,google.protobuf,grpc,"
    "pyspark.sql,pyspark.sql.connect.session,pyspark.sql.connect.functions,pyspark.sql.connect.udf,pyspark.cloudpickle,"
    "great_expectations,great_expectations.expectations.core,torch,safetensors.torch,tokenizers,transformers,"
    "transformers.modeling_utils,transformers.models.auto,transformers.models.bert.modeling_bert,yaml,jinja2"
)
DAEMON_SECONDS = 90.0  # Spark ends an idle worker after 60
GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL
HEAD = struct.Struct("!I")
LIMIT = 16 * 2**20  # bytes of one request: an environment and a command line are far smaller

logger = logging.getLogger("warm")


@dataclass
class Running:
    """A forked job and the client that waits for it."""

    pid: int
    client: socket.socket
    is_daemon: bool
    started: float
    kill_at: float | None = None


class Server:
    """One thread that accepts, forks, passes on signals and reports exits."""

    def __init__(self, path: Path) -> None:
        self._jobs: dict[int, Running] = {}
        self._looked = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._listener = listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ)
        # A signal handler that only writes to a pipe: the loop below wakes up and looks.
        self._wake, wake_end = socket.socketpair()
        self._wake_end = wake_end
        for end in (self._wake, wake_end):
            end.setblocking(False)
        signal.set_wakeup_fd(wake_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def serve(self) -> NoReturn:
        while True:
            for key, _ in self._selector.select(timeout=1.0 if self._jobs else None):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake:
                    with contextlib.suppress(BlockingIOError):
                        self._wake.recv(4096)
                else:
                    self._hear(key.data)
            self._reap()
            self._kill_overdue()
            self._end_idle_daemons()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(10)
        descriptors: list[int] = []
        try:
            if not is_ours(client):
                raise PermissionError("a process of another user")
            request, descriptors = receive(client)
        except (OSError, ValueError) as error:
            logger.warning("refused a request: %s", error)
            client.close()
        else:
            self._fork(client, request, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, client: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._close_all(client)
            job.run(request, descriptors, server)
        client.setblocking(True)
        self._jobs[pid] = Running(pid, client, "module" in request, time.monotonic())
        self._selector.register(client, selectors.EVENT_READ, self._jobs[pid])
        logger.info("job %d: %s", pid, request["name"])

    def _close_all(self, client: socket.socket) -> None:
        """In the child: nothing of the server stays open, or a client would not notice that the server died."""
        self._selector.close()
        for owned in (self._listener, self._wake, self._wake_end, client, *(j.client for j in self._jobs.values())):
            owned.close()

    def _hear(self, running: Running) -> None:
        """A byte from a client is a signal for its job; end of file means that the client is gone: so is the job."""
        try:
            word = running.client.recv(1)
        except OSError:
            word = b""
        if word:
            kill_group(running.pid, word[0])
            running.kill_at = running.kill_at or time.monotonic() + GRACE_SECONDS
            return
        kill_group(running.pid, signal.SIGKILL)
        self._selector.unregister(running.client)

    def _reap(self) -> None:
        for pid in list(self._jobs):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._report(self._jobs.pop(pid), os.waitstatus_to_exitcode(status))

    def _report(self, running: Running, code: int) -> None:
        kill_group(running.pid, signal.SIGKILL)  # what the job started and left behind
        reply = {"pid": running.pid, "code": max(code, 0), "signal": max(-code, 0)}
        with contextlib.suppress(OSError):
            running.client.sendall(json.dumps(reply).encode() + b"\n")
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(running.client)
        running.client.close()
        logger.info("job %d: ended with %d", running.pid, code)

    def _kill_overdue(self) -> None:
        for running in self._jobs.values():
            if running.kill_at is not None and time.monotonic() > running.kill_at:
                kill_group(running.pid, signal.SIGKILL)


    def _end_idle_daemons(self) -> None:
        """Spark starts a worker daemon for every session and never ends it. One without workers, some time after its start,
        has no more to do; if its session lives after all, Spark starts another."""
        now = time.monotonic()
        if now - self._looked < DAEMON_SECONDS:
            return
        self._looked = now
        for running in self._jobs.values():
            if running.is_daemon and now - running.started > DAEMON_SECONDS:
                with contextlib.suppress(psutil.Error):
                    if not psutil.Process(running.pid).children():
                        kill_group(running.pid, signal.SIGTERM)


def listen(path: Path) -> socket.socket:
    """A listening socket that only its owner can open. It appears under its name when it already listens."""
    draft = path.with_suffix(f".{os.getpid() % 10**6}")
    draft.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(draft))
    draft.chmod(0o600)
    listener.listen(64)
    draft.replace(path)
    return listener


def is_ours(client: socket.socket) -> bool:
    """Whether the peer runs as the same user (SO_PEERCRED where there is one; the socket's mode guards it besides)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())


def receive(client: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One request and the three descriptors that came with it. Raises ValueError for anything else."""
    head, descriptors, _, _ = socket.recv_fds(client, HEAD.size, 3)
    try:
        if len(head) != HEAD.size or len(descriptors) != 3:
            raise ValueError("not a job request")
        (size,) = HEAD.unpack(head)
        if size > LIMIT:
            raise ValueError(f"a request of {size} bytes")
        return json.loads(read_exactly(client, size)), descriptors
    except (OSError, ValueError):
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def read_exactly(client: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = client.recv(size - len(parts))
        if not part:
            raise ValueError("the client went away")
        parts += part
    return bytes(parts)


def kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def preload(names: str) -> None:
    """Import what jobs need. A name that is not there is only slower later, so it is said and passed over."""
    for name in filter(None, names.split(",")):
        try:
            importlib.import_module(name)
        except ImportError as error:
            logger.warning("cannot preload %s: %s", name, error)


def log_to_stderr() -> None:
    """A handler on our own logger: the root logger stays bare, so that a job's logging.basicConfig takes effect."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def main() -> None:
    log_to_stderr()
    begin = time.monotonic()
    preload(os.environ.get("NOTEMILL_WARM_PRELOAD", PRELOAD))
    gc.collect()
    gc.freeze()  # the children's collector leaves these pages shared
    server = Server(Path(sys.argv[1]))
    logger.info("ready after %.1f s, process %d", time.monotonic() - begin, os.getpid())
    server.serve()


if __name__ == "__main__":
    main()
