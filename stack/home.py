"""Where one checkout's stack keeps its state, and the name that marks its processes."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKER = "NOTEMILL_STACK"  # the environment variable that every process of a stack carries; its value is Home.id
SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path without the closing zero (man 7 unix)
LONGEST_SOCKET = len("/postgres/.s.PGSQL.65535.lock")


class StackError(RuntimeError):
    """Something a person has to put right; the message says what and how."""


@dataclass(frozen=True)
class Home:
    """Folders of one stack: `state` is kept between runs, `run` holds sockets and is short enough for them."""

    root: Path
    state: Path
    run: Path

    @property
    def id(self) -> str:
        """Twelve hex digits that differ between stacks."""
        return state_hash(self.state)

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def airflow(self) -> Path:
        return self.state / "airflow"

    @property
    def status_file(self) -> Path:
        return self.state / "stack.json"

    @property
    def lock_file(self) -> Path:
        return self.state / "stack.lock"

    @property
    def warm_socket(self) -> Path:
        return self.run / "warm.sock"


def state_hash(state: Path) -> str:
    return hashlib.sha256(str(state).encode()).hexdigest()[:12]


def base_folder() -> Path:
    """Where all of a checkout's state lies: ./.notemill, or where NOTEMILL_HOME says."""
    return Path(os.environ.get("NOTEMILL_HOME") or ROOT / ".notemill").absolute()


def home_of(config: Path) -> Home:
    """The stack of one configuration file. Each has its own, as the scheduler remembers which days are done: those of one
    configuration say nothing about another's."""
    path = config.resolve()
    state = base_folder() / "stacks" / f"{path.parent.name}-{state_hash(path)[:8]}"
    return Home(ROOT, state, run_folder(state))


def home_at(state: Path) -> Home:
    return Home(ROOT, state, run_folder(state))


def all_homes() -> list[Home]:
    """Every stack that this checkout has ever had."""
    return [home_at(state) for state in sorted((base_folder() / "stacks").glob("*")) if state.is_dir()]


def run_folder(state: Path) -> Path:
    """`state`/run, or a hashed folder under the system's temporary one where socket paths would get too long."""
    run = state / "run"
    if len(os.fsencode(run)) + LONGEST_SOCKET <= SOCKET_PATH_LIMIT:
        return run
    return Path(tempfile.gettempdir()) / f"notemill-{os.getuid()}-{state_hash(state)}"


def make_folders(home: Home) -> None:
    """Create what is missing. Keys, logs and sockets are for the owner alone.

    Raises StackError where the socket folder belongs to someone else, or nothing can be written.
    """
    try:
        for folder in (home.state, home.logs, home.keys, home.airflow, home.run):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot write the stack's state: {error}. Set NOTEMILL_HOME to a folder of yours.") from error
    for folder in (home.logs, home.keys, home.airflow, home.run):
        make_private(folder)


def make_private(folder: Path) -> None:
    """Mode 0700, and ours: a folder that someone else prepared under a name of ours is refused."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StackError(f"{folder} is not a folder of this user: remove it, or set NOTEMILL_HOME to another place.")
    folder.chmod(0o700)
