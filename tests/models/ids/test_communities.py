"""Communities under a cap."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from models.ids.communities import Limits, coarse, louvain, merged, move_nodes, partition, whole_weights


def graph(num_nodes: int, *edges: tuple[int, int, float]) -> sp.csr_array:
    rows, columns, weights = zip(*edges, strict=True)
    return whole_weights(sp.csr_array((np.array(weights), (rows, columns)), shape=(num_nodes, num_nodes)))


def triangle(*nodes: int) -> list[tuple[int, int, float]]:
    one, two, three = nodes
    return [(one, two, 1.0), (two, three, 1.0), (one, three, 1.0)]


TWO_TRIANGLES = graph(6, *triangle(0, 1, 2), *triangle(3, 4, 5), (2, 3, 0.5))


def ones(num_nodes: int) -> np.ndarray:
    return np.ones(num_nodes, dtype=np.int64)


def modularity(graph_NN: sp.csr_array, label_N: np.ndarray) -> float:
    dense, degree = graph_NN.toarray(), graph_NN.sum(axis=1)
    same = label_N[:, None] == label_N
    return float((same * (dense - np.outer(degree, degree) / degree.sum())).sum() / degree.sum())


def test_whole_weights_are_symmetric_whole_and_without_loops() -> None:
    found = whole_weights(
        sp.csr_array(np.array([[5.0, 1.0, 0.0], [2.0, 0.0, 0.1], [0.0, 0.0, 0.0]]))
    ).toarray()
    assert np.array_equal(found, found.T)
    assert np.array_equal(found, np.rint(found))
    assert np.diag(found).tolist() == [0, 0, 0]
    assert abs(found[0, 1] / found[1, 2] - 30) < 1e-6


def test_two_triangles_on_a_weak_bridge_are_two_communities() -> None:
    assert louvain(TWO_TRIANGLES, ones(6), 1.0, cap=6).tolist() == [0, 0, 0, 1, 1, 1]


def test_the_best_of_all_partitions_of_a_small_graph_is_found() -> None:
    from itertools import product

    best = max(modularity(TWO_TRIANGLES, np.array(labels)) for labels in product(range(3), repeat=6))
    assert abs(modularity(TWO_TRIANGLES, louvain(TWO_TRIANGLES, ones(6), 1.0, cap=6)) - best) < 1e-9


def test_no_community_grows_above_the_cap() -> None:
    clique = graph(7, *[(one, two, 1.0) for one in range(7) for two in range(one)])
    found = louvain(clique, ones(7), 0.1, cap=3)
    assert np.bincount(found).max() == 3


def test_merging_takes_the_pair_that_gains_most_and_two_without_an_edge_last() -> None:
    pairs = graph(8, (0, 1, 9.0), (2, 3, 9.0), (4, 5, 9.0), (6, 7, 9.0), (1, 2, 3.0), (3, 4, 1.0))
    four = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    assert merged(pairs, four, ones(8), 3, cap=8).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    # Under a cap of 4 the next pair with an edge would have 6; the two smallest are taken instead.
    assert merged(pairs, four, ones(8), 2, cap=4).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert merged(pairs, four, ones(8), 1, cap=4).tolist() == [0] * 8


def test_a_community_of_the_least_size_loses_no_node() -> None:
    # Node 2 belongs with 3, 4, 5, but its own community would be left with two.
    label_N = np.array([0, 0, 0, 1, 1, 1])
    edges = graph(6, (0, 1, 1.0), (1, 2, 0.1), (2, 3, 1.0), (2, 4, 1.0), *triangle(3, 4, 5))
    degree_N = np.asarray(edges.sum(axis=1))
    assert move_nodes(edges, label_N, ones(6), degree_N, 1.0, Limits(6, least=3)).tolist() == label_N.tolist()
    assert move_nodes(edges, label_N, ones(6), degree_N, 1.0, Limits(6, least=2)).tolist() == [
        0,
        0,
        1,
        1,
        1,
        1,
    ]


def test_the_graph_of_communities_keeps_all_weight() -> None:
    label_N = np.array([0, 0, 0, 1, 1, 1])
    small = coarse(TWO_TRIANGLES, label_N).toarray()
    assert small.sum() == TWO_TRIANGLES.sum()
    assert small[0, 1] == TWO_TRIANGLES[2, 3]


def test_a_partition_has_just_as_many_communities_as_are_wanted_under_the_cap() -> None:
    dice = np.random.default_rng(3)
    rows, columns = dice.integers(0, 200, 900), dice.integers(0, 200, 900)
    random = whole_weights(sp.csr_array((dice.random(900), (rows, columns)), shape=(200, 200)))
    found = partition(random, 16, Limits(40, least=2))
    assert found.max() + 1 == 16
    assert np.bincount(found).max() <= 40


def test_nodes_without_an_edge_are_spread_by_size_alone() -> None:
    found = partition(whole_weights(sp.csr_array((6, 6))), 3, Limits(6))
    assert sorted(np.bincount(found).tolist()) == [2, 2, 2]
