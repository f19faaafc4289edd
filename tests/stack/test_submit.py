"""Reading spark-submit's command line, and choosing between the warm session and the real spark-submit."""

from __future__ import annotations

import pytest

from stack.warm.submit import parse

COMMAND = [
    "--master", "local[2]", "--conf", "spark.ui.enabled=false", "--conf", "a=b=c", "--properties-file", "p.conf",
    "--name", "x", "--deploy-mode", "client", "jobs/x.py", "--day", "2026-01-05", "--name", "y",
]  # fmt: skip


def test_options_end_at_the_application_and_the_rest_is_its_own() -> None:
    found = parse(COMMAND)
    assert found is not None
    assert found.application == "jobs/x.py"
    assert found.arguments == ["--day", "2026-01-05", "--name", "y"]
    assert found.last("--name") == "x"
    assert found.conf() == {"spark.ui.enabled": "false", "a": "b=c"}
    assert found.is_for_warm()


@pytest.mark.parametrize(
    "command",
    [
        ["--master", "spark://host:7077", "x.py"],
        ["--master", "yarn", "x.py"],
        ["--master=k8s://https://host", "x.py"],
        ["--master", "local[2]", "--deploy-mode", "cluster", "x.py"],
        ["--class", "org.example.Main", "x.jar"],
        ["--packages", "a:b:1", "x.py"],
        ["--remote", "sc://host", "x.py"],
    ],
)
def test_what_a_warm_session_cannot_do_goes_to_the_real_one(command: list[str]) -> None:
    found = parse(command)
    assert found is not None
    assert not found.is_for_warm()


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["--no-such-option", "x.py"], ["--name"], []])
def test_what_is_no_submission_is_left_to_the_real_one(command: list[str]) -> None:
    assert parse(command) is None


def test_a_value_may_follow_an_equals_sign() -> None:
    found = parse(["--conf=spark.a=b", "--verbose", "x.py"])
    assert found is not None
    assert found.conf() == {"spark.a": "b"}
    assert found.is_for_warm()
