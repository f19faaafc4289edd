"""The figures of the cold start: scores and recalls by hand on literals."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.cold_retrieval import (
    Posting,
    draws,
    interval,
    postings_of,
    recalls,
    tag_scores,
    together,
    vector_scores,
)
from benchmarks.cold_world import cold_world, fits
from benchmarks.tags_cold_start import Known, Table, arms_of, bars_of, measured, rows_of


def test_a_note_scores_its_weights_times_the_mean_weights_of_the_history() -> None:
    rows = [
        {"dimension": "colour", "tag": "red", "note_id": note_id, "weight": weight}
        for note_id, weight in (("a", 1.0), ("b", 0.5), ("c", 2.0))
    ] + [{"dimension": "product", "tag": "tent", "note_id": note_id, "weight": 3.0} for note_id in ("b", "d")]
    postings = postings_of(rows, {"a": 0, "b": 1, "c": 2, "d": 3})
    assert postings["product", "tent"] == [Posting(1, 3.0), Posting(3, 3.0)]
    # The history of a and b: red weighs (1 + 0.5) / 2 = 0.75, tent 3 / 2 = 1.5. The second user's note has neither.
    scores_UN = tag_scores(postings, [[0, 1], [4]], num_notes=5)
    assert scores_UN.tolist() == [[0.75, 0.375 + 4.5, 1.5, 4.5, 0.0], [0.0] * 5]


def test_vectors_score_by_mean_or_greatest_cosine_with_the_history() -> None:
    vectors_ND = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0]])  # the last is (0.6, 0.8) at length one
    assert vector_scores(vectors_ND, [[0, 1]], by="mean")[0].tolist() == pytest.approx([0.5, 0.5, 0.7])
    assert vector_scores(vectors_ND, [[0, 1]], by="max")[0].tolist() == pytest.approx([1.0, 1.0, 0.8])


def test_two_kinds_of_scores_weigh_alike_whatever_their_scale() -> None:
    left, right = np.array([[1.0, 3.0, 99.0]]), np.array([[0.1, 0.3, 0.0]])
    assert together(left, right, [0, 1])[0, :2].tolist() == pytest.approx([-2.0, 2.0])


def test_recall_counts_wanted_notes_among_the_best_and_splits_a_tie() -> None:
    scores_UN = np.array([[9.0, 5.0, 5.0, 5.0, 1.0, 100.0]])  # the last is no candidate

    def of(wanted: set[int]) -> float:
        return float(recalls(scores_UN, [0, 1, 2, 3, 4], [wanted], 2)[0])

    assert of({0}) == 1
    assert of({4}) == 0
    assert of({1}) == pytest.approx(1 / 3)  # one place for three that tie
    assert of({0, 1, 2, 4}) == pytest.approx((1 + 2 / 3) / 2)  # no more than two can be found


def test_an_arm_that_scores_all_alike_finds_what_chance_finds() -> None:
    assert recalls(np.zeros((1, 200)), range(200), [{3, 7}], 50).tolist() == [0.25]


def test_of_an_arms_ways_to_score_the_better_counts() -> None:
    table = Table("t", [[0]], [1, 2], [{2}])
    good, bad = np.zeros((1, 100)), np.zeros((1, 100))
    good[0, 2], bad[0, 1] = 1, 1
    narrow = Table("t", [[0]], range(1, 100), [{2}])
    bad[0, 1:60] = range(60, 1, -1)
    bad[0, 2] = -1
    assert measured(narrow, {"arm": [bad, good]})["arm"].tolist() == [1.0]
    assert measured(table, {"arm": [bad]})["arm"].tolist() == [1.0]  # two candidates: both are among fifty


def test_the_interval_is_of_the_mean_over_drawn_users() -> None:
    which_RU = draws(4, rounds=500, seed=1)
    assert which_RU.shape == (501, 4)
    mean, low, high = interval(np.array([0.0, 0.0, 1.0, 1.0]), which_RU)
    assert (mean, low, high) == (0.5, 0.0, 1.0)  # all four alike is one draw in eight: beyond 2.5 %
    assert interval(np.full(4, 0.3), which_RU) == pytest.approx((0.3, 0.3, 0.3))


def test_a_note_fits_by_interest_and_two_tastes() -> None:
    taste = {"interests": ["tent"], "colour": "red", "pattern": "dots", "style_rank": 2}
    note = {"interest": "tent", "colour": "red", "pattern": "dots", "style_rank": 0}
    assert fits(taste, note)
    assert not fits(taste, note | {"pattern": "plain"})
    assert fits(taste, note | {"pattern": "plain", "style_rank": 2})
    assert not fits(taste, note | {"interest": "stove"})


def _at(day: int, hour: int) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=ZoneInfo("Asia/Shanghai"))


def _written(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def _click(user: str, note: str, ts: datetime, event: str = "click") -> dict[str, object]:
    return {"user_id": user, "note_id": note, "event": event, "ts": ts}


def test_cold_is_what_nobody_clicked_in_the_log_up_to_the_end_of_the_local_day(tmp_path: Path) -> None:
    created = {"old": _at(1, 9), "seen": _at(1, 9), "new": _at(9, 23), "unborn": _at(10, 0), "odd": _at(1, 9)}
    note = {"title": "A tent", "body": "dry", "category": ["Outdoor"], "hashtags": ["tent"]}
    _written(
        tmp_path / "notes/a.parquet", [{"note_id": n, **note, "created_at": at} for n, at in created.items()]
    )
    truth = {
        "interest": "ultralight_tent",
        "language": "en",
        "style": "tactical",
        "colour": "red",
        "pattern": "dots",
    }
    truth |= {"picture": None}
    rows = [{"note_id": n, **truth, "is_conflicting": n == "odd"} for n in created]
    _written(tmp_path / "truth/note_truth.parquet", rows)
    taste = {"interests": ["ultralight_tent"], "colour": "red", "pattern": "plain", "style_rank": 3}
    users = [{"user_id": u, **taste, "is_robot": u == "robot"} for u in ("ann", "bob", "robot")]
    _written(tmp_path / "truth/user_truth.parquet", users)
    before = [
        _click("ann", "seen", _at(9, 1)),
        _click("ann", "old", _at(9, 2), "impression"),  # met and left
        _click("robot", "old", _at(9, 3)),
        _click("bob", "seen", _at(9, 4)),
        _click("ann", "gone", _at(9, 4)),  # no file knows it
    ]
    after = [
        _click("ann", "old", _at(9, 23)),  # late: of the known day, and the log did not have it then
        _click("ann", "new", _at(10, 0)),
        _click("bob", "seen", _at(10, 1)),  # not cold
        _click("ann", "unborn", _at(10, 2)),
    ]
    _written(tmp_path / "events/ds=2026-01-09/a.parquet", before)
    _written(tmp_path / "events/ds=2026-01-10/a.parquet", after)
    found = cold_world(tmp_path, "2026-01-09")
    ids = [n.note_id for n in found.notes]
    assert [ids[at] for at in found.cold] == ["old", "new"]
    (ann,) = found.users  # bob clicks nothing cold
    assert [ids[at] for at in ann.history] == ["seen"]
    assert [ids[at] for at in ann.clicked] == ["new"]
    assert sorted(ids[at] for at in ann.fitting) == ["new", "old"]  # colour and style: tactical is the fourth


def test_every_arm_has_its_line_and_the_promise_is_of_tags_over_titles() -> None:
    postings = {"tags": {("product", "tent"): [Posting(0, 2.0), Posting(1, 2.0)]}}
    vectors_ND = np.eye(100)  # no two titles are alike
    categories_NC = np.ones((100, 1))
    known = Known(postings, {"title": vectors_ND, "title and body": vectors_ND}, categories_NC)
    table = Table("t", [[0], [0]], range(1, 100), [{1}, {1}])
    found = measured(table, arms_of(known, table.histories, table.candidates))
    assert found["tags"].tolist() == found["tags + category"].tolist() == [1.0, 1.0]
    assert found["title"].tolist() == found["random"].tolist() == pytest.approx([50 / 99] * 2)
    assert [row["arm"] for row in rows_of(table, found, 1)][:3] == ["tags", "title", "title and body"]
    assert list(bars_of([(table, found)], 1).values()) == [True]
