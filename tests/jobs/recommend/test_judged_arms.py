"""From hits to figures: which are told of which cases, with intervals, and how far one arm is above another."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.recommend.judged_arms import Earned, figures_of, gained
from models.recommend.ranking import KS, Hits

USERS = np.array([0, 1, 2, 3])
TEN = KS.index(10)


def hits(*found: float) -> Hits:
    """The same at every list length; NDCG is half of it."""
    hr_QK = np.repeat(np.array(found)[:, None], len(KS), axis=1)
    return Hits(hr_QK, hr_QK / 2)


def test_figures_are_means_over_the_cases_of_a_part() -> None:
    parts = {"all": np.ones(4, bool), "cold": np.array([True, False, False, True])}
    earned = {
        "popularity": Earned(hits(1, 0, 0, 0)),
        "generative": Earned(hits(1, 1, 0, 0), hits(1, 1, 1, 0), np.full(4, 0.5), 9),
    }
    told = {(f["arm"], f["slice"], f["metric"], f["k"]): f for f in figures_of(earned, USERS, parts, seed=1)}
    assert told["generative", "all", "hr", 10]["value"] == 0.5
    assert told["generative", "all", "ndcg", 10]["value"] == 0.25
    assert told["generative", "cold", "hr", 10]["value"] == 0.5
    assert told["popularity", "cold", "hr", 10] == {
        "arm": "popularity", "slice": "cold", "metric": "hr", "k": 10, "value": 0.5, "low": 0, "high": 1, "num_cases": 2,
    }  # fmt: skip
    assert told["generative", "all", "hr_of_ids", 1]["value"] == 0.75
    assert told["generative", "all", "valid_ids", 9]["value"] == 0.5


def test_hits_by_id_and_valid_ids_are_told_of_all_cases_and_of_ways_to_decode_alone() -> None:
    parts = {"all": np.ones(4, bool), "cold": np.ones(4, bool)}
    earned = {
        "popularity": Earned(hits(1, 0, 0, 0)),
        "free": Earned(hits(1, 0, 0, 0), hits(1, 0, 0, 0), np.ones(4), 9),
    }
    told = {(f["arm"], f["slice"], f["metric"]) for f in figures_of(earned, USERS, parts, seed=1)}
    assert ("free", "all", "valid_ids") in told
    assert {(arm, part) for arm, part, metric in told if metric not in ("hr", "ndcg")} == {("free", "all")}


def test_a_difference_is_taken_case_by_case() -> None:
    # What both find hard cancels out: each case is better by 0.1, so that the interval has no width.
    better, worse = Earned(hits(1.0, 0.2, 0.6, 0.4)), Earned(hits(0.8, 0.0, 0.4, 0.2))
    assert gained(better, worse, USERS, seed=1) == {"value": 0.1, "low": 0.1, "high": 0.1}
    assert gained(worse, better, USERS, seed=1)["value"] == -0.1


def test_arms_of_other_cases_have_no_difference() -> None:
    with pytest.raises(ValueError, match="not of the same cases"):
        gained(Earned(hits(1, 0)), Earned(hits(1)), USERS, seed=1)
