"""The lake shows whole partitions only, whatever is killed when."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest

from jobs.lake import Lake, LakeError, day_text, days_before, exchange
from jobs.publish_table import BrokenPromiseError, publish
from jobs.staging import Plan, run_once
from schemas.table import Column, Table
from schemas.tables import NOTES, NOTES_QUARANTINE
from tests.crashes.killed import is_change
from tests.jobs.lakes import note, publish_notes, stage_rows, tree

DAY = "2026-01-05"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


def test_a_published_partition_is_plain_parquet_for_every_reader(lake: Lake) -> None:
    publish_notes(lake, DAY, [note("n1"), note("n2", "A stove")])
    folder = lake.place("tables", NOTES, DAY)
    assert sorted(p.suffix for p in folder.iterdir()) == [".parquet"]
    table = str(folder.parent)
    assert pl.scan_parquet(table).collect().height == 2
    with duckdb.connect() as reader:
        found = reader.execute(f"select count(*), min(ds)::varchar from '{table}/*/*.parquet'").fetchall()
    assert found[0] == (
        2,
        DAY,
    )
    assert ds.dataset(table, partitioning="hive").to_table()["note_id"].to_pylist() == ["n1", "n2"]


def test_the_manifest_tells_what_the_rows_were_made_from(lake: Lake) -> None:
    manifest = publish_notes(lake, DAY, [note("n1")])
    assert manifest["rows"] == 1
    assert manifest["counts"] == {"num_source": 1, "num_cleaned": 0, "num_quarantined": 0}
    assert lake.manifest(NOTES, DAY)["partition"] == lake.partition(NOTES, DAY) == manifest["partition"]


def test_a_broken_promise_leaves_the_last_good_partition(lake: Lake) -> None:
    publish_notes(lake, DAY, [note("n1")])
    before = tree(lake.root / "tables")
    with pytest.raises(
        BrokenPromiseError, match=r"note_id was promised to be unique, but 2 of 2 rows break it, e.g. n1"
    ):
        publish_notes(lake, DAY, [note("n1"), note("n1", "Another")], salt="second")
    assert tree(lake.root / "tables") == before
    pages = list(lake.place("audits", NOTES, DAY).glob("*.html"))
    assert len(pages) == 2
    assert any("What broke" in page.read_text() for page in pages)


def test_rows_that_do_not_add_up_are_not_published(lake: Lake) -> None:
    counts = {"num_source": 5, "num_cleaned": 1, "num_quarantined": 0}
    stage_rows(lake, NOTES_QUARANTINE, DAY, [], counts)
    stage_rows(lake, NOTES, DAY, [note("n1"), note("n2", "A stove")], counts)
    with pytest.raises(BrokenPromiseError, match=r"rows_unaccounted .* but it is 2"):
        publish(lake, NOTES, DAY)
    assert lake.days(NOTES) == []


def test_a_collapse_against_the_last_day_is_not_published(lake: Lake) -> None:
    publish_notes(lake, "2026-01-04", [note(f"n{i}", f"Title {i}") for i in range(10)])
    with pytest.raises(BrokenPromiseError, match=r"rows_against_last .* but it is 0.4"):
        publish_notes(lake, DAY, [note(f"n{i}", f"Title {i}") for i in range(4)])
    publish_notes(
        lake, DAY, [note(f"n{i}", f"Title {i}") for i in range(5)]
    )  # half is the bound, and still held


def test_the_replaced_partition_is_kept(lake: Lake) -> None:
    publish_notes(lake, DAY, [note("n1")])
    first = lake.partition(NOTES, DAY)
    publish_notes(lake, DAY, [note("n2")], salt="second")
    assert lake.partition(NOTES, DAY) != first
    assert [p.name for p in lake.place("replaced", NOTES, DAY).iterdir()] == [f"part-00000-{first}.parquet"]


def test_the_same_plan_is_not_computed_twice(lake: Lake) -> None:
    calls: list[str] = []
    plan = Plan("test", DAY, params={"salt": ""})

    def compute() -> None:
        calls.append("computed")
        stage_rows(lake, NOTES, DAY, [note("n1")], {"num_source": 1, "num_cleaned": 0, "num_quarantined": 0})
        stage_rows(lake, NOTES_QUARANTINE, DAY, [])

    for _ in range(2):
        run_once(lake, plan, (NOTES, NOTES_QUARANTINE), compute)
        publish(lake, NOTES, DAY)
    assert calls == ["computed"]


def test_publishing_without_anything_staged_says_which_job_to_run(lake: Lake) -> None:
    stage_rows(lake, NOTES_QUARANTINE, DAY, [])
    with pytest.raises(LakeError, match="nothing whole is staged for table notes ds=2026-01-05"):
        publish(lake, NOTES, DAY)


def test_rows_of_another_shape_are_refused_with_all_differences(lake: Lake) -> None:
    narrow = Table(
        "notes", 1, "note", (Column("note_id", "bigint", "id"), Column("spare", "string", "not ours"))
    )
    rows = [{"note_id": 1, "spare": "x"}]
    import pyarrow as pa

    from jobs.staging import stage_arrow

    frame = pa.Table.from_pylist(rows, schema=narrow.arrow_schema())
    with pytest.raises(LakeError) as error:
        stage_arrow(lake, NOTES, Plan("test", DAY), frame)
    for difference in (
        "column title (string) is missing",
        "column spare is not declared",
        "column note_id is int64",
    ):
        assert difference in str(error.value)


@pytest.mark.parametrize(
    "day", ["2026-1-05", "2026-02-30", "../../etc", "2026-01-05/../x", "", "2026-01-05\n"]
)
def test_a_day_that_is_no_day_never_becomes_a_path(lake: Lake, day: str) -> None:
    with pytest.raises(LakeError, match="parameter day"):
        lake.place("tables", NOTES, day)


def test_days_before_count_across_a_month() -> None:
    assert days_before("2026-03-02", 4) == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    assert day_text("2024-02-29") == "2024-02-29"


def test_a_folder_of_peoples_decisions_becomes_a_lake(tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    Lake.open(tmp_path)
    (tmp_path / "decisions" / "tag_vocabulary.csv").write_text("")
    assert Lake.open(tmp_path).root == tmp_path


def test_a_folder_of_something_else_is_not_taken_for_a_lake(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(LakeError, match="not a lake of notemill"):
        Lake.open(tmp_path)


def test_two_folders_change_places_in_one_step(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "new", tmp_path / "old")
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["new"]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["old"]


def _killed_at(step: int, root: Path, work: Callable[[], object]) -> bool:
    """Run `work` in a child that kills itself (-9) before its `step`-th change under `root`; whether it died."""
    child = os.fork()
    if child == 0:
        try:
            _arm(step, str(root))
            work()
        except BaseException:
            os._exit(99)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _arm(step: int, root: str) -> None:
    left = [step]

    def hook(event: str, args: tuple[object, ...]) -> None:
        is_exchange = event == "ctypes.dlsym" and "renameat2" in args
        if is_exchange or is_change(event, args, root):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def test_a_kill_at_any_step_of_a_publish_leaves_old_or_new_and_a_rerun_ends_in_the_same_bytes(
    tmp_path: Path,
) -> None:
    reference = Lake.open(tmp_path / "reference")
    old, new = [note("n1")], [note("n2"), note("n3", "A stove")]
    publish_notes(reference, DAY, old)
    publish_notes(reference, DAY, new, salt="new")
    wanted = tree(reference.root / "tables")
    lake = Lake.open(tmp_path / "lake")
    publish_notes(lake, DAY, old)
    old_tables = tree(lake.root / "tables")
    step, died = 0, True
    while died:
        died = _killed_at(step, lake.root, lambda: publish_notes(lake, DAY, new, salt="new"))
        seen = {k: v for k, v in tree(lake.root / "tables").items() if k.startswith(NOTES.folder)}
        assert seen in (
            {k: v for k, v in old_tables.items() if k.startswith(NOTES.folder)},
            {k: v for k, v in wanted.items() if k.startswith(NOTES.folder)},
        )
        step += 1
    assert step > 20  # it did stop at many steps
    assert tree(lake.root / "tables") == wanted
    assert list((lake.root / "staging").rglob("*.parquet")) == []
