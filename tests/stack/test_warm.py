"""The warm job server and its client, as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import reaper
from stack.home import ROOT
from stack.services import accepts

SUBMIT = str(ROOT / "stack" / "warm" / "bin" / "spark-submit")


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    path = tmp_path_factory.mktemp("w") / "s"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NOTEMILL_WARM_PRELOAD": "decimal,duckdb,torch"}
    process = subprocess.Popen([sys.executable, "-m", "stack.warm.server", str(path)], env=environment)
    wait_until(lambda: accepts(path), 60)
    yield path, process
    process.kill()
    process.wait()


@pytest.fixture
def environment(server: tuple[Path, subprocess.Popen[bytes]]) -> dict[str, str]:
    return {
        **os.environ,
        "NOTEMILL_WARM_SOCKET": str(server[0]),
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "AIRFLOW__CORE__FERNET_KEY": "not for jobs",
        "MY_OWN": "for jobs",
    }


def job(folder: Path, text: str) -> str:
    path = folder / "job.py"
    path.write_text(text)
    return str(path)


def submit(environment: dict[str, str], *command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SUBMIT, *command], env=environment, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def test_a_job_sees_what_it_would_see_under_the_real_one(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 7")
    path = job(
        tmp_path,
        "import json, os, sys, beside\n"
        "print(json.dumps([sys.argv, os.getcwd(), __name__, beside.VALUE, sys.stdin.read(),"
        " 'duckdb' in sys.modules, os.environ.get('MY_OWN'), os.environ.get('AIRFLOW__CORE__FERNET_KEY')]))\n"
        "print('to error', file=sys.stderr)\n",
    )
    done = submit(environment, "--name", "n", path, "--day", "2026-01-05", cwd=tmp_path, input="hello")
    assert done.returncode == 0
    expected = [[path, "--day", "2026-01-05"], str(tmp_path), "__main__", 7, "hello", True, "for jobs", None]
    assert json.loads(done.stdout) == expected
    assert done.stderr == "to error\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [("raise SystemExit(3)", 3), ("raise SystemExit('reason')", 1), ("1 / 0", 1), ("import os; os._exit(9)", 9), ("", 0)],
)
def test_the_exit_status_is_the_jobs(environment: dict[str, str], tmp_path: Path, text: str, code: int) -> None:
    assert submit(environment, job(tmp_path, text)).returncode == code


def test_an_error_is_shown_from_the_jobs_own_line_on(environment: dict[str, str], tmp_path: Path) -> None:
    path = job(tmp_path, "def f():\n    return 1 / 0\nf()\n")
    lines = submit(environment, path).stderr.splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", f'  File "{path}", line 3, in <module>']
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_heavy_libraries_work_in_a_fork_of_a_process_that_imported_them(
    environment: dict[str, str], tmp_path: Path
) -> None:
    text = (
        "import duckdb, torch\n"
        "torch.manual_seed(0)\n"
        "product = torch.ones(300, 300) @ torch.ones(300, 300)\n"
        "print(int(product[0, 0]), duckdb.sql('select sum(range) from range(100000)').fetchall()[0][0])\n"
    )
    done = submit(environment, job(tmp_path, text))
    assert (done.stdout, done.stderr) == ("300 4999950000\n", "")


def test_a_killed_job_is_named_with_its_signal(environment: dict[str, str], tmp_path: Path) -> None:
    done = submit(environment, job(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"))
    assert done.returncode == 137
    assert "was killed by SIGKILL" in done.stderr


SLEEPER = (
    "import os, subprocess, sys, time\n"
    "child = subprocess.Popen(['sleep', '600'])\n"
    "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}')\n"
    "time.sleep(600)\n"
)


def started(environment: dict[str, str], folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A sleeping job with a child: the client, and the two processes of the job."""
    pids = folder / "pids"
    command = [SUBMIT, job(folder, SLEEPER), str(pids)]
    client = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: pids.is_file() and len(pids.read_text().split()) == 2)
    return client, [int(pid) for pid in pids.read_text().split()]


def test_a_signal_to_the_client_ends_the_job_and_its_children(environment: dict[str, str], tmp_path: Path) -> None:
    client, pids = started(environment, tmp_path)
    client.send_signal(signal.SIGTERM)
    assert client.wait(20) == 128 + signal.SIGTERM
    wait_until(lambda: not any(map(reaper.is_running, pids)))


def test_a_client_that_is_killed_takes_the_job_along(environment: dict[str, str], tmp_path: Path) -> None:
    client, pids = started(environment, tmp_path)
    client.kill()
    client.wait()
    wait_until(lambda: not any(map(reaper.is_running, pids)))


def test_without_a_server_the_real_program_runs_unchanged(environment: dict[str, str], tmp_path: Path) -> None:
    real = tmp_path / "bin" / "spark-submit"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    real.chmod(0o755)
    environment |= {"SPARK_HOME": str(tmp_path)}
    environment.pop("NOTEMILL_WARM_SOCKET")
    done = submit(environment, "--conf", "a=b c", "x.py", "--day", "d")
    assert done.stdout == "--conf|a=b c|x.py|--day|d|"


def test_a_module_runs_as_under_python_m(environment: dict[str, str]) -> None:
    worker = str(ROOT / "stack" / "warm" / "bin" / "python-worker")
    environment |= {"NOTEMILL_PYTHON": sys.executable}
    done = subprocess.run([worker, "-m", "calendar", "2026", "1"], env=environment, capture_output=True, text=True)
    assert "January 2026" in done.stdout


def test_a_killed_server_takes_its_jobs_along(tmp_path: Path) -> None:
    path = tmp_path / "s"
    own = {**os.environ, "PYTHONPATH": str(ROOT), "NOTEMILL_WARM_PRELOAD": ""}
    process = subprocess.Popen([sys.executable, "-m", "stack.warm.server", str(path)], env=own)
    wait_until(lambda: accepts(path))
    client, pids = started({**own, "NOTEMILL_WARM_SOCKET": str(path), "PYSPARK_DRIVER_PYTHON": sys.executable}, tmp_path)
    process.kill()
    process.wait()
    assert client.wait(20) == 137
    wait_until(lambda: not reaper.is_running(pids[0]))
    os.kill(pids[1], signal.SIGKILL)  # the grandchild is the keeper's business, and there is none here
