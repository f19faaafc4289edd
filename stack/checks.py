"""`make test`: lint, types and tests, all of them in any case, and one summary. Arguments go to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from stack.home import ROOT, base_folder, home_at
from stack.java import java_home

BIN = Path(sys.executable).parent
WORKERS = "2"  # each has a JVM of its own: more would want memory, not give speed


def main(arguments: list[str]) -> int:
    state = base_folder() / "test"
    state.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "JAVA_HOME": str(java_home(home_at(state).state)),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)]),
    }
    checks = {
        "ruff": [str(BIN / "ruff"), "check", "."],
        "mypy": [str(BIN / "mypy")],
        # In the order of the folders: the heaviest file, in tests/crashes, comes early, and no worker waits for it.
        "pytest": [
            sys.executable, "-m", "pytest", "-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder", *arguments,
        ],
    }
    lines = []
    for name, command in checks.items():
        started = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
        lines.append(f"{name:<8} {'ok' if code == 0 else 'FAILED':<8} {time.monotonic() - started:6.1f} s")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    return int(any("FAILED" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
