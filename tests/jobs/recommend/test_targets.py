"""Targets agree with their definition on any log, and no history knows its target."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.recommend.engagements import engagements, sequences
from jobs.recommend.targets import Cut, cut_of, targets

DAY = "2026-01-05"


def test_the_days_of_a_cut_are_local() -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert cut_of(DAY, "UTC", 1) == Cut(at("2026-01-04"), at("2026-01-05"))
    assert cut_of(DAY, "Asia/Shanghai", 2) == Cut(at("2026-01-01T16:00"), at("2026-01-03T16:00"))
    assert cut_of(DAY, "UTC", 0) == Cut(at("2026-01-06"), at("2026-01-06"))  # nothing is held out


def _drawn(seed: int) -> list[tuple[str, str, str, datetime]]:
    """Events of few users on few notes at few times, so that ties and repeats abound."""
    draw, start = random.Random(seed), datetime(2026, 1, 1, tzinfo=UTC)
    kinds = ("impression", "click", "click", "like")
    return [
        (
            f"u{draw.randrange(9)}",
            f"n{draw.randrange(7)}",
            draw.choice(kinds),
            start + timedelta(hours=draw.randrange(110)),
        )
        for _ in range(400)
    ]


def _by_definition(
    events: list[tuple[str, str, str, datetime]], known: set[str], history: int, most: int
) -> set[Any]:
    found = set()
    for user in {e[0] for e in events}:
        acted = sorted(
            (ts, n) for u, n, kind, ts in events if u == user and kind != "impression" and n in known
        )
        steps = [step for i, step in enumerate(acted) if i == 0 or acted[i - 1][1] != step[1]]
        for at in range(max(1, len(steps) - most), len(steps)):
            before = tuple(n for _, n in steps[max(0, at - history) : at])
            split = {1: "test", 2: "valid"}.get(len(steps) - at, "train")
            found.add((user, steps[at][1], steps[at][0], at, before, split))
    return found


@pytest.mark.parametrize(("seed", "history", "most"), [(1, 3, 50), (2, 20, 4)])
def test_any_log_agrees_with_the_definition_and_no_history_knows_its_target(
    spark: SparkSession, seed: int, history: int, most: int
) -> None:
    events, known = _drawn(seed), {f"n{i}" for i in range(6)}  # n6 is withdrawn
    frame = spark.createDataFrame(
        events, "user_id string, note_id string, event string, ts timestamp"
    ).repartition(3)
    notes = spark.createDataFrame([(n, f"<{n}>") for n in known], "note_id string, semantic_id string")
    users = spark.createDataFrame(
        [], "user_id string, gender string, age_band string, marital_status string, children string"
    )
    days = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    acted = engagements(frame, notes, *days).where("semantic_id is not null")
    steps = sequences(acted, last=history + most)
    found = targets(steps, users, cut_of(DAY, "UTC", 1), history=history, max_targets=most).collect()
    told = {
        (
            r.user_id,
            r.note_id,
            r.ts.replace(tzinfo=UTC),
            r.position,
            tuple(r.history_note_ids),
            r.leave_one_out,
        )
        for r in found
    }
    assert len(told) == len(found) > 30
    assert told == _by_definition(events, known, history, most)
    happened = {(u, n): min(ts for uu, nn, _, ts in events if (uu, nn) == (u, n)) for u, n, _, _ in events}
    for (
        row
    ) in found:  # every note of a history was there before the target, at the latest as a tie of a smaller id
        at = (row.ts.replace(tzinfo=UTC), row.note_id)
        assert all(
            (happened[row.user_id, n], n) < at or happened[row.user_id, n] < at[0]
            for n in row.history_note_ids
        )
        is_test = at[0] >= datetime(2026, 1, 5, tzinfo=UTC)
        assert (row.by_date == "test") == is_test
