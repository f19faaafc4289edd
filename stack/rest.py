"""Airflow's public REST API (/api/v2), as any client would use it. Standard library only."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from stack.environment import API_USER, api_password
from stack.home import Home, StackError

TIMEOUT = 30.0
NUM_TRIES = 8  # 35 seconds: a server that was killed is restarted, which takes 15 on quiet cores
LONGEST_PAUSE = 10.0


class RestError(StackError):
    """An answer that is no success. `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Airflow:
    """One API server and who we are there."""

    address: str
    user: str
    password: str = field(repr=False)
    _token: str = field(default="", repr=False)

    @classmethod
    def of(cls, home: Home, address: str) -> Airflow:
        return cls(address, API_USER, api_password(home))

    def set_pool(self, name: str, slots: int) -> None:
        """Create the pool, or give the one that is there this number of slots."""
        body = {"name": name, "slots": slots, "description": "", "include_deferred": False}
        try:
            self.call("POST", "pools", body)
        except RestError as error:
            if error.status != 409:
                raise
            self.call("PATCH", f"pools/{quote(name)}?update_mask=slots", body)

    def wait_for_dag(self, dag_id: str, seconds: float = 60.0) -> None:
        """Return when the DAG processor has put the DAG into the database. Raises StackError with the import error."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.call("GET", f"dags/{quote(dag_id)}")
                return
            except RestError as error:
                if error.status != 404:
                    raise
            wrong = self.call("GET", "importErrors")["import_errors"]
            if wrong:
                raise StackError(f"{wrong[0]['filename']} cannot be imported:\n{wrong[0]['stack_trace']}")
            if time.monotonic() > deadline:
                raise StackError(f"there is no DAG {dag_id} in the dags folder")
            time.sleep(0.3)

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{quote(dag_id)}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a manual run; its id."""
        return str(self.call("POST", f"dags/{quote(dag_id)}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")
        return found

    def backfill_runs(self, dag_id: str, first: str, last: str) -> list[dict[str, Any]]:
        """Runs that backfills have made for the days from `first` to `last`, both included, oldest day first."""
        bounds = {"logical_date_gte": f"{first}T00:00:00Z", "logical_date_lte": f"{last}T23:59:59Z"}
        query = urllib.parse.urlencode(
            {"run_type": "backfill", "limit": 1000, "order_by": "logical_date", **bounds}
        )
        found: list[dict[str, Any]] = self.call("GET", f"dags/{quote(dag_id)}/dagRuns?{query}")["dag_runs"]
        return found

    def backfills(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"backfills?dag_id={quote(dag_id)}&limit=1000")["backfills"]
        return found

    def tasks(self, dag_id: str, since: str) -> list[dict[str, Any]]:
        """Task instances of all the DAG's runs that have changed since `since` (ISO time)."""
        query = urllib.parse.urlencode({"limit": 1000, "updated_at_gte": since, "order_by": "-start_date"})
        path = f"dags/{quote(dag_id)}/dagRuns/~/taskInstances?{query}"
        found: list[dict[str, Any]] = self.call("GET", path)["task_instances"]
        return found

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request. A server that is away for a moment is asked again; a token that ran out is renewed.

        Raises RestError with the server's own words.
        """
        for attempt in range(NUM_TRIES):
            try:
                return self._send(method, f"/api/v2/{path}", body, self._token or self._log_in())
            except RestError as error:
                if error.status != 401 or attempt:
                    raise
                self._token = ""
            except OSError as error:
                if attempt == NUM_TRIES - 1:
                    raise StackError(f"the API server at {self.address} does not answer: {error}") from error
                time.sleep(min(LONGEST_PAUSE, 2.0**attempt * 0.5))
        raise StackError(f"the API server at {self.address} refuses our login")

    def _log_in(self) -> str:
        answer = self._send("POST", "/auth/token", {"username": self.user, "password": self.password}, "")
        self._token = str(answer["access_token"])
        return self._token

    def _send(self, method: str, path: str, body: Any, token: str) -> Any:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode() if body is not None else None
        asked = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with LOCAL.open(asked, timeout=TIMEOUT) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")[:2000]
            raise RestError(error.code, f"{method} {path} answered {error.code}: {text}") from error


# The server is on the loopback: a proxy that the environment names must not see its requests.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def quote(part: str) -> str:
    return urllib.parse.quote(part, safe="")
