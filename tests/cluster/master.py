"""What the Spark master says about its workers and applications, over the JSON form of its page."""

from __future__ import annotations

import json
from typing import Any

from stack.ports import HOST
from stack.rest import LOCAL


def state(port: int) -> dict[str, Any]:
    """Raises OSError where it does not answer."""
    with LOCAL.open(f"http://{HOST}:{port}/json/", timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def answers(port: int) -> bool:
    try:
        return bool(state(port)["status"] == "ALIVE")
    except OSError:
        return False


def num_workers(port: int) -> int:
    """Workers that are alive."""
    try:
        return sum(worker["state"] == "ALIVE" for worker in state(port)["workers"])
    except OSError:
        return 0


def running(port: int) -> dict[str, str]:
    """Names of the applications that run, by id."""
    return {app["id"]: app["name"] for app in state(port)["activeapps"]}


def completed(port: int) -> list[dict[str, Any]]:
    """Applications that have ended: `id`, `name`, `state` (FINISHED, FAILED, ...)."""
    return [{key: app[key] for key in ("id", "name", "state")} for app in state(port)["completedapps"]]
