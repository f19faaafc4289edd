"""The compose file, as far as it goes without an engine: whole, pinned, checked, and without a default password."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]


def test_the_whole_topology_is_there() -> None:
    assert sorted(SERVICES) == sorted(
        [
            "postgres",
            "init",
            "api-server",
            "scheduler",
            "dag-processor",
            "triggerer",
            "spark-master",
            "spark-worker-1",
            "spark-worker-2",
        ]
    )


def test_every_image_is_pinned() -> None:
    assert [n for n, s in SERVICES.items() if not re.fullmatch(r"[a-z]+:\d+[\w.-]+", s["image"])] == []
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11\.\d+-", dockerfile, re.MULTILINE)
    assert "USER notemill" in dockerfile


def test_every_service_that_stays_has_a_health_check() -> None:
    assert [n for n, s in SERVICES.items() if n != "init" and "healthcheck" not in s] == []


def test_every_secret_must_be_given_and_none_is_written_down() -> None:
    secrets = re.findall(r"\$\{([A-Z_]*(?:PASSWORD|SECRET|KEY)[A-Z_]*)(.*?)\}", TEXT)
    assert {name for name, _ in secrets} == {
        "POSTGRES_PASSWORD",
        "AIRFLOW_FERNET_KEY",
        "AIRFLOW_SECRET_KEY",
        "AIRFLOW_JWT_SECRET",
        "SPARK_AUTH_SECRET",
    }
    assert {rest for _, rest in secrets} == {":?run make env"}


def test_nothing_is_reached_from_outside_but_the_api_on_the_loopback() -> None:
    assert {n: s["ports"] for n, s in SERVICES.items() if "ports" in s} == {
        "api-server": ["127.0.0.1:8080:8080"]
    }


def test_everything_waits_for_what_it_needs() -> None:
    assert SERVICES["init"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert SERVICES[name]["depends_on"]["init"]["condition"] == "service_completed_successfully"
    assert SERVICES["spark-worker-1"]["depends_on"]["spark-master"]["condition"] == "service_healthy"


def test_every_pool_that_a_dag_names_is_made() -> None:
    made = set(re.findall(r"airflow pools set (\w+)", (ROOT / "deploy" / "init.sh").read_text()))
    named = set(
        re.findall(
            r'pool(?:: str)?\s*=\s*"(\w+)"', "".join(p.read_text() for p in (ROOT / "dags").glob("*.py"))
        )
    )
    assert named
    assert named <= made


def test_every_file_the_services_run_exists() -> None:
    named = set(re.findall(r"/opt/notemill/((?:deploy|dags)[\w./-]*)", TEXT))
    assert named
    assert [n for n in named if not (ROOT / n).exists()] == []
