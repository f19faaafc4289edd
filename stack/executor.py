"""Airflow's LocalExecutor with warm task processes.

Its workers are forked from the scheduler, and each task is forked from a worker. What the scheduler has imported by then is
there in every task; what it has not, every task imports again, for about two seconds.
"""

from __future__ import annotations

import importlib
import logging
import os

from airflow.executors.local_executor import LocalExecutor

from stack.reaper import die_with_parent

TASKS_NEED = (
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.bundles.manager",
    "airflow.dag_processing.dagbag",
    "airflow.providers.apache.spark.hooks.spark_submit",
    "airflow.providers.apache.spark.operators.spark_submit",
    "airflow.providers.standard.operators.python",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)


class WarmLocalExecutor(LocalExecutor):
    """LocalExecutor, with the imports of a task made before its workers are forked."""

    def start(self) -> None:
        for name in TASKS_NEED:
            try:
                importlib.import_module(name)
            except ImportError as error:
                logging.getLogger(__name__).warning("tasks start slower, cannot import %s: %s", name, error)
        # A killed scheduler takes its workers and their tasks along, even where nobody is left to clear up after it: a
        # task that went on would meet its own second try.
        os.register_at_fork(after_in_child=die_with_parent())
        super().start()
