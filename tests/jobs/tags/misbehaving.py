"""A server on loopback that speaks the chat protocol and misbehaves by script, and counts every call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, str, dict[str, str]]  # status, body, headers
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


class Stop(Exception):  # noqa: N818
    """The server closes the connection without a word."""


class Calls:
    """What was asked so far."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.lock = threading.Lock()
        self.address = ""
        self.at_once = self.most_at_once = 0

    def texts(self) -> list[str]:
        """What the user said in every call."""
        return [next(p["text"] for p in b["messages"][1]["content"] if p["type"] == "text") for b in self.bodies]


def said(text: str, *, finish: str = "stop", logprobs: Any = None, usage: Any = USAGE) -> Answer:
    """A well-formed reply."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish, "logprobs": logprobs}
    return 200, json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}), {}


def refused(status: int, message: str, headers: dict[str, str] | None = None, code: str = "") -> Answer:
    """An error as such servers word it."""
    return status, json.dumps({"error": {"message": message, "code": code}}), headers or {}


@contextmanager
def serving(answer: Callable[[int, dict[str, Any]], Answer]) -> Iterator[Calls]:
    """A server that answers its n-th call, from 0, with `answer(n, body)`."""
    calls = Calls()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with calls.lock:
                number = len(calls.bodies)
                calls.bodies.append(body)
                calls.keys.append(self.headers.get("authorization", ""))
                calls.at_once += 1
                calls.most_at_once = max(calls.at_once, calls.most_at_once)
            try:
                status, text, headers = answer(number, body)
            except Stop:
                self.close_connection = True
                return
            finally:
                with calls.lock:
                    calls.at_once -= 1
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked has given up, or was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    calls.address = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        server.shutdown()
        server.server_close()


def hang(seconds: float) -> Answer:
    """Nothing for a while."""
    time.sleep(seconds)
    return said("too late")
