"""Bootstrap over users."""

from __future__ import annotations

import numpy as np
import pytest

from models.recommend import intervals
from models.recommend.intervals import difference, interval


def column(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_an_interval_is_about_two_standard_errors_around_the_mean() -> None:
    # 100 of 400 hit: standard error sqrt(.25 * .75 / 400) = .0217.
    found = interval(column([1.0] * 100 + [0.0] * 300), np.arange(400), seed=1)
    assert found.value_M.tolist() == [0.25]
    assert found.low_M[0] == pytest.approx(0.25 - 1.96 * 0.0217, abs=0.006)
    assert found.high_M[0] == pytest.approx(0.25 + 1.96 * 0.0217, abs=0.006)


def test_cases_of_one_user_are_drawn_together_so_the_interval_is_wider() -> None:
    values = column([1.0] * 100 + [0.0] * 300)
    alone = interval(values, np.arange(400), seed=1)
    together = interval(values, np.arange(400) // 20, seed=1)  # 20 users of 20 cases that are all alike
    assert together.value_M == alone.value_M
    ratio = (together.high_M - together.low_M) / (alone.high_M - alone.low_M)
    assert ratio[0] == pytest.approx(20**0.5, rel=0.15)


def test_what_never_varies_has_no_width_and_one_user_neither() -> None:
    assert [v.tolist() for v in interval(column([0.1] * 7), np.arange(7), seed=3)] == [
        [pytest.approx(0.1)]
    ] * 3
    one = interval(column([0.0, 1.0]), np.array([4, 4]), seed=3)
    assert [v.tolist() for v in one] == [[0.5]] * 3


def test_arms_that_differ_in_few_cases_are_told_apart_however_much_cases_vary() -> None:
    dice = np.random.default_rng(2)
    base = (dice.random(500) < 0.3).astype(float)
    better = base.copy()
    better[np.flatnonzero(base == 0)[:15]] = 1
    found = difference(column(list(better)), column(list(base)), np.arange(500), seed=4)
    assert found.value_M.tolist() == [pytest.approx(0.03)]
    assert 0 < found.low_M[0] < 0.03 < found.high_M[0]
    assert found.above_M.tolist() == [1.0]
    back = difference(column(list(base)), column(list(better)), np.arange(500), seed=4)
    assert (back.low_M[0], back.above_M[0]) == (-found.high_M[0], 0.0)


def test_arms_that_are_one_are_neither_above_nor_below() -> None:
    same = column([0.0, 1.0, 0.5])
    assert difference(same, same, np.arange(3), seed=1).above_M.tolist() == [0.5]


def test_the_seed_alone_decides_not_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(7).random((60, 3))
    whole = interval(values, np.arange(60), seed=5)
    other = interval(values, np.arange(60), seed=6)
    monkeypatch.setattr(intervals, "BLOCK_DRAWS", 600)
    parts = interval(values, np.arange(60), seed=5)
    assert np.allclose(whole.low_M, parts.low_M, rtol=0, atol=1e-12)
    assert (whole.low_M != other.low_M).any()


def test_what_has_no_interval_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="0 cases of 0 users"):
        interval(np.zeros((0, 1)), np.zeros(0, dtype=np.int64), seed=1)
    with pytest.raises(ValueError, match="a NaN or an infinity"):
        interval(column([np.nan]), np.arange(1), seed=1)
    with pytest.raises(ValueError, match="not of the same cases"):
        difference(column([1.0]), column([1.0, 2.0]), np.arange(1), seed=1)
