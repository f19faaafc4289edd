"""Give sequences without times synthetic ones, so that a daily pipeline can run on them.

The leave-one-out sets of sequential recommendation hold each user's items in order, the last one for test and the one
before it for validation, and no times. Here the train items of every user spread evenly over the first days, the
validation item falls on the last day but one and the test item on the last. So

- sorting a user's events by `ts` gives exactly the published order;
- the split is the date: last day test, last but one valid, all before train. The tables of a day of training hold
  nothing of validation or test.

With the default of nine days the train events fill exactly the one-week window of `build_pairs` on day seven. The times
mean nothing else: no weekday, no rhythm, no rising and falling of notes.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from jobs.importers.raw_folder import Event, ImporterError
from jobs.lake import day_text

COLUMNS = ("user_id", "pos", "item_id", "split")
START = "2018-01-01"
DAYS = 9
_DAY = 24 * 3600 * 1_000_000
_PHASES = 2**32


def add_day_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`--start` and `--days` of the synthetic time."""
    parser.add_argument("--start", type=calendar_day, default=START, help="the first day, YYYY-MM-DD")
    parser.add_argument(
        "--days", type=int, default=DAYS, help="how many days; the last two are valid and test"
    )
    return parser


def calendar_day(text: str) -> date:
    """The day written YYYY-MM-DD. Raises `LakeError`."""
    return date.fromisoformat(day_text(text))


def clicks(rows: Iterable[tuple[int, int, int, str]], *, start: date, days: int) -> list[Event]:
    """A click for every row (user, place in the user's sequence, item, split), at its synthetic time.

    Raises `ImporterError` where there are fewer than three days or a user's split is not leave-one-out.
    """
    if days < 3:
        raise ImporterError(f"--days is {days}: at least 3 are needed, for train, valid and test")
    sequences: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for user, pos, item, split in rows:
        sequences[user].append((pos, item, split))
    first = midnight(start)
    events = []
    for user, sequence in sorted(sequences.items()):
        sequence.sort()
        _require_leave_one_out(user, sequence)
        times = microseconds(str(user), len(sequence), days)
        for (_, item, _), passed in zip(sequence, times, strict=True):
            events.append(Event(str(user), str(item), "click", first + timedelta(microseconds=passed)))
    return events


def microseconds(user: str, length: int, days: int) -> list[int]:
    """When the items of a sequence happen, in microseconds after the first midnight; strictly rising.

    Train item k of m lies at (k + phase) / m of the train days; the phase, in [0, 1), is the user's own (a hash), so
    that all days hold about equally many events.
    """
    phase = int.from_bytes(hashlib.sha256(user.encode()).digest()[:4])
    num_train = length - 2
    train = [(k * _PHASES + phase) * (days - 2) * _DAY // (num_train * _PHASES) for k in range(num_train)]
    of_day = phase * _DAY // _PHASES
    return [*train, (days - 2) * _DAY + of_day, (days - 1) * _DAY + of_day]


def midnight(day: date) -> datetime:
    """The first instant of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def _require_leave_one_out(user: int, sequence: list[tuple[int, int, str]]) -> None:
    found = [split for _, _, split in sequence]
    if found != ["train"] * (len(found) - 2) + ["valid", "test"]:
        raise ImporterError(
            f"interactions.parquet: the split of user {user} is {', '.join(found)}; the last item must be test, the "
            "one before it valid and all others train, or the split could not be told from the days"
        )
