"""The compose file as it stands, told for one machine: its environment and commands with other addresses and folders."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from stack import keys
from stack.home import ROOT, Home, StackError
from stack.ports import HOST, PortReservation

AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
WORKERS = ("spark-worker-1", "spark-worker-2")
KEYS = ("AIRFLOW_FERNET_KEY", "AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET", "SPARK_AUTH_SECRET")
SMALL = {"spark.driver.memory": "1g", "spark.executor.memory": "1g", "spark.executor.cores": "1"}


@dataclass(frozen=True)
class Ports:
    """Every port of the topology; none is fixed."""

    api: int
    postgres: int
    master: int
    master_page: int
    worker_1_page: int
    worker_2_page: int
    scheduler_logs: int
    triggerer_logs: int

    @classmethod
    def take(cls, reservation: PortReservation) -> Ports:
        return cls(*(reservation.take(port) for port in (8180, 5532, 7177, 8280, 8281, 8282, 8893, 8894)))

    @classmethod
    def parse(cls, text: str) -> Ports:
        return cls(*(int(part) for part in text.split(",")))

    def __str__(self) -> str:
        return ",".join(str(port) for port in asdict(self).values())


class Compose:
    """docker-compose.yml with names of hosts and folders inside containers exchanged for this machine's."""

    def __init__(self, home: Home, ports: Ports) -> None:
        self.home = home
        self.ports = ports
        self._services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    def environment(self, name: str) -> dict[str, str]:
        """What the service gets of the compose file. Raises StackError for a secret that the file does not ask for."""
        return {key: self._here(str(value)) for key, value in self._services[name]["environment"].items()}

    def command(self, name: str) -> list[str]:
        """The service's command, sized for one core and 2 GiB a worker."""
        text = self._here(self._services[name]["command"])
        page = {WORKERS[0]: self.ports.worker_1_page, WORKERS[1]: self.ports.worker_2_page}
        for old, new in (
            ("--host spark-master --port 7077", f"--host {HOST} --port {self.ports.master}"),
            ("--host 0.0.0.0 --port 8080", f"--host {HOST} --port {self.ports.api}"),
            ("--webui-port 8081", f"--webui-port {page.get(name, self.ports.master_page)}"),
            ("--cores 2 --memory 4g", "--cores 1 --memory 2g"),
            ("--work-dir /tmp/spark", f"--work-dir {work_folder(self.home, name)}"),
        ):
            text = text.replace(old, new)
        return shlex.split(text)

    def _here(self, text: str) -> str:
        secret = keys.password(self.home.keys, "postgres_password")
        values = {"POSTGRES_PASSWORD": secret} | {name: keys.key(self.home.keys, name.lower()) for name in KEYS}
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: known(values, found[1]), text)
        for old, new in self._addresses():
            text = text.replace(old, new)
        return text

    def _addresses(self) -> list[tuple[str, str]]:
        api = f"{HOST}:{self.ports.api}"
        return [
            ("//airflow:", "//postgres:"),
            ("@postgres:5432/", f"@{HOST}:{self.ports.postgres}/"),
            ("api-server:8080", api),
            ("127.0.0.1:8080", api),
            ("spark-master:7077", f"{HOST}:{self.ports.master}"),
            ('"spark://spark-master", "port": 7077', f'"spark://{HOST}", "port": {self.ports.master}'),
            ("/opt/notemill/deploy/spark-cluster.conf", str(properties(self.home))),
            ("/opt/airflow/keys/users.json", str(self.home.keys / "ui_users.json")),
            ("/opt/notemill", str(ROOT)),
            ("/data/", f"{world(self.home)}/"),
        ]


def known(values: dict[str, str], name: str) -> str:
    if name not in values:
        raise StackError(f"docker-compose.yml asks for {name}, which tests/cluster/compose.py does not know: add it")
    return values[name]


def world(home: Home) -> Path:
    """The folder that stands for NOTEMILL_DATA: sources, config.yaml, and the lake."""
    return home.state / "world"


def work_folder(home: Home, worker: str) -> Path:
    return home.state / "work" / worker


def properties(home: Home) -> Path:
    return home.state / "spark-cluster.conf"


def write_properties(home: Home) -> None:
    """deploy/spark-cluster.conf with less memory and fewer cores; whatever else it says stays."""
    text = (ROOT / "deploy" / "spark-cluster.conf").read_text(encoding="utf-8")
    for name, value in SMALL.items():
        text = re.sub(rf"(?m)^({re.escape(name)}\s+)\S+$", rf"\g<1>{value}", text)
    properties(home).write_text(text, encoding="utf-8")
