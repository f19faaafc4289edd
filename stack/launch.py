"""The command line's side of a stack: start a keeper, hear from it, and make sure that nothing outlives us."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any

from stack import reaper
from stack.home import MARKER, Home, StackError, make_folders

STOP_SECONDS = 30.0


class Stack:
    """A running stack as a context: up at entry, nothing left at exit."""

    def __init__(
        self,
        home: Home,
        tell: Callable[[str], None],
        *options: str,
        environment: Mapping[str, str] | None = None,
        keeper: str = "stack.keeper",
    ) -> None:
        self.home = home
        self._module = keeper  # what lays out and keeps the services
        self._environment = dict(environment or {})
        self.address = ""
        self._tell = tell
        self._options = options
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._keeper: subprocess.Popen[str] | None = None
        self._earlier: set[int] = set()  # children that this process had before: not ours to end

    def __enter__(self) -> Stack:
        make_folders(self.home)
        self._earlier = {process.pid for process in reaper.children()}
        reaper.adopt_orphans()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, leave)
        on_path = os.pathsep.join(filter(None, [str(self.home.root), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, **self._environment, MARKER: self.home.id, "PYTHONPATH": on_path}
        command = [sys.executable, "-m", self._module, "--state", str(self.home.state), *self._options]
        with (self.home.logs / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                command, cwd=self.home.root, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        threading.Thread(target=self._listen, args=(self._keeper,), daemon=True).start()
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def _wait_until_ready(self) -> None:
        while not self.address:
            self._handle(self._events.get())

    def check(self) -> None:
        """Pass on what the keeper has said meanwhile. Raises StackError if the stack is gone."""
        while not self._events.empty():
            self._handle(self._events.get())

    def wait(self) -> None:
        """Pass on what the keeper says, until interrupted."""
        while True:
            self._handle(self._events.get())

    def _handle(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "ready":
            self.address = event["address"]
        elif kind == "restarted":
            why = f"status {event['code']}" if (event["code"] or 0) >= 0 else f"signal {-event['code']}"
            self._tell(f"{event['service']} ended ({why}) and is started again; its log: {event['log']}")
        elif kind == "cleaned":
            self._tell(f"an earlier stack here was killed: ended {event['killed']} processes it left behind")
        elif kind == "failed":
            raise StackError(event["message"])
        elif kind == "gone":
            raise StackError(f"the stack's keeper ended unexpectedly; see {self.home.logs / 'keeper.log'}")

    def _listen(self, keeper: subprocess.Popen[str]) -> None:
        for line in keeper.stdout or ():
            self._events.put(json.loads(line))
        self._events.put({"event": "gone"})

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        """Close the pipe, wait for the keeper, end whatever of ours is still there. A second Ctrl-C does not hinder it."""
        if self._keeper is None:
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        try:
            self._keeper.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
        reaper.kill_all(lambda: reaper.descendants(self._earlier))
        self._keeper = None
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave(number: int, _: types.FrameType | None) -> None:
    """SIGTERM and SIGHUP end the command line as Ctrl-C does: through the exits of its contexts."""
    raise SystemExit(128 + number)
