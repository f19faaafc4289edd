"""The day as the DAG has it, without Airflow and without a cluster: each step by spark-submit, one after the other."""

from __future__ import annotations

import argparse
import subprocess
import sys
from graphlib import TopologicalSorter
from typing import Any

from jinja2 import Environment


def commands(config: str, day: str, master: str) -> list[tuple[str, list[str]]]:
    """Name and command line of every step of the daily DAG, in an order that it allows."""
    from dags.daily import notemill_daily
    from dags.steps import CONFIG, PROPERTIES

    dag = notemill_daily()
    params = {name: dag.params[name] for name in dag.params} | {"day": day}
    order = TopologicalSorter({name: task.upstream_task_ids for name, task in dag.task_dict.items()}).static_order()
    found = []
    for name in order:
        task = dag.task_dict[name]
        arguments = [rendered(config if part == CONFIG else part, params) for part in task.application_args]
        submit = ["spark-submit", "--master", master, "--properties-file", PROPERTIES, "--name", name]
        found.append((name, [*submit, task.application, *arguments]))
    return found


def rendered(text: str, params: dict[str, Any]) -> str:
    """A templated argument as Airflow would fill it in for a run that was asked for with a day."""
    return Environment(autoescape=False).from_string(text).render(params=params)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--day", required=True)
    parser.add_argument("--master", default="local[2]")
    options = parser.parse_args()
    for name, command in commands(options.config, options.day, options.master):
        sys.stdout.write(f"--- {name}\n")
        sys.stdout.flush()
        if subprocess.run(command).returncode:
            sys.exit(f"{name} failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
