"""The services of one stack: what each is started with, how one sees that it is up, how it is told to stop."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stack import keys, reaper, unroot
from stack.environment import airflow_environment, base_environment, num_cores, spark_home, write_secrets
from stack.home import Home, StackError
from stack.java import java_home
from stack.ports import HOST, PortReservation
from stack.postgres import Postgres, tail
from stack.rest import LOCAL

API_PORT = 8080
CONNECT_PORT = 15002
CONNECT_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"


@dataclass
class Service:
    """One process with its log. `ready` is asked again and again while it starts."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready: Callable[[], bool] = lambda: True
    stop_signal: signal.Signals = signal.SIGTERM
    become: Callable[[], None] | None = None  # change of user before the program starts
    once: bool = False  # a task that ends by itself
    starts: list[float] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start in a session of its own: Ctrl-C at the terminal reaches the command line only, which then stops us."""
        reaper.die_with_parent(self.stop_signal if self.become else signal.SIGKILL)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd="/" if self.become else None, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=self.before_exec(),
            )  # fmt: skip


    def before_exec(self) -> Callable[[], None]:
        """What the child does before it becomes the program: change its user, and bind its life to ours."""
        become, die = self.become, reaper.die_with_parent(self.stop_signal if self.become else signal.SIGKILL)

        def before() -> None:
            if become is not None:
                become()
            die()

        return before


@dataclass(frozen=True)
class Plan:
    """Addresses of one stack and its services in the order they may start."""

    home: Home
    api_port: int
    connect_port: int
    postgres: Postgres
    environment: dict[str, str]
    early: list[Service]
    warm_up: Service | None
    airflow: list[Service]

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.api_port}"


def make_plan(home: Home, ports: PortReservation, *, triggerer: bool, schedule: bool) -> Plan:
    """Choose ports, write secrets, and lay out the services. Starts nothing."""
    write_secrets(home)
    api_port, connect_port = ports.take(API_PORT), ports.take(CONNECT_PORT)
    postgres = Postgres(home)
    base = base_environment(home, java_home(home.state))
    remote = f"sc://localhost:{connect_port}/;token={keys.token(home.keys, 'spark_token')}"
    jobs = base | {"NOTEMILL_SPARK_REMOTE": remote}
    warm_bin = str(home.root / "stack" / "warm" / "bin")
    airflow = (
        base
        | airflow_environment(home, postgres.url(), api_port, schedule=schedule)
        | {
            "NOTEMILL_WARM_SOCKET": str(home.warm_socket),
            "PATH": os.pathsep.join([warm_bin, base["PATH"]]),
        }
    )
    early = [
        postgres_service(postgres, base),
        connect_service(home, base, connect_port),
        warm_service(home, jobs),
    ]
    components = ["api-server", "scheduler", "dag-processor", *(["triggerer"] if triggerer else [])]
    services = [airflow_service(home, airflow, name, api_port) for name in components]
    return Plan(home, api_port, connect_port, postgres, airflow, early, warm_up_service(home, airflow), services)


def postgres_service(postgres: Postgres, environment: dict[str, str]) -> Service:
    return Service(
        "postgres", postgres.command(), environment, postgres.log, postgres.ready, signal.SIGINT, unroot.before_exec()
    )


def connect_service(home: Home, environment: dict[str, str], port: int) -> Service:
    """The Spark Connect server, the one JVM of the stack. Its token is read from the environment, not from its command
    line, which every user of the machine can read."""
    token = keys.token(home.keys, "spark_token")
    conf = {
        "spark.connect.grpc.binding.address": HOST,
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.shuffle.partitions": str(max(2, num_cores())),  # days are small here: more would be empty tasks
        "spark.sql.warehouse.dir": str(home.state / "spark-warehouse"),
        "spark.local.dir": str(home.state / "spark"),
    }
    flags = ["--properties-file", spark_properties(home)]
    flags += [part for name, value in conf.items() for part in ("--conf", f"{name}={value}")]
    command = [
        str(spark_home() / "bin" / "spark-submit"), "--master", f"local[{num_cores()}]", "--class", CONNECT_CLASS,
        "--driver-java-options", "-XX:+UseSerialGC -XX:TieredStopAtLevel=4", *flags, "spark-internal",
    ]  # fmt: skip
    own = environment | {
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        "NOTEMILL_WARM_SOCKET": str(home.warm_socket),
        "NOTEMILL_PYTHON": sys.executable,
        "PYSPARK_PYTHON": str(home.root / "stack" / "warm" / "bin" / "python-worker"),
    }
    return Service("spark", command, own, home.logs / "spark.log", lambda: is_listening(port))


def spark_properties(home: Home) -> str:
    """The file that every job is submitted with (memory and the like): the one session stands in for all of them."""
    return os.environ.get("NOTEMILL_SPARK_PROPERTIES") or str(home.root / "dags" / "spark-defaults.conf")


def warm_service(home: Home, environment: dict[str, str]) -> Service:
    command = [sys.executable, "-m", "stack.warm.server", str(home.warm_socket)]
    return Service("warm-jobs", command, environment, home.logs / "warm-jobs.log", lambda: accepts(home.warm_socket))


def warm_up_service(home: Home, environment: dict[str, str]) -> Service:
    """A small job right at the start: the JVM compiles Spark's code at first use, for seconds, better now than in a task."""
    command = [str(home.root / "stack/warm/bin/spark-submit"), "--name", "warm-up", str(home.root / "stack/warm/warm_up.py")]
    return Service("warm-up", command, environment, home.logs / "warm-up.log", once=True)


def airflow_service(home: Home, environment: dict[str, str], component: str, api_port: int) -> Service:
    ready = (lambda: is_healthy(api_port)) if component == "api-server" else (lambda: True)
    # The API server reads the logs from the disk: nobody needs the scheduler's little log server and its fixed port.
    options = ["--skip-serve-logs"] if component == "scheduler" else []
    command = [sys.executable, "-m", "airflow", component, *options]
    return Service(component, command, environment, home.logs / f"{component}.log", ready)


def command_environment(home: Home, address: str) -> dict[str, str]:
    """For an `airflow` command beside a running stack."""
    port = int(address.rsplit(":", 1)[1])
    base = base_environment(home, java_home(home.state))
    return base | airflow_environment(home, Postgres(home).url(), port, schedule=False)


def migrate(plan: Plan) -> None:
    """Bring the database to Airflow's schema. Skipped where this very Airflow has done so before: it takes seconds."""
    stamp = plan.home.state / "postgres" / "notemill_schema"
    version = versions_hash()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == version:
        return
    log = plan.home.logs / "migrate.log"
    with log.open("ab") as file:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"], env=plan.environment, stdout=file, stderr=file
        )
    if done.returncode:
        raise StackError(f"`airflow db migrate` failed, see {log}\n{tail(log)}")
    stamp.write_text(version, encoding="ascii")


def versions_hash() -> str:
    """What the schema depends on: Airflow's and its providers' versions."""
    found = sorted(
        f"{d.name}=={d.version}" for d in importlib.metadata.distributions() if d.name.startswith("apache-airflow")
    )
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def is_listening(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def accepts(path: Path) -> bool:
    """Whether someone listens on a unix socket (a connection that asks for nothing is closed again)."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def is_healthy(port: int) -> bool:
    """Whether the API server answers, its part for tasks too: that one loads when it is first asked, which takes seconds,
    and the first task should not have to wait for it."""
    try:
        for path in ("/api/v2/version", "/execution/health"):
            with LOCAL.open(f"http://{HOST}:{port}{path}", timeout=30) as answer:
                if answer.status != 200:
                    return False
        return True
    except (OSError, urllib.error.URLError):
        return False
