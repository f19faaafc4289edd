"""The table of rooms in CONTRIBUTING.md, held: who may import whom, and what stays out of a room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("schemas", "models", "jobs", "dags", "demo", "stack", "benchmarks", "tests")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "models": {"models", "schemas"},
    "jobs": {"jobs", "models", "schemas"},
    "dags": {"dags", "schemas"},
    "demo": {"demo", "models", "schemas"},
    "stack": {"stack", "jobs", "schemas"},
    "benchmarks": set(ROOMS),
}
KEEPS_OUT = {
    "schemas": {"pyspark", "torch", "airflow", "great_expectations"},
    "models": {"pyspark", "airflow", "argparse", "great_expectations", "requests", "urllib.request"},
    "jobs": {"airflow"},
    "dags": {"pyspark", "torch", "great_expectations", "transformers", "pandas"},
    "demo": {"pyspark", "airflow"},
}
FORBIDDEN_NAMES = {"utils", "common", "core", "base", "helpers"}
UNSAFE_CALLS = {"pickle.load", "pickle.loads", "yaml.load", "torch.load", "os.system", "eval", "exec"}


def _files(room: str) -> list[Path]:
    return [p for p in sorted((ROOT / room).rglob("*.py")) if "__pycache__" not in p.parts]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
    return found


def _calls(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_it_may(room: str) -> None:
    files = _files(room)
    assert files, f"no file found under {room}: this test would prove nothing"
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(_imports(path))
        if name.split(".")[0] in ROOMS and name.split(".")[0] not in MAY_IMPORT[room]
    ]
    assert wrong == []


@pytest.mark.parametrize("room", KEEPS_OUT)
def test_what_a_room_keeps_out_stays_out(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files(room)
        for name in sorted(_imports(path))
        if name in KEEPS_OUT[room] or name.split(".")[0] in KEEPS_OUT[room]
    ]
    assert wrong == []


def test_a_world_is_generated_without_torch_and_only_its_teacher_needs_it() -> None:
    needs = [p for p in _files("demo") if any(n.split(".")[0] in {"torch", "transformers"} for n in _imports(p))]
    assert needs, "no file of the demo imports torch: this test would prove nothing"
    assert {p.parent for p in needs} == {ROOT / "demo" / "teacher"}


def test_no_file_is_called_by_what_it_is_not_about() -> None:
    wrong = [
        p
        for room in ROOMS
        for p in _files(room)
        if FORBIDDEN_NAMES & {part.removesuffix(".py") for part in p.parts}
    ]
    assert wrong == []


def test_nothing_unpickles_evaluates_or_builds_shell_lines() -> None:
    rooms = [room for room in ROOMS if room != "tests"]
    wrong = [
        f"{p.relative_to(ROOT)}: {call}"
        for room in rooms
        for p in _files(room)
        for call in sorted(_calls(p) & UNSAFE_CALLS)
    ]
    assert wrong == []


def test_every_job_states_what_it_reads_and_writes_and_takes_a_day() -> None:
    jobs = [
        p
        for p in _files("jobs")
        if "def arg_parser(" in p.read_text(encoding="utf-8") and "importers" not in p.parts
    ]
    assert len(jobs) >= 7
    # No step of a day: a pointer moved, figures printed.
    by_hand = {"promote_quantizer.py", "rollback_quantizer.py", "report_health.py"}
    for path in (p for p in jobs if p.name not in by_hand):
        text = path.read_text(encoding="utf-8")
        assert "\nREADS" in text, path
        assert "\nWRITES" in text, path
        assert "add_run_arguments(" in text, path
