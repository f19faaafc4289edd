"""One seed, one world: to the byte, at any size, and never half of one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import main
from demo.build import build
from demo.world import World, resolve, rng_for

SMALL = resolve(seed=3, days=2, end="2026-01-14", notes=80, users=30, events=2000)


def hashes(folder: Path, under: str = "") -> dict[str, str]:
    files = sorted(path for path in (folder / under).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def world_of(**changed: int | str) -> World:
    return World(**{**SMALL.as_dict(), **changed})  # type: ignore[arg-type]


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    build(SMALL, tmp_path / "a")
    build(SMALL, tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert len(hashes(tmp_path / "a")) > 80


def test_another_process_makes_the_same_bytes(tmp_path: Path) -> None:
    build(SMALL, tmp_path / "a")
    options = ["--out", str(tmp_path / "b"), "--seed", "3", "--days", "2", "--notes", "80", "--users", "30"]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    command = [sys.executable, "-m", "demo", *options, "--events", "2000"]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_another_seed_makes_another_world(tmp_path: Path) -> None:
    build(SMALL, tmp_path / "a")
    build(world_of(seed=4), tmp_path / "b")
    for part in ("events", "notes", "users", "truth"):
        one, other = hashes(tmp_path / "a", part), hashes(tmp_path / "b", part)
        assert not set(one.values()) & set(other.values())


@pytest.mark.parametrize(
    ("changed", "same"),
    [({"events": 4000}, ("notes", "users", "images")), ({"users": 60}, ("notes", "images"))],
)
def test_a_size_shifts_only_what_it_is_about(
    tmp_path: Path, changed: dict[str, int], same: tuple[str, ...]
) -> None:
    build(SMALL, tmp_path / "a")
    build(world_of(**changed), tmp_path / "b")
    for part in same:
        assert hashes(tmp_path / "a", part) == hashes(tmp_path / "b", part)
    assert hashes(tmp_path / "a", "events") != hashes(tmp_path / "b", "events")


def test_the_log_has_about_the_size_that_was_asked_for(tmp_path: Path, small_world: Path) -> None:
    assert json.loads((small_world / "world.json").read_text())["written"]["events"] == pytest.approx(
        15_000, rel=0.1
    )
    build(world_of(events=60_000, users=900, notes=1500, pictures=0), tmp_path / "a")
    written = json.loads((tmp_path / "a" / "world.json").read_text())["written"]
    assert written["events"] == pytest.approx(60_000, rel=0.05)
    assert written["pictures"] == 0


def test_a_second_run_changes_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--out", str(tmp_path / "w"), "--notes", "60", "--days", "1", "--events", "300"]
    assert main(options) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*")}
    capsys.readouterr()
    assert main(options) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*")}


def test_a_folder_that_is_no_world_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"not empty and is no world.*choose another --out"):
        build(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_world_in_the_folder_is_named_by_what_differs(tmp_path: Path) -> None:
    build(SMALL, tmp_path / "w")
    with pytest.raises(FileExistsError, match=r"users is 30, asked for 31"):
        build(world_of(users=31), tmp_path / "w")


def test_a_run_that_was_killed_leaves_nothing_that_looks_like_a_world(tmp_path: Path) -> None:
    left = tmp_path / ".w.unfinished" / "events" / "ds=2026-01-13"
    left.mkdir(parents=True)
    (left / "part-00000.parquet").write_bytes(b"half of a file")
    build(SMALL, tmp_path / "w")
    build(SMALL, tmp_path / "v")
    assert hashes(tmp_path / "w") == hashes(tmp_path / "v")
    assert not left.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--notes", "3"], "--notes is 3; it must lie between 50 and"),
        (["--notes", "many"], "'many' is no whole number"),
        (["--days", "0"], "--days is 0; it must lie between 1 and 366"),
        (["--end", "14.01.2026"], "--end is '14.01.2026'; it must be a day such as 2026-01-14"),
        (["--end", "20260114"], "write it as 2026-01-14"),
        (["--seed", "-1"], "--seed is -1"),
        (["--events", "5"], "--events is 5"),
        (["--note", "500"], "unrecognized arguments: --note"),
    ],
)
def test_bad_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path / "w"), *options])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_sizes_that_are_not_given_follow_from_those_that_are() -> None:
    def sizes(**given: int) -> tuple[int, int, int]:
        world = resolve(seed=7, days=9, end="2026-01-14", **given)
        return world.notes, world.users, world.events

    assert sizes() == (500, 300, 15_000)
    assert sizes(notes=1000) == (1000, 600, 30_000)
    assert sizes(users=1000) == (500, 1000, 50_000)
    assert sizes(events=100_000_000) == (1_000_000, 2_000_000, 100_000_000)


def test_parts_of_the_world_draw_from_different_streams() -> None:
    first = [
        rng_for(7, part, *index).random()
        for part in ("notes", "clicks")
        for index in ((), (0,), (0, 0), (1,))
    ]
    assert len(set(first)) == len(first)
