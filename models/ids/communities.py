"""Communities of a graph whose edges say what goes together, of a size that a codebook can hold.

In: a symmetric graph_NN in whole-number weights. Out: community_N. Louvain's local moving (Blondel et al. 2008,
arXiv 0803.0476) on modularity with a resolution (Reichardt and Bornholdt 2006) and a cap on size; then the finest
communities are merged, the pair that gains most modularity first (Clauset, Newman and Moore 2004), to as many as there
are codes; then single nodes move once more. Whole weights make every sum exact; ties go to the lowest index, so that
the same graph gives the same communities. Natural communities differ in size, and merging keeps that: many small ones
stay beside a few that fill their cap.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_ROUNDS = 20
_FINEST = 2.0**20
_SPARE = 1.25  # merging starts from a quarter more communities than are wanted
_TOTAL = 2.0**50


class Limits(NamedTuple):
    """`cap` is the greatest size of a community; one of `least` or fewer loses no node (0: it may vanish)."""

    cap: int
    least: int = 0


def whole_weights(graph_NN: sp.csr_array) -> sp.csr_array:
    """The graph, symmetric and without loops, in whole numbers that add up to about 2^50."""
    top = float(graph_NN.max()) if graph_NN.nnz else 0.0
    if top <= 0:
        return sp.csr_array(graph_NN.shape)
    # Rounded before the first sum: a sum of rounded parts does not depend on their order, the sum of parts does.
    whole_NN = sp.csr_array(graph_NN, dtype=np.float64)
    whole_NN.data = np.rint(whole_NN.data * (2.0**30 / top))
    whole_NN = sp.csr_array(whole_NN + whole_NN.T)
    whole_NN.setdiag(0)
    whole_NN.eliminate_zeros()
    total = whole_NN.sum()
    whole_NN.data = np.rint(whole_NN.data * (_TOTAL / total)) if total else whole_NN.data
    whole_NN.sort_indices()
    return whole_NN


def _degree(graph_NN: sp.csr_array) -> NDArray[np.float64]:
    return np.asarray(graph_NN.sum(axis=1), dtype=np.float64).ravel()


def _numbered(label_N: Ints) -> Ints:
    """The same communities, numbered from 0 in the order of their first node."""
    _, first, index_N = np.unique(label_N, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[index_N]


def move_nodes(
    graph_NN: sp.csr_array,
    label_N: Ints,
    size_N: Ints,
    degree_N: NDArray[np.float64],
    resolution: float,
    limits: Limits,
) -> Ints:
    """Each node in turn moves to the neighbouring community that gains most; again for those whose neighbours moved."""
    label_N, starts, ends = label_N.copy(), graph_NN.indptr[:-1].tolist(), graph_NN.indptr[1:].tolist()
    degree_C = np.bincount(label_N, weights=degree_N)
    size_C = np.bincount(label_N, weights=size_N)
    pull = resolution / max(float(degree_N.sum()), 1.0)
    awake_N = np.ones(len(label_N), dtype=bool)
    for _ in range(_ROUNDS):
        todo = np.flatnonzero(awake_N)
        awake_N[:] = False
        for node in todo.tolist():
            near = graph_NN.indices[starts[node] : ends[node]]
            home, size, degree = label_N[node], size_N[node], degree_N[node]
            if len(near) == 0 or (limits.least and size_C[home] - size < limits.least):
                continue
            found, place = np.unique(label_N[near], return_inverse=True)
            weight = np.bincount(place, weights=graph_NN.data[starts[node] : ends[node]])
            at_home = found == home
            gain = weight - pull * degree * (degree_C[found] - np.where(at_home, degree, 0.0))
            gain[(size_C[found] + size > limits.cap) & ~at_home] = -np.inf
            stay = gain[at_home][0] if at_home.any() else -pull * degree * (degree_C[home] - degree)
            best = int(gain.argmax())
            if gain[best] <= stay or found[best] == home:
                continue
            label_N[node] = found[best]
            degree_C[[home, found[best]]] += (-degree, degree)
            size_C[[home, found[best]]] += (-size, size)
            awake_N[near[label_N[near] != found[best]]] = True
        if not awake_N.any():
            break
    return label_N


def louvain(graph_NN: sp.csr_array, size_N: Ints, resolution: float, cap: int) -> Ints:
    """Local moving, the communities as nodes of a smaller graph, and so on until none moves; then the nodes once more."""
    full_N = np.arange(graph_NN.shape[0])
    small, size, degree = graph_NN, size_N, _degree(graph_NN)
    while True:
        label = _numbered(move_nodes(small, np.arange(small.shape[0]), size, degree, resolution, Limits(cap)))
        full_N = label[full_N]
        if len(label) == label.max() + 1:
            break
        small = coarse(small, label)
        size = np.bincount(label, weights=size).astype(np.int64)
        degree = np.bincount(label, weights=degree).astype(np.float64)
    return _numbered(move_nodes(graph_NN, full_N, size_N, _degree(graph_NN), resolution, Limits(cap)))


def coarse(graph_NN: sp.csr_array, label_N: Ints) -> sp.csr_array:
    """The graph of communities; what holds one together stands on the diagonal."""
    member_NC = sp.csr_array((np.ones(len(label_N)), (np.arange(len(label_N)), label_N)))
    small_CC = sp.csr_array(member_NC.T @ graph_NN @ member_NC)
    small_CC.sort_indices()
    return small_CC


def merged(graph_NN: sp.csr_array, label_N: Ints, size_N: Ints, count: int, cap: int) -> Ints:
    """Merge communities to `count`, the pair that gains most modularity first, none above `cap`.

    Where no pair with an edge fits any more, the two smallest are merged, whatever the cap.
    """
    size_C = np.bincount(label_N, weights=size_N).astype(np.float64)
    return Merging(coarse(graph_NN, label_N), size_C).run(count, cap)[label_N]


class Merging:
    """Agglomeration with a heap of gains; an entry counts only while neither side has changed since it was pushed."""

    def __init__(self, graph_CC: sp.csr_array, size_C: NDArray[np.float64]) -> None:
        self.near: list[dict[int, float]] = []
        for at in range(graph_CC.shape[0]):
            row = slice(graph_CC.indptr[at], graph_CC.indptr[at + 1])
            self.near.append(
                dict(zip(graph_CC.indices[row].tolist(), graph_CC.data[row].tolist(), strict=True))
            )
            self.near[at].pop(at, None)
        self.degree, self.size = _degree(graph_CC), size_C
        self.total = max(float(self.degree.sum()), 1.0)
        self.version, self.into = [0] * len(self.near), np.arange(len(self.near))
        self.heap: list[tuple[float, int, int, int, int]] = []

    def run(self, count: int, cap: int) -> Ints:
        """Which community each ends in, numbered from 0."""
        for one, near in enumerate(self.near):
            for other in near:
                if one < other:
                    self._push(one, other)
        left = len(self.near)
        while left > count:
            pair = self._best(cap) or self._smallest()
            self._merge(*pair)
            left -= 1
        for at in range(
            len(self.into)
        ):  # a community is always merged into a lower one, whose end is known by now
            self.into[at] = self.into[self.into[at]]
        return _numbered(self.into)

    def _push(self, one: int, other: int) -> None:
        gain = self.near[one][other] - self.degree[one] * self.degree[other] / self.total
        heapq.heappush(self.heap, (-gain, one, other, self.version[one], self.version[other]))

    def _best(self, cap: int) -> tuple[int, int] | None:
        while self.heap:
            _, one, other, first, second = heapq.heappop(self.heap)
            current = self.version[one] == first and self.version[other] == second
            if current and self.size[one] + self.size[other] <= cap:
                return one, other
        return None

    def _smallest(self) -> tuple[int, int]:
        alive = np.flatnonzero(self.into == np.arange(len(self.into)))
        one, other = sorted(alive[np.argsort(self.size[alive], kind="stable")][:2].tolist())
        return one, other

    def _merge(self, one: int, other: int) -> None:
        for near, weight in self.near[other].items():
            del self.near[near][other]
            if near != one:
                self.near[one][near] = self.near[near][one] = self.near[one].get(near, 0.0) + weight
        self.near[other], self.into[other] = {}, one
        self.size[one] += self.size[other]
        self.degree[one] += self.degree[other]
        self.version[one] += 1
        self.version[other] = -1
        for near in self.near[one]:
            self._push(min(one, near), max(one, near))


def partition(graph_NN: sp.csr_array, count: int, limits: Limits, resolution: float = 1.0) -> Ints:
    """community_N: at most `count`, just as many where the graph has that many nodes, none above the cap if it can be.

    `resolution` weighs chance in the last moves: 1 gains most alignment above that of two nodes drawn by degree.
    """
    size_N = np.ones(graph_NN.shape[0], dtype=np.int64)
    label_N, finer = louvain(graph_NN, size_N, 4.0, limits.cap), 4.0
    while label_N.max() + 1 < min(_SPARE * count, len(size_N)) and finer < _FINEST:
        finer *= 2
        label_N = louvain(graph_NN, size_N, finer, limits.cap)
    if label_N.max() + 1 < count:  # no resolution parts the nodes of such a graph: begin with each alone
        label_N = np.arange(len(size_N))
    label_N = merged(graph_NN, label_N, size_N, count, limits.cap)
    return _numbered(move_nodes(graph_NN, label_N, size_N, _degree(graph_NN), resolution, limits))
