"""Importers as a user calls them: the whole command on small files, and what it says where a file is not as expected."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.config import load_config
from jobs.importers import amazon_beauty, amazon_office_dated, amazon_scientific, fashion, online_retail
from jobs.importers.raw_folder import ImporterError

PRODUCTS = (
    "id,gender,masterCategory,subCategory,articleType,year,productDisplayName,image\n"
    '10001,Women,Apparel,Bottomwear,Skirts,2011.0,"Blue ""Jema"" Skirt",images/10001.jpg\n'
)
ROOT = Path(__file__).resolve().parents[3]


def till_roll(folder: Path, **columns: pa.Array) -> None:
    """A till roll of one line, with some columns exchanged."""
    folder.mkdir(parents=True)
    good = {
        "Description": pa.array(["RED MUG"]),
        "Quantity": pa.array([1]),
        "InvoiceDate": pa.array([datetime(2011, 7, 1, 8, 26)], pa.timestamp("ns")),
        "UnitPrice": pa.array([2.5]),
        "CustomerID": pa.array([17850.0]),
        "Country": pa.array(["France"]),
    }
    pq.write_table(pa.table({**good, **columns}), folder / "online_retail.parquet")


def test_a_till_roll_is_imported(tmp_path: Path) -> None:
    till_roll(tmp_path / "in")
    online_retail.main(["--from", str(tmp_path / "in"), "--to", str(tmp_path / "out")])
    (event,) = pq.read_table(
        tmp_path / "out/events/ds=2011-07-01/part-00000.parquet", partitioning=None
    ).to_pylist()
    assert event == {
        "user_id": "17850",
        "note_id": "RED MUG",
        "event": "click",
        "ts": datetime(2011, 7, 1, 7, 26, tzinfo=UTC),
        "query": None,
    }
    assert load_config(tmp_path / "out" / "config.yaml").ingest.robot_events_per_minute == 1000


def test_photographs_are_imported_without_being_copied(tmp_path: Path) -> None:
    (tmp_path / "in" / "images").mkdir(parents=True)
    (tmp_path / "in" / "products.csv").write_text(PRODUCTS)
    fashion.main(["--from", str(tmp_path / "in"), "--to", str(tmp_path / "out")])
    (note,) = pq.read_table(tmp_path / "out/notes/part-00000.parquet").to_pylist()
    assert note["title"] == 'Blue "Jema" Skirt'
    assert (note["category"], note["hashtags"]) == (["Apparel", "Bottomwear"], [])
    assert note["image_uris"] == ["10001.jpg"]
    assert note["created_at"] == datetime(2011, 1, 1, tzinfo=UTC)
    config = load_config(tmp_path / "out" / "config.yaml")
    assert config.image_roots == ((tmp_path / "in" / "images").resolve(),)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["config.yaml", "events", "import.json", "notes"]


@pytest.mark.parametrize("module", [amazon_beauty, amazon_scientific])
def test_sequences_are_imported_on_the_days_asked_for(tmp_path: Path, module: object) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = {"user_id": [1, 1, 1], "pos": [0, 1, 2], "item_id": [7, 8, 9], "split": ["train", "valid", "test"]}
    pq.write_table(pa.table(rows), folder / "interactions.parquet")
    categories = '[["Beauty"]]' if module is amazon_beauty else '"Beauty"'
    line = '{{"item_id": {}, "title": "t", "description": "", "brand": "b", "categories": {}}}\n'
    (folder / "items.jsonl").write_text("".join(line.format(item, categories) for item in (7, 8, 9)))
    arguments = ["--from", str(folder), "--to", str(tmp_path / "out"), "--start", "2020-02-28", "--days", "3"]
    module.main(arguments)  # type: ignore[attr-defined]
    days = sorted(p.name for p in (tmp_path / "out" / "events").iterdir())
    assert days == ["ds=2020-02-28", "ds=2020-02-29", "ds=2020-03-01"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (None, "there is no such folder"),
        ({"readme.txt": "hello"}, r"the file events\.parquet is not there \(it holds readme\.txt\)"),
        ({"events.parquet": "PAR1", "items.jsonl": ""}, r"events\.parquet is truncated or not Parquet"),
        ({"events.parquet": "", "items.jsonl": "{\n"}, r"items\.jsonl, line 1 is not JSON"),
        (
            {"events.parquet": "", "items.jsonl": '{"item_id": 1}\n'},
            r"items\.jsonl, line 1: no column title, description \(it has item_id\)",
        ),
    ],
)
def test_files_that_are_absent_or_other_are_told_by_name(
    tmp_path: Path, files: dict[str, str] | None, said: str
) -> None:
    for name, text in (files or {}).items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    with pytest.raises(ImporterError, match=said):
        amazon_office_dated.main(["--from", str(tmp_path / "in"), "--to", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_column_that_is_absent_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("id,title\n")
    with pytest.raises(ImporterError, match=r"no column masterCategory, .* \(it has id, title\)"):
        fashion.main(["--from", str(tmp_path), "--to", str(tmp_path / "out")])


def test_a_known_error_ends_the_process_with_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "jobs.importers.fashion",
        "--from",
        str(tmp_path / "no"),
        "--to",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == f"notemill: --from {tmp_path / 'no'}: there is no such folder\n"
    assert done.stderr == ""
