"""Which recommenders may be promoted, from literal figures."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.recommend.recommender_gate import not_compared, scorer_alone, shortfalls, worse_than_current
from tests.jobs.recommend.judged import ABOVE, facts

NAN = float("nan")


def difference(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def beside(**other: Any) -> dict[str, Any]:
    return facts(current={"recommender": "r0", **other})


def test_above_both_floors_with_whole_beams_there_is_no_shortfall() -> None:
    assert shortfalls(facts()) == []


@pytest.mark.parametrize(("share", "is_bar_met"), [(1.0, True), (0.999999, False), (NAN, False)])
def test_every_id_of_the_beams_must_be_in_the_catalogue(share: float, is_bar_met: bool) -> None:
    said = shortfalls(facts(valid_ids=share))
    assert (said == []) is is_bar_met
    assert all("in the constrained beams of generative_mixed are in the catalogue" in words for words in said)


@pytest.mark.parametrize(
    ("found", "is_bar_met"),
    [
        (difference(-0.02, -0.04, 0.0), True),  # the interval reaches 0: that is noise
        (difference(-0.02, -0.04, -0.0001), False),
        (difference(NAN, NAN, NAN), False),
    ],
)
def test_below_the_markov_chain_counts_only_beyond_noise(found: dict[str, float], is_bar_met: bool) -> None:
    said = shortfalls(facts(deployed_less={"popularity": ABOVE, "markov_knn": found}))
    assert (said == []) is is_bar_met
    assert all("is below markov_knn beyond noise" in words for words in said)


@pytest.mark.parametrize(
    ("value", "is_bar_met"), [(0.0001, True), (0.0, False), (-0.01, False), (NAN, False)]
)
def test_popularity_must_be_beaten(value: float, is_bar_met: bool) -> None:
    said = shortfalls(facts(deployed_less={"popularity": difference(value, -0.1, 0.1), "markov_knn": ABOVE}))
    assert (said == []) is is_bar_met


def test_all_shortfalls_are_told_with_their_figures() -> None:
    low = difference(-0.02, -0.03, -0.01)
    said = shortfalls(facts(valid_ids=0.5, deployed_less={"popularity": low, "markov_knn": low}))
    assert len(said) == 3
    assert "not above popularity: -0.0200, 95 % interval -0.0300 to -0.0100" in said[1]


def test_without_a_current_one_there_is_nothing_to_be_worse_than() -> None:
    assert (worse_than_current(facts()), not_compared(facts())) == ([], "")


@pytest.mark.parametrize(("high", "is_better"), [(0.0, False), (-0.0001, True), (NAN, True)])
def test_the_current_one_stays_where_it_is_better_beyond_noise(high: float, is_better: bool) -> None:
    said = worse_than_current(beside(difference=difference(-0.01, -0.02, high)))
    assert bool(said) is is_better
    assert all(
        "below that of the current r0 beyond noise on the same 200 held-out answers" in words
        for words in said
    )


def test_a_current_one_of_other_codes_is_not_compared_and_the_reason_is_told() -> None:
    figures = beside(why="it speaks codes of g0")
    assert (worse_than_current(figures), not_compared(figures)) == ([], "it speaks codes of g0")


@pytest.mark.parametrize(("high", "is_better"), [(0.0, False), (-0.0001, True)])
def test_the_scorer_alone_is_no_bar_but_told_where_it_is_better_beyond_noise(high: float, is_better: bool) -> None:
    found = difference(-0.01, -0.02, high)
    figures = facts(deployed_less={"popularity": ABOVE, "markov_knn": ABOVE, "counts_content": found})
    assert shortfalls(figures) == []
    said = scorer_alone(figures)
    assert bool(said) is is_better
    assert not is_better or "below counts_content, the collaborative scorer alone, beyond noise: -0.0100" in said


def test_a_scorer_that_was_not_judged_is_not_told_of() -> None:
    assert scorer_alone(facts(deployed_less={"popularity": ABOVE, "markov_knn": ABOVE})) == ""
