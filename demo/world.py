"""The parameters of a generated world, what follows from them, and the one source of its randomness."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

VERSION = 1  # of the generator: raise it when the same seed makes other bytes
TIME_ZONE = "Asia/Shanghai"  # no summer time: a local day is 24 hours long
DAY_US = 86_400_000_000
EVENTS_PER_NOTE, EVENTS_PER_USER = 30, 50  # over the nine days of the small world
_LIMITS = {
    "notes": 50_000_000,
    "users": 100_000_000,
    "events": 10_000_000_000,
    "days": 366,
    "pictures": 1_000_000,
}
_AT_LEAST = {"notes": 50, "users": 5, "events": 100, "days": 1, "pictures": 0}
_PARTS = ("notes", "texts", "pictures", "users", "trial", "clicks", "robots", "dirt", "truth")


@dataclass(frozen=True)
class World:
    """One world: everything that decides its bytes."""

    seed: int
    notes: int
    users: int
    events: int
    days: int
    pictures: int
    end: str
    version: int = VERSION

    @property
    def first_day(self) -> date:
        """The first day on which events arrive."""
        return date.fromisoformat(self.end) - timedelta(days=self.days - 1)

    def day(self, index: int) -> str:
        """The day of that index as text, 0 the first."""
        return (self.first_day + timedelta(days=index)).isoformat()

    @property
    def start_us(self) -> int:
        """The first local midnight in UTC microseconds."""
        start = datetime.combine(self.first_day, datetime.min.time(), tzinfo=ZoneInfo(TIME_ZONE))
        return int((start - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

    def as_dict(self) -> dict[str, int | str]:
        """The parameters as plain values."""
        return dataclasses.asdict(self)


def resolve(
    *,
    seed: int,
    days: int,
    end: str,
    notes: int | None = None,
    users: int | None = None,
    events: int | None = None,
    pictures: int | None = None,
) -> World:
    """The world of these wishes; what is None follows from what is given.

    Raises `ValueError` naming the option that is out of its range.
    """
    _check_range("days", days)
    if notes is None:
        notes = 500 if events is None else min(max(500, events // 100), 1_000_000)
    if events is None:
        events = notes * EVENTS_PER_NOTE * days // 9 if users is None else users * EVENTS_PER_USER * days // 9
        events = max(events, _AT_LEAST["events"])
    if users is None:
        users = max(20, events * 9 // (EVENTS_PER_USER * days))
    pictures = min(notes, 5000) if pictures is None else min(notes, pictures)
    world = World(seed, notes, users, events, days, pictures, end)
    _check(world)
    return world


def _check(world: World) -> None:
    for name in _LIMITS:
        _check_range(name, getattr(world, name))
    if not 0 <= world.seed < 2**63:
        raise ValueError(f"--seed is {world.seed}; it must lie between 0 and 2**63 - 1")
    try:
        end = date.fromisoformat(world.end)
    except ValueError:
        raise ValueError(f"--end is {world.end!r}; it must be a day such as 2026-01-14") from None
    if not date(1990, 1, 1) <= end <= date(2200, 1, 1):
        raise ValueError(f"--end is {world.end}; it must lie between 1990-01-01 and 2200-01-01")
    # A lone spelling: 20260114 is the same day to Python, but the folders and world.json say 2026-01-14.
    if end.isoformat() != world.end:
        raise ValueError(f"--end is {world.end!r}; write it as {end.isoformat()}")


def _check_range(name: str, value: int) -> None:
    low, high = _AT_LEAST[name], _LIMITS[name]
    if not low <= value <= high:
        raise ValueError(f"--{name} is {value:,}; it must lie between {low:,} and {high:,}")


def rng_for(seed: int, part: str, *index: int) -> np.random.Generator:
    """The generator of one part of the world (of one chunk, day or note in it), independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_PARTS.index(part), *index)))


def log(line: str) -> None:
    """Tell the person who waits how far it is."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
