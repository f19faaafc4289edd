"""Which published days of events a job's window holds, and whether it may begin without the others."""

from __future__ import annotations

import argparse

from jobs.config import Config, optional_day, yes_or_no
from jobs.lake import Lake, LakeError, days_before
from jobs.sources import delivered_days
from schemas.tables import EVENTS


def event_days(
    config: Config, lake: Lake, job: str, day: str, count: int, since: str | None, allow_gaps: bool
) -> list[str]:
    """Those of the `count` days that end with `day` whose events are published.

    Raises `LakeError` where the source has a day of them that is not, from `since` on (or from the first day that is
    published at all), unless gaps are allowed: days that run side by side would otherwise see more or less of their
    window by chance, and the result would depend on it.
    """
    days = days_before(day, count)
    published = [d for d in days if lake.partition(EVENTS, d)]
    first = since or next(iter(lake.days(EVENTS)), day)
    missing = [d for d in delivered_days(config, days) if d >= first and d not in published]
    if missing and not allow_gaps:
        raise LakeError(
            f"{job} ds={day} needs the days {days[0]} to {days[-1]}, but events of {', '.join(missing)} are "
            "delivered and not published yet: run those days first (a backfill in order does), or trigger with allow_gaps"
        )
    return published


def add_window_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`--since` and `--allow-gaps`: which days of its window a job waits for."""
    parser.add_argument("--since", type=optional_day, help="no day before this one is waited for")
    parser.add_argument("--allow-gaps", type=yes_or_no, default=False, help="true: also where days are missing")
    return parser
