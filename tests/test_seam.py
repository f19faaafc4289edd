"""Where the schedule meets the jobs: every recorded command is one its job understands, and reads only what is published."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.tables import PUBLISHED, table
from tests.dags.test_schedule import ROOT, dags, rendered
from tests.jobs.raw import deployment, raw_note


@pytest.fixture
def config(tmp_path: Path) -> Path:
    deployment(tmp_path, [raw_note("n1")], {})
    return tmp_path / "config.yaml"


def _module(command: list[str]) -> object:
    path = Path(command[0]).relative_to(ROOT).with_suffix("")
    return importlib.import_module(".".join(path.parts))


@pytest.mark.parametrize("dag_id", ["notemill_daily", "notemill_training"])
def test_every_command_is_one_that_its_job_understands(dag_id: str, config: Path) -> None:
    for task_id, command in rendered(dags()[dag_id], {}, datetime(2026, 1, 5, tzinfo=UTC)):
        arguments = [str(config) if a == "/etc/notemill/config.yaml" else a for a in command[1:]]
        found = _module(command).arg_parser().parse_args(arguments)
        assert found.day == "2026-01-05", task_id


DAGS = ["notemill_daily", "notemill_training"]


def _published_by(dag_id: str) -> set[str]:
    steps = (t.task_id for t in dags()[dag_id].tasks if t.task_id.startswith("publish_"))
    return {name for step in steps for name in _with_companions(step.removeprefix("publish_"))}


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_table_a_job_reads_is_published_by_a_step_before_it_or_by_the_other_cadence(dag_id: str) -> None:
    dag, ours = dags()[dag_id], _published_by(dag_id)
    others = {name for other in DAGS if other != dag_id for name in _published_by(other)}
    for task_id, command in rendered(dag, {}, datetime(2026, 1, 5, tzinfo=UTC)):
        before = {t.task_id for t in dag.get_task(task_id).get_flat_relatives(upstream=True)}
        for name in _module(command).READS:
            is_before = f"publish_{name}" in before if name in ours else name in others
            assert is_before, f"{task_id} reads {name} before it is published"


def test_every_table_a_job_writes_is_published_by_a_step_after_it() -> None:
    written = set()
    for dag in (dags()[dag_id] for dag_id in DAGS):
        for task_id, command in rendered(dag, {}, datetime(2026, 1, 5, tzinfo=UTC)):
            after = {t.task_id for t in dag.get_task(task_id).get_flat_relatives(upstream=False)}
            steps = [t.removeprefix("publish_") for t in after if t.startswith("publish_")]
            writes = set(_module(command).WRITES)
            assert writes <= {name for step in steps for name in _with_companions(step)}, task_id
            written |= writes
    assert written == {t.name for t in PUBLISHED}
    assert table("events").companions == ("events_quarantine",)


def _with_companions(name: str) -> tuple[str, ...]:
    from schemas.tables import table

    return (name, *table(name).companions)
