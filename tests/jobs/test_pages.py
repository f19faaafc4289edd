"""The pages that are contracts agree with the code: every key with its default, every verdict, examples that load."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from jobs.config import Config, Ingest, Pairs, Quantizer, Recommend, Source, Tags, load_config
from schemas.tables import EVENT_KINDS, INPUTS

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
YOUR_DATA = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", CONFIGURATION, re.DOTALL)


SECTIONS = {"ingest": Ingest, "pairs": Pairs, "quantizer": Quantizer, "tags": Tags, "recommend": Recommend}


def rows_of_keys(part: str) -> dict[str, str]:
    """Key to the rest of its table row; `low`, `high` share one."""
    rows = re.findall(r"^\| (`[^|]*) \| (.*) \|$", part, re.MULTILINE)
    return {key: rest for keys, rest in rows for key in re.findall(r"`([^`]+)`", keys)}


def part_about(section: str) -> str:
    """What stands under the heading that ends with the section's key."""
    return re.split(rf"^## .*`{section}`$", CONFIGURATION, flags=re.MULTILINE)[1].split("\n## ")[0]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_is_explained_and_no_other(section: str) -> None:
    assert set(rows_of_keys(part_about(section))) == {f.name for f in dataclasses.fields(SECTIONS[section])}


def test_every_other_key_is_explained() -> None:
    keys = {f.name for f in dataclasses.fields(Config)} | {f"sources.*.{f.name}" for f in dataclasses.fields(Source)}
    assert keys - {"home", *SECTIONS} <= set(rows_of_keys(CONFIGURATION))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_defaults_on_the_page_are_those_of_the_code(section: str) -> None:
    rows = rows_of_keys(part_about(section))
    for field in dataclasses.fields(SECTIONS[section]):
        told = rows[field.name].split(" | ")[0].split(", ")
        assert str(field.default) in told or (field.default == "" and told[0] in ("none", "nobody")), field.name


def test_both_examples_load_and_the_long_one_holds_the_defaults(tmp_path: Path) -> None:
    short, long = EXAMPLES
    (tmp_path / "short.yaml").write_text(short)
    (tmp_path / "long.yaml").write_text(long)
    one, other = load_config(tmp_path / "short.yaml"), load_config(tmp_path / "long.yaml")
    assert one.source("events").path == tmp_path / "raw" / "events"
    assert other.source("events").columns["ts"] == "time"
    assert [(c.ingest, c.pairs, c.quantizer, c.tags, c.recommend) for c in (one, other)] == [
        (Ingest(), Pairs(), Quantizer(), Tags(), Recommend())
    ] * 2
    spelt_out = set(re.findall(r"^ *(\w+):", long, re.MULTILINE))
    fields = {f.name for kind in (Config, Source, *SECTIONS.values()) for f in dataclasses.fields(kind)}
    assert fields - {"home"} <= spelt_out


def test_every_column_and_kind_of_event_stands_on_the_page() -> None:
    names = {column.name for table in INPUTS for column in table.columns} | set(EVENT_KINDS)
    assert [name for name in sorted(names) if f"`{name}`" not in YOUR_DATA] == []


@pytest.mark.parametrize(
    ("job", "heading", "at_least"),
    [("logs/clean_events", "events", 5), ("notes/clean_notes", "notes", 5), ("logs/clean_users", "users", 3)],
)
def test_every_verdict_of_cleaning_is_explained_and_no_other(job: str, heading: str, at_least: int) -> None:
    tree = ast.parse((ROOT / "jobs" / f"{job}.py").read_text(encoding="utf-8"))
    judged = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "judged")
    whens = [
        call
        for call in ast.walk(judged)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".when")
    ]
    told = [call.args[1].value for call in whens if isinstance(call.args[1], ast.Constant)]
    verdicts = {verdict for verdict in told if not verdict.startswith("cleaned")}
    assert len(verdicts) >= at_least
    table = YOUR_DATA[YOUR_DATA.index(f"| {heading}: reason |") :].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == verdicts
