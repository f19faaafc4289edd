"""What is put wrong on purpose, where, and how often: the kinds exclude each other, so that counts add up.

Rows of the log: exact duplicates, unknown notes, times in the future, too-late rows, robots; and, lawful but
worth counting, rows that arrive one or two days late. Pictures: cut short, empty, text in disguise, missing.
Notes: near-empty, the text of another, one id with two contents (these are drawn in `demo.notes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from demo.cells import Ids
from demo.clicks import Rows, Town, joined, start_of_day
from demo.notes import Notes, note_id
from demo.world import DAY_US, World, rng_for

NUM_UNKNOWN = 40  # ids in the log that belong to no note
ROBOT_SHARE = 0.03  # of the rows of a day
ROBOT_BURST = (140, 200)  # rows of one robot within half a minute
_FROM_ROWS = 1200  # a day of fewer rows has no robots, else they would be most of it
_SHARES = {"duplicate": 0.008, "unknown_note": 0.004, "future": 0.001, "too_late": 0.0025}
ADDED_SHARE = sum(_SHARES.values())  # rows of these kinds come on top of the lawful ones
_BROKEN_SHARE = 0.01
_BROKEN_KINDS = ("cut_short", "text_in_disguise", "empty", "missing")


@dataclass
class Record:
    """What was put wrong, line by line: (kind, place, day or None, subject or None, rows)."""

    lines: list[tuple[str, str, str | None, str | None, int]] = field(default_factory=list)

    def add(self, kind: str, place: str, day: str | None, subject: str | None, num_rows: int) -> None:
        """Note one thing down; nothing where there is none of it."""
        if num_rows:
            self.lines.append((kind, place, day, subject, num_rows))


def unknown_id(number: int) -> str:
    """An id that no note has."""
    return f"gone{number:04d}"


def num_bursts(day_rows: int) -> int:
    """How many bursts of robots a day of that many rows has."""
    return 0 if day_rows < _FROM_ROWS else max(1, round(ROBOT_SHARE * day_rows / (sum(ROBOT_BURST) / 2)))


def spoilt(town: Town, rows: Rows, rng: np.random.Generator, at_least: int) -> tuple[Rows, dict[str, int]]:
    """The rows with wrong ones added, and how many of each kind; lawful late rows are counted too."""
    on_time = np.flatnonzero(rows.arrived_us == rows.ts_us)
    counts = {
        kind: min(max(at_least, round(s * len(rows.user))), len(on_time) // 4) for kind, s in _SHARES.items()
    }
    chosen = rng.choice(on_time, sum(counts.values()), replace=False)
    ends = np.cumsum(list(counts.values()))[:-1]
    twice, unknown, future, late = (rows.take(which) for which in np.split(chosen, ends))
    twice.arrived_us[:] += rng.integers(1, 30_000_000, len(twice.user))
    unknown.note[:] = len(town.notes) + rng.integers(0, NUM_UNKNOWN, len(unknown.user))
    future.ts_us[:] += rng.integers(1, 401, len(future.user)) * DAY_US
    late.ts_us[:] -= rng.integers(4, 21, len(late.user)) * DAY_US
    found = counts | {"late_lawful": len(rows.user) - len(on_time)}
    return joined([rows, twice, unknown, future, late]), found


def robot_rows(
    town: Town, day: int, quantiles: tuple[float, float], bursts: int, rng: np.random.Generator
) -> Rows:
    """Bursts of robots within a stretch of the day, each within one minute of the clock, on random notes."""
    old = town.notes.created_us < town.world.start_us - 3 * DAY_US
    notes = np.flatnonzero(old & (town.notes.popularity > 0))
    lengths = rng.integers(*ROBOT_BURST, bursts) if len(notes) else np.zeros(bursts, dtype=np.int64)
    robots = town.users.num_people + rng.integers(0, town.users.num_robots, bursts)
    minute = 60_000_000
    starts = start_of_day(rng.uniform(*quantiles, bursts)) // minute * minute
    starts = np.minimum(starts, DAY_US - minute) + town.world.start_us + day * DAY_US
    count = int(lengths.sum())
    ts_us = np.repeat(starts, lengths) + 2_000_000
    ts_us += rng.integers(0, 30_000_000, count)
    nothing: Ids = np.full(count, -1)
    kinds = (rng.random(count) < 0.3).astype(np.int8)
    return Rows(
        np.repeat(robots, lengths),
        notes[rng.integers(0, max(1, len(notes)), count)],
        kinds,
        ts_us,
        nothing,
        ts_us,
    )


def broken_pictures(world: World, notes: Notes) -> dict[int, str]:
    """Which notes have a broken picture, and in which way; each way at least once."""
    rng, pictured = rng_for(world.seed, "dirt", 1), np.flatnonzero(notes.has_picture & (notes.popularity > 0))
    count = min(max(len(_BROKEN_KINDS), int(len(pictured) * _BROKEN_SHARE)), len(pictured) // 2)
    chosen = np.sort(rng.choice(pictured, count, replace=False)).tolist()
    return {note: _BROKEN_KINDS[i % len(_BROKEN_KINDS)] for i, note in enumerate(chosen)}


def break_pictures(world: World, notes: Notes, folder: Path, record: Record) -> None:
    """Spoil the pictures that are to be broken, and note each of them down."""
    for note, kind in broken_pictures(world, notes).items():
        path = folder / notes.picture_name(note)
        if kind == "missing":
            path.unlink()
        elif kind == "cut_short":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
        elif kind == "empty":
            path.write_bytes(b"")
        else:
            path.write_text("<html><body>404: this picture is gone</body></html>\n", encoding="utf-8")
        record.add(f"picture_{kind}", "images", None, note_id(note), 1)


def record_notes(notes: Notes, record: Record) -> None:
    """Note down what is wrong with the notes themselves; of a shared text, every copy but the first."""
    for note in np.flatnonzero(notes.is_near_empty).tolist():
        record.add("near_empty_note", "notes", None, note_id(note), 1)
    for note in np.flatnonzero(notes.is_conflicting).tolist():
        record.add("conflicting_note", "notes", None, note_id(note), 2)
    for note in np.flatnonzero(notes.text_of != np.arange(len(notes))).tolist():
        record.add("duplicate_text", "notes", None, note_id(note), 1)
