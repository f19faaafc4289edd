"""Weighted draws from cells."""

from __future__ import annotations

import numpy as np

from demo.cells import Cells


def test_a_draw_lands_where_the_running_sum_says() -> None:
    # Cell 0 holds things 1 (weight 1) and 3 (weight 3), cell 1 none, cell 2 things 0 (weight 2) and 2 (0).
    cells = Cells(np.array([2, 0, 2, 0]), 3, np.array([2.0, 1.0, 0.0, 3.0]))
    first = np.array([0, 0, 0, 1, 2, 2, 0, 0])
    last = np.array([1, 1, 1, 2, 3, 3, 3, 3])
    uniform = np.array([0.0, 0.2499, 0.25, 0.5, 0.0, 0.9999999, 0.6, 0.67])
    assert cells.draw(first, last, uniform).tolist() == [1, 1, 3, -1, 0, 0, 3, 0]


def test_draws_stay_in_their_cells_and_follow_the_weights() -> None:
    rng = np.random.default_rng(5)
    keys, weights = rng.integers(0, 20, 500), rng.random(500) * (rng.random(500) < 0.7)
    cells = Cells(keys, 20, weights)
    wanted = rng.integers(0, 20, 100_000)
    drawn = cells.draw(wanted, wanted + 1, rng.random(100_000))
    assert (keys[drawn] == wanted).all()
    assert (weights[drawn] > 0).all()
    share = np.bincount(drawn[wanted == 3], minlength=500) / (wanted == 3).sum()
    expected = np.where(keys == 3, weights, 0) / weights[keys == 3].sum()
    assert np.abs(share - expected).max() < 0.02
