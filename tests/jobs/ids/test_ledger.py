"""The ledger: what it gave stays, whoever comes later, in whatever order, side by side or killed."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import jobs.artifact
import jobs.ids.ledger
from jobs.ids.ledger import Arrivals, Entries, Ledger
from jobs.lake import Lake, LakeError
from tests.jobs.lakes import tree

DAY = "2026-03-01"


@pytest.fixture
def ledger(lake: Lake) -> Ledger:
    return Ledger(lake, "g0")


def arrivals_of(notes: dict[str, list[int]]) -> Arrivals:
    hashes = [hashlib.sha256(f"content of {n}".encode()).hexdigest() for n in notes]
    codes = np.array(list(notes.values()), dtype=np.int32)
    return Arrivals.in_order(pa.chunked_array([list(notes)]), pa.chunked_array([hashes]), codes)[0]


def give(ledger: Ledger, notes: dict[str, list[int]], day: str = DAY) -> Entries:
    arrivals = arrivals_of(notes)
    return ledger.give(arrivals, lambda new, _: arrivals.codes_NL[new], day)


def rows(entries: Entries) -> dict[str, tuple[list[int], int, str]]:
    found = entries.rows.to_pylist()
    return {r["note_id"]: (r["codes"], r["tie_break"], str(r["since"])) for r in found}


def test_an_empty_ledger_has_no_rows_and_no_files(ledger: Ledger) -> None:
    assert len(ledger.read().rows) == 0
    assert ledger.read().last == 0
    assert not ledger.folder.exists()


def test_tie_breaks_rank_notes_of_the_same_codes_in_order_of_arrival(ledger: Ledger) -> None:
    give(ledger, {"a": [1, 2]})
    give(ledger, {"b": [1, 3]}, "2026-03-02")
    found = rows(give(ledger, {"c": [1, 2], "d": [9, 9]}, "2026-02-01"))
    assert found == {
        "a": ([1, 2], 0, "2026-03-01"),
        "b": ([1, 3], 0, "2026-03-02"),
        "c": ([1, 2], 1, "2026-02-01"),
        "d": ([9, 9], 0, "2026-02-01"),
    }


def test_notes_of_one_run_arrive_in_the_order_of_their_hashes_however_they_come(tmp_path: Path) -> None:
    notes = {name: [5, 5] for name in "abcdefgh"}
    there, back = Ledger(Lake.open(tmp_path / "there"), "g0"), Ledger(Lake.open(tmp_path / "back"), "g0")
    give(there, notes)
    give(back, dict(reversed(notes.items())))
    assert tree(there.folder) == tree(back.folder)
    ranks = {name: found[1] for name, found in rows(there.read()).items()}
    assert sorted(ranks.values()) == list(range(8))
    assert list(ranks) != sorted(ranks)


def test_a_given_id_stays_and_earlier_files_keep_their_bytes(ledger: Ledger) -> None:
    give(ledger, {"a": [1, 2], "b": [1, 2]})
    before, files = rows(ledger.read()), tree(ledger.folder)
    after = rows(give(ledger, {"a": [7, 7], "c": [1, 2]}, "2026-03-02"))
    assert {n: after[n] for n in before} == before
    assert after["c"] == ([1, 2], 2, "2026-03-02")
    assert files.items() <= tree(ledger.folder).items()
    assert sorted(tree(ledger.folder)) == ["000001.parquet", "000002.parquet"]


def test_giving_the_same_notes_again_writes_nothing(ledger: Ledger) -> None:
    give(ledger, {"a": [1, 2]})
    files = tree(ledger.folder)
    give(ledger, {"a": [1, 2]}, "2026-03-09")
    assert tree(ledger.folder) == files


def test_who_loses_the_race_for_a_number_ranks_after_the_winner(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    real, raced = jobs.ids.ledger.create_numbered, []

    def slow(folder: Path, number: int, *rest: Any) -> Path:
        if not raced:
            raced.append(number)
            give(ledger, {"winner": [1, 2], "both": [1, 2]})
        return real(folder, number, *rest)

    monkeypatch.setattr("jobs.ids.ledger.create_numbered", slow)
    found = rows(give(ledger, {"loser": [1, 2], "both": [1, 2]}, "2026-03-02"))
    assert {found["winner"][1], found["both"][1]} == {0, 1}
    assert found["both"][2] == "2026-03-01"
    assert found["loser"] == ([1, 2], 2, "2026-03-02")
    assert sorted(tree(ledger.folder)) == ["000001.parquet", "000002.parquet"]


def test_many_days_side_by_side_give_every_note_one_id_and_no_id_twice(ledger: Ledger) -> None:
    def day(number: int) -> None:
        give(ledger, {f"n{i}": [i % 3, 0] for i in range(number, number + 10)}, f"2026-03-{number + 1:02d}")

    threads = [threading.Thread(target=day, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ledger.read().rows.to_pylist()
    assert sorted(r["note_id"] for r in found) == sorted(f"n{i}" for i in range(17))
    assert len({(tuple(r["codes"]), r["tie_break"]) for r in found}) == 17
    for code in range(3):
        assert sorted(r["tie_break"] for r in found if r["codes"] == [code, 0]) == list(range(len(range(code, 17, 3))))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_leaves_a_whole_file_or_none_and_the_rerun_ends_the_same(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    unharmed = Ledger(Lake.open(tmp_path / "unharmed"), "g0")
    for target in (unharmed, ledger):
        give(target, {"a": [1, 2]})
    give(unharmed, {"b": [1, 2], "c": [1, 2]})

    def killed(*paths: Any) -> None:
        if when == "after":
            real(*paths)
        raise KeyboardInterrupt

    real = os.link
    with monkeypatch.context() as patch:
        patch.setattr(jobs.artifact.os, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            give(ledger, {"b": [1, 2], "c": [1, 2]})
    assert len(ledger.read().rows) == (3 if when == "after" else 1)
    give(ledger, {"b": [1, 2], "c": [1, 2]})
    assert tree(ledger.folder) == tree(unharmed.folder)


def test_what_a_killed_run_wrote_half_is_not_read(ledger: Ledger) -> None:
    give(ledger, {"a": [1, 2]})
    (ledger.folder / ".half.000002.77.1").write_bytes(b"PAR1 half")
    assert list(rows(give(ledger, {"b": [1, 2]}))) == ["a", "b"]


def test_a_lost_or_broken_file_stops_the_run_with_its_name(ledger: Ledger) -> None:
    give(ledger, {"a": [1, 2]})
    give(ledger, {"b": [1, 2]})
    whole = (ledger.folder / "000001.parquet").read_bytes()
    (ledger.folder / "000001.parquet").unlink()
    with pytest.raises(LakeError, match=r"lacks 000001.parquet"):
        ledger.read()
    (ledger.folder / "000001.parquet").write_bytes(whole[:40])
    with pytest.raises(LakeError, match=r"000001.parquet is no whole file of the ledger"):
        ledger.read()


def test_generations_have_ledgers_of_their_own(ledger: Ledger, lake: Lake) -> None:
    give(ledger, {"a": [1, 2]})
    assert rows(give(Ledger(lake, "g1"), {"a": [3, 4]}))["a"] == ([3, 4], 0, DAY)
    assert rows(ledger.read())["a"] == ([1, 2], 0, DAY)
