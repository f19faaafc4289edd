"""The teacher behind a real OpenAI-compatible server: `transformers serve` on the loopback address, nothing of ours.

    python -m demo.teacher.serve --model DIR [--port 8790]

Measured with transformers 5.23: /v1/chat/completions takes pictures as data URLs and answers with usage and
finish_reason; `logprobs` and `response_format` are accepted and ignored, so a caller must not rely on them.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
_POLL_S = 0.5


def command(folder: Path, port: int) -> list[str]:
    """The server's command line for a model's folder; requests name the model by that folder."""
    return [
        *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)),
        *("--host", LOOPBACK, "--port", str(port), "--device", "cpu", "--dtype", "float32"),
    ]


def environment(cache: Path) -> dict[str, str]:
    """No hub is asked; the (empty) cache is there because /v1/models fails without one."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(folder: Path, *, start_s: float = 180.0) -> Iterator[str]:
    """Serve a folder for as long as the context lasts; the base address, such as http://127.0.0.1:8790/v1.

    Raises `ValueError` where the folder holds no model, and `RuntimeError` with the end of the server's log where it
    does not answer in `start_s` seconds.
    """
    _check_model(folder)
    with tempfile.TemporaryDirectory() as room, (Path(room) / "log").open("wb") as log:
        port = free_port()
        server = subprocess.Popen(
            command(folder, port), stdout=log, stderr=subprocess.STDOUT, env=environment(Path(room))
        )
        try:
            if not _answers(server, port, time.monotonic() + start_s):
                told = (Path(room) / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"transformers serve does not answer on port {port}:\n{told}")
            yield f"http://{LOOPBACK}:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _check_model(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} has no config.json: train a teacher with `python -m demo.teacher`")


def _answers(server: subprocess.Popen[bytes], port: int, until: float) -> bool:
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(_POLL_S)
    return False


def main(argv: list[str] | None = None) -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(prog="python -m demo.teacher.serve", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="a model's folder")
    parser.add_argument("--port", type=int, default=8790, help="a loopback port (%(default)s)")
    args = parser.parse_args(argv)
    try:
        _check_model(args.model)
    except ValueError as error:
        parser.error(str(error))
    cache = Path(tempfile.gettempdir()) / "notemill-no-hub"
    cache.mkdir(exist_ok=True)
    line = command(args.model.resolve(), args.port)
    os.execve(line[0], line, environment(cache))


if __name__ == "__main__":
    main()
