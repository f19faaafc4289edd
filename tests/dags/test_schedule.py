"""The schedule as text: every command that a DAG would run, rendered and held against files that are read in review.

`REBUILD_GOLDEN=yes pytest tests/dags` writes the files anew.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ["NOTEMILL_CONFIG"] = "/etc/notemill/config.yaml"

from airflow.sdk import DAG
from airflow.sdk.execution_time import macros

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = Path(__file__).parent / "golden"
RUN_AFTER = datetime(2026, 1, 7, 3, tzinfo=UTC)


def dags() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def rendered(dag: DAG, params: dict[str, Any], logical_date: datetime | None) -> list[tuple[str, list[str]]]:
    """Task id and command line (`spark-submit` argv less its own path) of every task, in order."""
    environment = dag.get_template_env()
    environment.undefined = jinja2.StrictUndefined
    values = {name: param.value if hasattr(param, "value") else param for name, param in dag.params.items()}
    run = SimpleNamespace(logical_date=logical_date, run_after=RUN_AFTER)
    context = {"params": values | params, "dag_run": run, "macros": macros}
    commands = []
    for task in dag.topological_sort():
        texts = [task.application, *task.application_args]
        commands.append((task.task_id, [environment.from_string(t).render(**context) for t in texts]))
    return commands


def test_there_are_just_these_dags() -> None:
    assert sorted(dags()) == ["notemill_daily", "notemill_training"]


@pytest.mark.parametrize("dag_id", ["notemill_daily", "notemill_training"])
def test_the_rendered_schedule_is_the_recorded_one(dag_id: str) -> None:
    dag = dags()[dag_id]
    lines = []
    for task_id, command in rendered(dag, {}, datetime(2026, 1, 5, tzinfo=UTC)):
        task = dag.get_task(task_id)
        lines.append(
            f"{task_id}  after {sorted(task.upstream_task_ids)}  pool {task.pool}  retries {task.retries}"
        )
        lines.append(
            "    "
            + " ".join(repr(c) if not c or " " in c else c for c in command).replace(str(ROOT), "<root>")
        )
        lines.append(f"    publishes {[a.name for a in task.outlets]}")
    text = "\n".join(lines) + "\n"
    path = GOLDEN / f"{dag_id}.txt"
    if os.environ.get("REBUILD_GOLDEN") == "yes":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("params", "logical_date", "day"),
    [
        ({"day": "2026-01-03"}, None, "2026-01-03"),  # a person asked for it
        ({}, None, "2026-01-06"),  # a manual run has no logical date: the last day that is over
        ({}, datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05"),  # scheduled and backfilled runs
    ],
)
def test_the_day_is_resolved_for_every_kind_of_run(
    params: dict, logical_date: datetime | None, day: str
) -> None:
    for _, command in rendered(dags()["notemill_daily"], params, logical_date):
        assert command[command.index("--day") + 1] == day


def test_every_dag_says_what_a_failure_means_and_what_to_do() -> None:
    for dag in dags().values():
        assert "What a failure means" in (dag.doc_md or "")
        assert dag.catchup is False


def test_steps_are_retried_at_one_level_only() -> None:
    assert {task.retries for dag in dags().values() for task in dag.tasks} == {2}
    properties = (ROOT / "dags" / "spark-defaults.conf").read_text()
    assert re.search(r"^spark.yarn.maxAppAttempts\s+1$", properties, re.MULTILINE)


def test_a_job_that_may_not_run_beside_itself_has_a_pool() -> None:
    pools = {t.task_id: t.pool for t in dags()["notemill_daily"].tasks}
    assert pools["assign_ids"] == pools["publish_semantic_ids"] == "ids"
    assert pools["train_quantizer"] == "training"
