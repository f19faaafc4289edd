"""Hand work to the warm server: a spark-submit (`client.py OPTIONS APPLICATION ...`) or a Python module, Spark's worker
daemon (`client.py -m MODULE ...`). Where no server answers, become the real program instead.

Runs with the standard library alone and imports little of it: this start is paid by every task. The work is done on this
process's own standard streams (the descriptors are passed on), its exit status becomes ours, a signal to us is passed on to
it, and if we die it is killed.
"""

import json
import os
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # pathlib costs 10 ms to import

from submit import Submission, parse

SECRET = "AIRFLOW"  # AIRFLOW_*, AIRFLOW__*: the scheduler's own variables are none of a job's business
RETRY_SECONDS = 3.0  # a server that was killed is back by then
LOST = 137


def main(argv: list[str]) -> int:
    is_module = argv[:1] == ["-m"]
    work = module_request(argv) if is_module else job_request(parse(argv))
    connection = connect(os.environ.get("NOTEMILL_WARM_SOCKET", "")) if work is not None else None
    if connection is None:
        return become([python() if is_module else spark_submit(), *argv])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    send(connection, json.dumps(work).encode())
    return wait(connection)


def connect(path: str) -> socket.socket | None:
    """A connection to the server; None where there is none or nobody answers for some seconds."""
    deadline = time.monotonic() + RETRY_SECONDS
    while path:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                say("no warm job server answers: running the real program")
                return None
            time.sleep(0.1)
        else:
            return connection
    return None


def job_request(submission: Submission | None) -> dict[str, object] | None:
    """The job as the server wants it; None where it is not one for a warm session."""
    if submission is None or not submission.is_for_warm():
        return None
    return surroundings(submission.last("--name", submission.application)) | {
        "application": os.path.abspath(submission.application),
        "arguments": submission.arguments,
        "conf": submission.conf(),
        "py_files": [path for path in submission.last("--py-files").split(",") if path],
    }


def module_request(argv: list[str]) -> dict[str, object]:
    return surroundings(argv[1]) | {"module": argv[1], "arguments": argv[2:], "conf": {}, "py_files": []}


def surroundings(name: str) -> dict[str, object]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(SECRET)}
    return {"name": name, "cwd": os.getcwd(), "environment": environment}


def send(connection: socket.socket, body: bytes) -> None:
    """Length, then body; our standard descriptors travel with the first byte (SCM_RIGHTS, unix(7))."""
    head = struct.pack("!I", len(body))
    socket.send_fds(connection, [head], [0, 1, 2])
    connection.sendall(body)


def wait(connection: socket.socket) -> int:
    """The job's exit status; 128 + n for signal n, as a shell gives it."""
    reply = b""
    while not reply.endswith(b"\n"):
        part = connection.recv(4096)
        if not part:
            say("the warm job server went away; the job was stopped with it")
            return LOST
        reply += part
    status = json.loads(reply)
    if status["signal"]:
        say(f"the job (process {status['pid']}) was killed by {signal.Signals(status['signal']).name}")
        return 128 + int(status["signal"])
    return int(status["code"])


def spark_submit() -> str:
    return os.path.join(os.environ.get("SPARK_HOME", ""), "bin", "spark-submit")


def python() -> str:
    return os.environ.get("NOTEMILL_PYTHON", sys.executable)


def become(command: list[str]) -> int:
    """Replace this process by the real program."""
    if not os.access(command[0], os.X_OK):
        say(f"there is no {command[0]}: set SPARK_HOME to Spark's folder")
        return 127
    os.execv(command[0], command)


def say(text: str) -> None:
    sys.stderr.write(f"notemill: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
