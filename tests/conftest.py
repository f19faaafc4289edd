"""What several test folders share: one Spark session for the whole run, and lakes of a few rows."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from stack.java import java_home

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def job_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which a job runs as a process of its own."""
    found = {
        **os.environ,
        "JAVA_HOME": str(java_home(tmp_path_factory.mktemp("java"))),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    found.pop("SPARK_REMOTE", None)
    return found


@pytest.fixture(scope="session")
def spark(
    job_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkSession]:
    """The one session of a test run: a JVM costs seconds."""
    os.environ.update(job_environment)
    os.environ.pop("SPARK_REMOTE", None)
    builder = SparkSession.builder.master("local[2]").appName("notemill tests")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.driver.memory": "1g",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    logging.getLogger("py4j").setLevel(logging.WARNING)  # else it writes to closed streams when the session stops
    yield session
    session.stop()
