"""The two kinds of step that every DAG is made of: `run` a job, `publish` what it staged.

Each is one spark-submit. The connection `spark_default` says where (local[*], a standalone master, YARN, Kubernetes), the
properties file how large; nothing here reads data. What the file needs of its environment:

    NOTEMILL_CONFIG             the deployment's YAML file, see docs/configuration.md
    NOTEMILL_SPARK_PROPERTIES   a spark-defaults file (memory, cores); the default is spark-defaults.conf beside this
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, Param

from schemas.tables import table

ROOT = Path(__file__).resolve().parent.parent
CONFIG = os.environ.get("NOTEMILL_CONFIG", "/etc/notemill/config.yaml")
PROPERTIES = os.environ.get("NOTEMILL_SPARK_PROPERTIES", str(ROOT / "dags" / "spark-defaults.conf"))

# Manual runs have no logical date, so the day is resolved here and nowhere else: what the person asked for, else the
# run's logical date, else the day before the run was asked for (the last one that is over).
DAY = (
    "{{ params.day or (dag_run.logical_date | ds if dag_run.logical_date "
    "else (dag_run.run_after - macros.timedelta(days=1)) | ds) }}"
)
DAY_PARAM = Param(
    None, type=["null", "string"], format="date", title="Day", description="the day to make; empty: see docs"
)

# The one place where a failed step is tried again: Spark does not resubmit, and no job retries by itself.
RETRIES = {"retries": 2, "retry_delay": timedelta(seconds=20)}


def asset(name: str) -> Asset:
    """A published table or an artifact, as what DAGs meet at."""
    return Asset(name=name, uri=f"x-notemill://lake/{name}")


def run(job: str, *arguments: str, pool: str = "spark", **operator: Any) -> SparkSubmitOperator:
    """One job (`logs/clean_events`) for the run's day."""
    return _submit(job.rsplit("/", 1)[-1], f"{job}.py", arguments, pool=pool, **operator)


def publish(name: str, pool: str = "spark") -> SparkSubmitOperator:
    """Audit what is staged for a table and swap it in; its Asset is updated only then."""
    return _submit(
        f"publish_{name}",
        "publish_table.py",
        ("--table", table(name).name),
        pool=pool,
        outlets=[asset(table(name).folder)],
    )


def _submit(task_id: str, file: str, arguments: tuple[str, ...], **operator: Any) -> SparkSubmitOperator:
    return SparkSubmitOperator(
        task_id=task_id,
        name=f"notemill-{task_id}",
        conn_id="spark_default",
        application=str(ROOT / "jobs" / file),
        application_args=["--config", CONFIG, "--day", DAY, *arguments],
        properties_file=PROPERTIES,
        **operator,
    )
