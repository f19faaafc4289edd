"""Which days of its week a day of pairs needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.config import Config
from jobs.lake import Lake, LakeError
from jobs.notes.build_pairs import window
from jobs.publish_table import publish
from schemas.tables import EVENTS, EVENTS_QUARANTINE
from tests.jobs.lakes import note, publish_notes, stage_rows
from tests.jobs.raw import deployment, raw_event, raw_note, utc

DAYS = [f"2026-01-{day:02d}" for day in range(1, 11)]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    events = {day: [raw_event("u1", "n1", f"{day} 10:00:00")] for day in DAYS}
    return deployment(tmp_path, [raw_note("n1")], events)


def _publish_events(lake: Lake, day: str) -> None:
    publish_notes(lake, day, [note("n1")])
    counts = {"num_source": 1, "num_cleaned": 0, "num_quarantined": 0}
    row = {"user_id": "u1", "note_id": "n1", "event": "click", "ts": utc(f"{day} 10:00:00"), "is_late": False}
    stage_rows(lake, EVENTS_QUARANTINE, day, [], counts)
    stage_rows(lake, EVENTS, day, [row], counts)
    publish(lake, EVENTS, day)


def test_a_delivered_day_in_the_middle_that_is_not_published_is_named(config: Config) -> None:
    lake = config.open_lake()
    for day in ("2026-01-05", "2026-01-07"):
        _publish_events(lake, day)
    with pytest.raises(LakeError, match="events of 2026-01-06 are delivered and not published yet"):
        window(config, lake, "2026-01-07", since=None, allow_gaps=False)
    assert window(config, lake, "2026-01-07", since=None, allow_gaps=True) == ["2026-01-05", "2026-01-07"]


def test_a_history_may_begin_in_the_middle_of_what_is_delivered(config: Config) -> None:
    lake = config.open_lake()
    _publish_events(lake, "2026-01-07")
    assert window(config, lake, "2026-01-07", since=None, allow_gaps=False) == ["2026-01-07"]
    # Said to begin on the 6th, the 7th must not run ahead of it.
    with pytest.raises(LakeError, match="events of 2026-01-06 are delivered"):
        window(config, lake, "2026-01-07", since="2026-01-06", allow_gaps=False)


def test_a_day_before_the_week_is_not_needed(config: Config) -> None:
    lake = config.open_lake()
    for day in ("2026-01-02", *DAYS[3:]):  # the 3rd is missing, and the week of the 10th begins on the 4th
        _publish_events(lake, day)
    assert window(config, lake, "2026-01-10", since=None, allow_gaps=False) == DAYS[3:]
