"""Clusters of bounded size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from models.ids.balanced import balanced
from tests.models.ids.rows import heaps


def costs(rows: int, clusters: int) -> np.ndarray:
    x, centres = heaps(rows), heaps(clusters, seed=4)
    return ((x[:, None] - centres[None]) ** 2).sum(2)


def test_a_full_cluster_keeps_the_rows_that_would_lose_most_elsewhere() -> None:
    # All prefer cluster 0, which takes two; row 2 loses 1 by going to the other, rows 0 and 1 lose 5 and 6.
    found = balanced(np.array([[0, 5], [0, 6], [0, 1], [9, 0]], dtype=np.float32), 2, prices_K=np.zeros(2))
    assert found.tolist() == [0, 0, 1, 1]


def test_it_costs_hardly_more_than_the_best_assignment_there_is() -> None:
    cost = costs(400, 8)
    found = balanced(cost, 50)
    rows, seats = linear_sum_assignment(np.repeat(cost, 50, axis=1))
    least = cost[rows, seats // 50].sum()
    assert np.bincount(found, minlength=8).tolist() == [50] * 8
    assert least <= cost[np.arange(400), found].sum() <= 1.01 * least


def test_no_cluster_has_more_than_its_capacity_where_rows_do_not_divide_evenly() -> None:
    found = balanced(costs(403, 8), 51)
    assert np.bincount(found).max() <= 51
    assert found.min() >= 0


def test_the_same_bits_on_one_thread_and_on_three() -> None:
    cost, found = costs(9000, 16), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(balanced(cost, 563).tobytes())
    assert found[0] == found[1]


def test_costs_that_are_all_alike_still_fill_the_clusters_evenly() -> None:
    assert np.bincount(balanced(np.zeros((40, 4), dtype=np.float32), 10)).tolist() == [10] * 4


def test_too_little_room_and_costs_that_are_no_numbers_are_errors() -> None:
    with pytest.raises(ValueError, match="9 rows do not fit into 4 clusters of at most 2"):
        balanced(np.zeros((9, 4), dtype=np.float32), 2)
    with pytest.raises(ValueError, match="look for NaN"):
        balanced(np.full((2, 2), np.nan, dtype=np.float32), 1)
