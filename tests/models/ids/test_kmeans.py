"""K-means with k-means++ seeds."""

from __future__ import annotations

import pytest
import torch

from models.ids.kmeans import farthest_rows, kmeans, nearest, plus_plus_seeds


def rows(*values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_two_heaps_get_their_two_means() -> None:
    found = kmeans(rows((0.0,), (1.0,), (10.0,), (11.0,)), 2, seed=3)
    assert sorted(found[:, 0].tolist()) == [0.5, 10.5]


def test_the_nearest_centroid_is_the_first_of_equals_and_a_row_on_its_centroid_is_at_distance_zero() -> None:
    found = nearest(rows((0.0, 0.0), (0.1, 0.7)), rows((1.0, 0.0), (-1.0, 0.0), (0.1, 0.7)))
    assert found.index_N.tolist() == [2, 2]
    assert nearest(rows((0.0, 0.0)), rows((1.0, 0.0), (-1.0, 0.0))).index_N.tolist() == [0]
    assert found.distance_N.tolist() == [pytest.approx(0.5), 0.0]


def test_duplicates_and_fewer_rows_than_centroids_give_one_centroid_for_each_different_row() -> None:
    found = kmeans(rows((2.0, 1.0), (2.0, 1.0), (5.0, 5.0), (2.0, 1.0)), 8, seed=1)
    assert sorted(found.tolist()) == [[2.0, 1.0], [5.0, 5.0]]
    assert kmeans(rows((7.0,), (7.0,)), 4, seed=1).tolist() == [[7.0]]


def test_seeds_are_rows_that_differ() -> None:
    drawn = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seeds = plus_plus_seeds(torch.cat([drawn, drawn]), 50, seed=9)
    assert sorted(seeds.tolist()) == sorted(drawn.tolist())


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_ones() -> None:
    drawn = torch.randn(300, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(kmeans(drawn, 16, seed=5), kmeans(drawn, 16, seed=5))
    assert not torch.equal(kmeans(drawn, 16, seed=5), kmeans(drawn, 16, seed=6))


def test_lloyd_leaves_no_row_nearer_to_the_mean_of_another_heap() -> None:
    drawn = torch.randn(300, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    centroids = kmeans(drawn, 6, seed=1, iterations=200)
    index = nearest(drawn, centroids).index_N
    means = torch.stack([drawn[index == k].mean(0) for k in range(6)])
    torch.testing.assert_close(means, centroids)


def test_the_farthest_rows_come_in_order_without_copies_and_without_rows_that_are_served() -> None:
    four = rows((1.0,), (9.0,), (9.0,), (4.0,))
    assert farthest_rows(four, torch.tensor([3.0, 5.0, 5.0, 0.0]), 4).tolist() == [1, 0]
    assert farthest_rows(four, torch.tensor([3.0, 5.0, 5.0, 0.0]), 1).tolist() == [1]


def test_no_rows_are_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="at least one row and one centroid; there are 0 rows"):
        kmeans(torch.zeros(0, 3), 2, seed=1)
