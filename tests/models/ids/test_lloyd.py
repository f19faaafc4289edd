"""K-means of many wide rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.ids.lloyd import assign, lloyd, plus_plus, refine
from tests.models.ids.rows import heaps


def test_two_heaps_get_their_two_means() -> None:
    found = lloyd(np.array([[0], [1], [10], [11]], dtype=np.float32), 2, seed=3)
    assert sorted(found.centroids_KD[:, 0].tolist()) == [0.5, 10.5]
    assert found.inertia == pytest.approx(0.25)


def test_assigning_agrees_with_brute_force_and_adds_up_its_rows() -> None:
    x, centroids = heaps(700), heaps(9, seed=1)
    found = assign(x, centroids)
    distances = ((x[:, None].astype(np.float64) - centroids[None]) ** 2).sum(2)
    assert (found.index_N == distances.argmin(1)).all()
    np.testing.assert_allclose(found.distance_N, distances.min(1), atol=1e-4)
    for k in range(9):
        np.testing.assert_allclose(found.sums_KD[k], x[found.index_N == k].sum(0), atol=1e-3)
    assert (found.counts_K == np.bincount(found.index_N, minlength=9)).all()


def test_the_same_bits_on_one_thread_and_on_three() -> None:
    x, found = heaps(40_000, dims=8), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(lloyd(x, 16, seed=1, iterations=3).centroids_KD.tobytes())
    assert found[0] == found[1]


def test_rows_that_are_all_alike_give_one_centroid() -> None:
    assert lloyd(np.zeros((50, 3), dtype=np.float32), 4, seed=1).centroids_KD.tolist() == [[0, 0, 0]]


def test_seeds_are_different_rows_though_every_row_is_there_twice() -> None:
    x = heaps(30)
    seeds = plus_plus(np.concatenate([x, x]), 30, seed=2)
    assert sorted(map(tuple, seeds)) == sorted(map(tuple, x))


def test_a_centroid_that_nobody_has_moves_to_the_farthest_row() -> None:
    x = np.array([[0], [0], [0], [0], [0], [0], [9], [100]], dtype=np.float32)
    assert sorted(lloyd(x, 3, seed=0).centroids_KD[:, 0].tolist()) == [0, 9, 100]


def test_a_batch_moves_a_centroid_to_the_mean_with_itself_as_one_row() -> None:
    batches = [np.array([[1.0], [5.0]], dtype=np.float32), np.array([[4.0]], dtype=np.float32)]
    found = refine(batches, np.array([[3.0], [90.0]], dtype=np.float32), lambda x: x)
    # (3 + 1 + 5) / 3 = 3, then (9 + 4) / 4; squared distances 4 + 4 and 1 over three rows.
    assert found.centroids_KD[:, 0].tolist() == [3.25, 90.0]
    assert found.inertia == pytest.approx(3.0)


def test_no_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="there are 0 rows"):
        lloyd(np.zeros((0, 3), dtype=np.float32), 2, seed=1)
