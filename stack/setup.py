"""A fresh machine's first step: `python3.11 stack/setup.py` makes .venv with everything in requirements.txt.

Standard library only, and a script, not part of the package: nothing else is there yet. Runs again in no time when nothing
has changed (a stamp holds the hash of requirements.txt).
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements.txt"
STAMP = VENV / "notemill-setup"
PYTHON = (3, 11)
UV = "uv==0.13.9"
NEEDED_GIB = 6  # measured: 3.2 installed, more while wheels are unpacked

Settings = Mapping[str, str | list[str]]


def main() -> int:
    if sys.version_info[:2] != PYTHON:
        return fail(
            f"notemill needs Python 3.11; this is {sys.version.split()[0]} ({sys.executable}).\n"
            "Name another one: make setup PYTHON=/path/to/python3.11"
        )
    if is_done():
        return 0
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < NEEDED_GIB:
        return fail(f"{free:.1f} GiB are free on the disk of {ROOT}; the environment needs {NEEDED_GIB} while it is made.")
    say("setting up .venv (once; a few minutes) ...")
    python = make_environment()
    if not (install_with_uv(python) or install_with_pip(python)):
        return fail(
            "installation failed, see above. Without a network, point pip at your packages (PIP_INDEX_URL, PIP_FIND_LINKS "
            "or pip.conf) and run `make setup` again: it goes on where it stopped."
        )
    STAMP.write_text(wanted(), encoding="ascii")
    say("setup is done")
    return 0


def wanted() -> str:
    """What the stamp must say: the requirements and the Python that they were installed for."""
    return hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()


def is_done() -> bool:
    return STAMP.is_file() and STAMP.read_text(encoding="ascii") == wanted() and python_of(VENV).exists()


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def make_environment() -> Path:
    """The virtual environment's Python. An environment of another Python version, or a half-made one, is made anew."""
    python = python_of(VENV)
    asked = [str(python), "-c", "import sys, pip; print(sys.version_info[:2])"]
    if not (python.exists() and subprocess.run(asked, capture_output=True, text=True).stdout.strip() == str(PYTHON)):
        done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        if done.returncode:
            raise SystemExit(fail("cannot make a virtual environment (Debian and Ubuntu: apt install python3.11-venv)"))
    return python


def install_with_uv(python: Path) -> bool:
    """Install with uv, ten times faster than pip; False where it does not come to its end."""
    if subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]).returncode:
        return False
    settings = pip_settings(python)
    command = [str(python.with_name("uv")), "pip", "install", "--python", str(python), "--compile-bytecode"]
    command += ["--requirement", str(REQUIREMENTS), *uv_flags(settings)]
    if subprocess.run(command, env=uv_environment(settings), cwd=ROOT).returncode:
        say("uv could not do it; trying pip, which takes longer ...")
        return False
    return True


def install_with_pip(python: Path) -> bool:
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
    return subprocess.run(command, cwd=ROOT).returncode == 0


def pip_settings(python: Path) -> Settings:
    """pip's configuration, from its files and the environment. uv does not read it."""
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    return read_pip_settings(listed)


def read_pip_settings(listed: str) -> Settings:
    """`pip config list` as a dictionary. For one option, the environment counts more than [install], that more than
    [global], as for pip itself."""
    strength = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in strength and strength[section] >= found.get(option, (-1, ""))[0]:
            found[option] = (strength[section], str(ast.literal_eval(value)))
    many = ("extra-index-url", "find-links", "trusted-host")
    return {option: value.split() if option in many else value for option, (_, value) in found.items()}


def uv_flags(settings: Settings) -> list[str]:
    """The same sources for uv. Best match over all of them is pip's own rule; uv's is the first index that has the name."""
    flags = ["--index-strategy", "unsafe-best-match"]
    names = {
        "index-url": "--default-index",
        "extra-index-url": "--index",
        "find-links": "--find-links",
        "trusted-host": "--allow-insecure-host",
    }
    for option, flag in names.items():
        value = settings.get(option, [])
        for one in [value] if isinstance(value, str) else value:
            flags += [flag, one]
    if str(settings.get("no-index", "")).lower() in ("1", "true", "yes"):
        flags.append("--no-index")
    return flags


def uv_environment(settings: Settings) -> dict[str, str]:
    """uv must not fetch a Python, and takes certificates and proxy from the environment."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy")}
    if settings.get("cert"):
        environment.setdefault("SSL_CERT_FILE", str(settings["cert"]))
    if settings.get("proxy"):
        environment.setdefault("ALL_PROXY", str(settings["proxy"]))
    return environment


def say(text: str) -> None:
    sys.stdout.write(f"notemill: {text}\n")
    sys.stdout.flush()


def fail(text: str) -> int:
    sys.stderr.write(f"notemill: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
