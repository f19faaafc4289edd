"""The environment of every process of the stack, and Airflow's settings: all in one place."""

from __future__ import annotations

import configparser
import io
import json
import os
import sys
from pathlib import Path

from stack import keys
from stack.home import MARKER, Home
from stack.ports import HOST

API_USER = "notemill"
PATIENT_SECONDS = "25"  # a task without a heartbeat for so long is taken for dead and run again

# What Airflow needs to run on one machine, quick on its feet. Names: `airflow config list --defaults`.
AIRFLOW = {
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__EXECUTOR": "stack.executor.WarmLocalExecutor",
    "CORE__MP_START_METHOD": "fork",  # task processes inherit what the scheduler has imported
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
    "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{API_USER}:admin",
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
    "API__WORKERS": "1",
    "API__MAXIMUM_PAGE_LIMIT": "1000",
    "API__INSTANCE_NAME": "notemill",
    "API__LOG_FETCH_TIMEOUT_SEC": "10",
    "USAGE_DATA_COLLECTION__ENABLED": "False",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",  # default 1: half a second lost at every hand-over
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "5",
    "SCHEDULER__JOB_HEARTBEAT_SEC": "5",
    # After a killed scheduler: the old one is taken for dead after 15 s, its tasks are put back into the queue.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": PATIENT_SECONDS,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "SCHEDULER__PARSING_CLEANUP_INTERVAL": "60",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "10",  # default 300: a new DAG file would be seen after five minutes
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",  # parsing again costs a core; an edit shows within a minute
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "2",
    "LOGGING__LOGGING_LEVEL": "INFO",
    "OPENLINEAGE__DISABLED": "True",
}
SILENT = {  # nothing here calls home
    "SCARF_ANALYTICS": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
OFFLINE = {  # what the demo needs is in packages; a user who wants models from the hub sets these to 0
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}


def num_cores() -> int:
    """Cores this process may use (a container may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spark_home() -> Path:
    """The folder of the installed pyspark, with its jars and bin/spark-submit."""
    import pyspark

    return Path(pyspark.__file__).parent


def base_environment(home: Home, java: Path) -> dict[str, str]:
    """What every process of the stack gets: the marker, Python, Java, Spark on the loopback, no telemetry."""
    python = sys.executable
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # set, every start compiles anew
    return {
        **OFFLINE,
        "AIRFLOW_CONN_SPARK_DEFAULT": spark_connection(),
        **kept,
        **SILENT,
        MARKER: home.id,
        "PATH": os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.environ.get("PYTHONPATH") or str(home.root),
        "PYTHONUNBUFFERED": "1",
        "SPT_NOENV": "1",  # setproctitle, which Airflow uses, would write over the marker that /proc/PID/environ shows
        "PYSPARK_PYTHON": python,  # unset, workers run whatever `python3` is
        "PYSPARK_DRIVER_PYTHON": python,
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": HOST,
        "JAVA_HOME": str(java),
    }


def spark_connection() -> str:
    """Where SparkSubmitOperator sends jobs unless the user says otherwise (AIRFLOW_CONN_SPARK_DEFAULT)."""
    return json.dumps({"conn_type": "spark", "host": f"local[{num_cores()}]", "extra": {"deploy-mode": "client"}})


def airflow_environment(home: Home, database_url: str, port: int, *, schedule: bool) -> dict[str, str]:
    """Airflow's own variables. `schedule` False: runs start by hand and by backfill only, so that unpausing a DAG does
    not start a run of today that nobody asked for. A value that the user has set in the environment stays."""
    address = f"http://{HOST}:{port}"
    settings = AIRFLOW | {
        "CORE__DAGS_FOLDER": str(home.root / "dags"),
        "CORE__PARALLELISM": str(max(4, 2 * num_cores())),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.keys / "ui_users.json"),
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": database_url,
        "API__HOST": HOST,
        "API__PORT": str(port),
        "API__BASE_URL": address,
        "LOGGING__BASE_LOG_FOLDER": str(home.logs / "tasks"),
        "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home.airflow / "bundles"),
        "SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
    }
    must_be_ours = ("DATABASE__", "API__HOST", "API__PORT", "API__BASE_URL", "CORE__EXECUTION_API")
    named = {f"AIRFLOW__{name}": value for name, value in settings.items()}
    chosen = {k: v for k, v in os.environ.items() if k in named and not k[9:].startswith(must_be_ours)}
    return {"AIRFLOW_HOME": str(home.airflow), **named, **chosen}


def pools() -> dict[str, int]:
    """Slots for what may not run side by side."""
    return {"ids": 1, "vocabulary": 1, "teacher": 1, "training": 1, "embedding": 1, "spark": num_cores()}


def api_password(home: Home) -> str:
    return keys.password(home.keys, "ui_password")


def write_secrets(home: Home) -> None:
    """Airflow's keys in its own configuration file (0600), not in the environment, which every job would inherit."""
    config = configparser.ConfigParser(interpolation=None)
    config["core"] = {"fernet_key": keys.key(home.keys, "fernet_key")}
    config["api"] = {"secret_key": keys.key(home.keys, "api_secret_key")}
    config["api_auth"] = {"jwt_secret": keys.key(home.keys, "jwt_secret", num_bytes=64)}
    text = io.StringIO()
    config.write(text)
    keys.write_private(home.airflow / "airflow.cfg", text.getvalue())
    keys.write_private(home.keys / "ui_users.json", json.dumps({API_USER: api_password(home)}))
