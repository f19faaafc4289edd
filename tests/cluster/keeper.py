"""The keeper of the cluster: the stack's own, over the compose file's services. `python -m tests.cluster.keeper`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from stack import reaper
from stack.environment import base_environment, write_secrets
from stack.home import Home, home_at, make_folders
from stack.java import java_home
from stack.keeper import keep
from stack.postgres import Postgres
from stack.services import Plan, Service, is_healthy, postgres_service
from tests.cluster import master
from tests.cluster.compose import AIRFLOW, WORKERS, Compose, Ports


def lay_out(home: Home, ports: Ports) -> Plan:
    """Every service of docker-compose.yml. Starts nothing."""
    write_secrets(home)
    compose = Compose(home, ports)
    postgres = Postgres(home, tcp_port=ports.postgres)
    spark = [service(compose, name) for name in ("spark-master", *WORKERS)]
    spark[0].ready = lambda: master.answers(ports.master_page)
    spark[-1].ready = lambda: master.num_workers(ports.master_page) == len(WORKERS)
    airflow = [service(compose, name) for name in AIRFLOW]
    airflow[0].ready = lambda: is_healthy(ports.api)
    early = [postgres_service(postgres, machine(home)), *spark]
    return Plan(home, ports.api, ports.master, postgres, environment(compose, "scheduler"), early, None, airflow)


def service(compose: Compose, name: str) -> Service:
    log = compose.home.logs / f"{name}.log"
    return Service(name, compose.command(name), environment(compose, name), log)


def environment(compose: Compose, name: str) -> dict[str, str]:
    """The compose file's, over what an image would bring: paths, Python, Java."""
    own = {
        "AIRFLOW_HOME": str(compose.home.airflow),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(compose.home.logs / "tasks"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(compose.ports.scheduler_logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(compose.ports.triggerer_logs),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # only the runs that are asked for here
        "SPARK_LOCAL_DIRS": str(compose.home.state / "spark"),
    }
    return machine(compose.home) | own | compose.environment(name)


def machine(home: Home) -> dict[str, str]:
    """What the machine gives, without anything that would put the warm stack's shortcuts into play."""
    taken = ("SPARK_REMOTE", "NOTEMILL_SPARK_REMOTE", "NOTEMILL_WARM_SOCKET", "NOTEMILL_SPARK_PROPERTIES")
    found = base_environment(home, java_home(home.state))
    return {k: v for k, v in found.items() if k not in taken and not k.startswith("AIRFLOW__")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--ports", type=Ports.parse, required=True)
    options = parser.parse_args()
    home = home_at(options.state)
    make_folders(home)
    os.chdir(home.state)
    reaper.adopt_orphans()
    sys.exit(keep(home, lambda _: lay_out(home, options.ports)))


if __name__ == "__main__":
    main()
