"""An export says what the table says, as JSON Lines, and lies where nothing is mistaken for something else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.config import ConfigError
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.recommend import export_instructions
from jobs.recommend.export_instructions import main
from models.recommend.prompts import Profile, next_item
from schemas.recommend_tables import INSTRUCTIONS
from tests.jobs.lakes import stage_rows, tree
from tests.jobs.raw import DAY
from tests.jobs.recommend.acted import GENERATION, configured, publish_catalogue, semantic_id

SPLITS = (("train", "valid"), ("valid", "test"), ("test", "test"))  # leave one out, by date


def _rows() -> list[dict]:
    """u1 acted on a to d, one a day; said in Chinese."""
    found = []
    for position, (leave_one_out, by_date) in enumerate(SPLITS, 1):
        history, answer = [semantic_id(i) for i in range(position)], semantic_id(position)
        row = {
            "instruction_id": f"{position:032x}",
            "task": "next_item",
            "language": "zh",
            "user_id": "u\u2028\"1'\\",  # what JSON must hide
            "note_id": "abcd"[position],
            "semantic_id": answer,
            "ts": datetime(2026, 1, 2 + position, tzinfo=UTC),
            "position": position,
            "leave_one_out": leave_one_out,
            "by_date": by_date,
            "history_note_ids": list("abcd"[:position]),
            "history_semantic_ids": history,
            **Profile()._asdict(),
            **next_item(Profile(), history, answer, "zh")._asdict(),
            "generation": GENERATION,
        }
        found.append(row)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose instructions of the day are published."""
    home = tmp_path_factory.mktemp("export")
    configured(home)
    lake = Lake.open(home / "lake")
    publish_catalogue(lake, DAY, {n: f"Note {n}" for n in "abcd"}, {}, set())
    stage_rows(lake, INSTRUCTIONS, DAY, _rows())
    publish(lake, INSTRUCTIONS, DAY)
    return home


def _arguments(home: Path, *more: str) -> list[str]:
    return ["--config", str(home / "config.yaml"), "--day", DAY, *more]


def test_every_row_is_a_line_of_its_split_and_reads_back(home: Path) -> None:
    main(_arguments(home))
    folder = home / "lake" / "exports" / "recommend_instructions" / f"ds={DAY}"
    for row in _rows():
        (line,) = (folder / f"{row['leave_one_out']}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        found = json.loads(line)
        assert list(found)[:3] == ["instruction", "input", "output"]
        assert found == {name: row[name] for name in found}
        assert {"user_id", "note_id", "semantic_id", "task"} <= set(found)
    assert json.loads((folder / "export.json").read_bytes())["lines"] == {"train": 1, "valid": 1, "test": 1}


def test_the_other_split_takes_the_place_of_the_first_and_the_same_one_is_the_same_bytes(home: Path) -> None:
    out = home / "lake" / "exports" / "mine"
    main(_arguments(home, "--out", str(out)))
    first = tree(out)
    main(_arguments(home, "--out", str(out), "--split", "by_date"))
    assert {name: content.count(b"\n") for name, content in tree(out).items() if "jsonl" in name} == {
        "train.jsonl": 0,
        "valid.jsonl": 1,
        "test.jsonl": 2,
    }
    main(_arguments(home, "--out", "lake/exports/mine"))  # relative to the configuration
    assert tree(out) == first
    assert [p.name for p in out.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    "out", ["/tmp/elsewhere", "lake/exports/../tables/notes_v1", "notes", "lake/exports"]
)
def test_a_folder_elsewhere_is_refused(home: Path, out: str) -> None:
    with pytest.raises(ConfigError, match="parameter out is"):
        main(_arguments(home, "--out", out))


def test_what_is_no_export_is_not_replaced(home: Path) -> None:
    folder = home / "lake" / "exports" / "letters"
    folder.mkdir(parents=True)
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(LakeError, match=r"letters is there and no earlier export"):
        main(_arguments(home, "--out", str(folder)))
    assert tree(folder) == {"letter.txt": b"dear"}


def test_an_export_that_fails_leaves_the_earlier_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = home / "lake" / "exports" / "kept"
    main(_arguments(home, "--out", str(out)))
    before = tree(out.parent)

    def broken(*_: object) -> object:
        yield "train", b"half\n"
        raise OSError("no space left")

    monkeypatch.setattr(export_instructions, "lines_of", broken)
    with pytest.raises(OSError, match="no space left"):
        main(_arguments(home, "--out", str(out)))
    assert tree(out.parent) == before


def test_a_day_that_is_not_published_is_named(home: Path) -> None:
    with pytest.raises(
        LakeError, match="table recommend_instructions has no published partition ds=2026-01-09"
    ):
        main(["--config", str(home / "config.yaml"), "--day", "2026-01-09"])
