"""Somebody without the cluster's secret: whether the master lets them in."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stack.home import ROOT, StackError
from stack.ports import HOST
from tests.cluster import master
from tests.cluster.compose import Ports

REFUSED = "Failed to connect to master"  # what Spark's client writes when the handshake fails
NAME = "stranger"
SECONDS = 180


def refused(environment: Mapping[str, str], properties: Path, ports: Ports, log: Path) -> str:
    """Submit a job with another secret. Raises StackError where it is let in, or nothing is said about it."""
    command = ["spark-submit", "--master", f"spark://{HOST}:{ports.master}", "--properties-file", str(properties)]
    command += ["--name", NAME, str(ROOT / "stack" / "warm" / "warm_up.py")]
    own = {**environment, "_SPARK_AUTH_SECRET": "not the secret"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=own, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    try:
        wait_for_words(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    known = master.state(ports.master_page)
    if any(app["name"] == NAME for app in known["activeapps"] + known["completedapps"]):
        raise StackError(f"the master let a driver in that does not know the secret, see {log}")
    return "a driver with another secret is not let in"


def wait_for_words(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while REFUSED not in log.read_text(encoding="utf-8", errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackError(f"the driver with another secret was not refused in plain words, see {log}")
        time.sleep(0.2)
