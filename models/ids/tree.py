"""The tree that a tokenizer with nested groups is, and how a vector goes down it.

A node of level l has a code, a parent of level l-1 and the mean vector of its members. A community holds several kinds
of text, and its mean is near none of them: the first two levels are found by the nearest of several anchors inside each
node of level two. (On Amazon Scientific a tenth of the items, unseen, share their first two codes with what they are
consumed with in 29 % of pairs so, in 20 % by the nearest mean at each level.) Below, a row takes the nearest child. At the
last level it takes the nearest of the shared places around its parent whose code no fitted content holds, so that a
new note has an ID of its own while its group has room; a fitted row finds its own leaf by a hash of its content.
Shapes: N items, B batch, L levels, K codes, M nodes of a level, A anchors, D dimensions. Vectors are whole numbers of
`unit`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ids.fixed_point import Floats, Ints, checked, distances, hashes, nearest, to_fixed
from models.ids.tokenizer import Codes, UnknownPrefixError, Vectors

_PAIRS = 16_384


class Level(NamedTuple):
    """The nodes of a level, ordered by parent and code: children of parent p are start_P[p] to start_P[p + 1]."""

    code_M: Ints
    start_P: Ints
    mean_MD: Floats


class Anchors(NamedTuple):
    """Means of small clusters, each inside one node of the second level (of the first, where it is the last but one)."""

    mean_AD: Floats
    node_A: Ints


class Leaves(NamedTuple):
    """The last level: shared places_KD around any parent; the code of each content, ordered by parent and hash."""

    places_KD: Floats
    start_P: Ints
    hash_M: NDArray[np.uint64]
    code_M: Ints


class TreeTokenizer:
    """Nested groups as a frozen tokenizer (see `models.ids.tokenizer.Tokenizer`)."""

    def __init__(self, inner: list[Level], anchors: Anchors, leaves: Leaves, unit: float) -> None:
        self.inner, self.anchors, self.leaves, self.unit = inner, anchors, leaves, unit

    @property
    def levels(self) -> int:
        return len(self.inner) + 1

    @property
    def codes(self) -> int:
        return len(self.leaves.places_KD)

    @property
    def input_dim(self) -> int:
        return self.leaves.places_KD.shape[1]

    def encode(self, x_ND: Vectors) -> Codes:
        """codes_NL: the nearest anchor, the nearest child below; at the end the own leaf, a free code, or the nearest.

        Raises `ValueError` for rows of another width or with NaN.
        """
        codes_NL = np.empty((len(x_ND), self.levels), dtype=np.int32)
        for at in range(0, len(x_ND), _PAIRS):
            fixed_BD = self._fixed(x_ND[at : at + _PAIRS])
            nodes_BL = self._descend(fixed_BD)
            for level, nodes in enumerate(self.inner):
                codes_NL[at : at + _PAIRS, level] = nodes.code_M[nodes_BL[:, level]]
            codes_NL[at : at + _PAIRS, -1] = self._costs(fixed_BD, nodes_BL[:, -1]).argmin(axis=1)
        return codes_NL

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        """cost_BK: squared distance to each code's place around the parent; for a code that a fitted content holds, more
        than any free one; 0 for the code that a fitted row holds itself.

        Raises `ValueError` for codes whose prefix is no node.
        """
        nodes_B = self.nodes(codes_BL[:, :-1])
        return (self._costs(self._fixed(x_BD), nodes_B) * self.unit**2).astype(np.float32)

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        """The parent's mean and the place of the last code around it. Raises `ValueError` for a prefix that is no node."""
        parent_N = self.nodes(codes_NL[:, :-1])
        places_ND = self.inner[-1].mean_MD[parent_N] + self.leaves.places_KD[codes_NL[:, -1]]
        return (places_ND * self.unit).astype(np.float32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Flat arrays by name."""
        found: dict[str, NDArray[np.generic]] = {"unit": np.array([self.unit])}
        for at, level in enumerate(self.inner):
            found |= {f"{at}.code": level.code_M.astype(np.int32), f"{at}.start": level.start_P}
            found[f"{at}.mean"] = level.mean_MD.astype(np.float32)
        anchors, leaves = self.anchors, self.leaves
        found |= {"anchor.mean": anchors.mean_AD.astype(np.float32), "anchor.node": anchors.node_A}
        found |= {"leaf.places": leaves.places_KD.astype(np.float32), "leaf.start": leaves.start_P}
        return found | {
            "leaf.hash": leaves.hash_M.view(np.int64),
            "leaf.code": leaves.code_M.astype(np.int32),
        }

    def nodes(self, prefix_BL: NDArray[np.integer]) -> Ints:
        """The node of the last inner level that each prefix names; `ValueError` with the first that names none."""
        node_B = np.zeros(len(prefix_BL), dtype=np.int64)
        for level, code_B in zip(self.inner, prefix_BL.T, strict=True):
            # Codes ascend under a parent, and parents ascend: one sorted key finds the child of every row.
            parent_M = np.repeat(np.arange(len(level.start_P) - 1), np.diff(level.start_P))
            key_M, key_B = parent_M * self.codes + level.code_M, node_B * self.codes + code_B
            node_B = np.minimum(np.searchsorted(key_M, key_B), len(key_M) - 1)
            wrong_B = key_M[node_B] != key_B
            if wrong_B.any():
                first = prefix_BL[int(wrong_B.argmax())].tolist()
                raise UnknownPrefixError(
                    f"{wrong_B.sum()} of {len(prefix_BL)} prefixes are not in the tree, the first is {first}"
                )
        return node_B

    def _fixed(self, x_BD: Vectors) -> Floats:
        return to_fixed(checked(x_BD, self.input_dim), self.unit)

    def _descend(self, fixed_BD: Floats) -> Ints:
        """nodes_BL of the inner levels; the first of equals."""
        anchored = min(2, len(self.inner))
        nodes = [self.anchors.node_A[nearest(fixed_BD, self.anchors.mean_AD)[0]]]
        if anchored == 2:
            nodes.insert(0, np.searchsorted(self.inner[1].start_P, nodes[0], side="right") - 1)
        for level in self.inner[anchored:]:
            nodes.append(_nearest_child(fixed_BD, level, nodes[-1]))
        return np.stack(nodes, axis=1)

    def _costs(self, fixed_BD: Floats, parent_B: Ints) -> Floats:
        leaves = self.leaves
        cost_BK = np.maximum(distances(fixed_BD - self.inner[-1].mean_MD[parent_B], leaves.places_KD), 1.0)
        row_J, leaf_J = _children(leaves.start_P, parent_B)
        code_J, own_J = leaves.code_M[leaf_J], leaves.hash_M[leaf_J] == hashes(fixed_BD)[row_J]
        is_held_BK = np.zeros(cost_BK.shape, dtype=bool)
        is_held_BK[row_J, code_J] = True
        cost_BK += is_held_BK * np.where(is_held_BK, 0.0, cost_BK).max(axis=1, keepdims=True)
        cost_BK[row_J[own_J], code_J[own_J]] = 0.0
        return cost_BK


def from_tensors(tensors: dict[str, NDArray[np.generic]]) -> TreeTokenizer:
    """The tokenizer that `tensors` came from. Raises `ValueError` where an array is missing."""
    try:
        count = sum(name.endswith(".start") for name in tensors) - 1
        inner = [
            Level(
                _ints(tensors[f"{at}.code"]),
                _ints(tensors[f"{at}.start"]),
                tensors[f"{at}.mean"].astype(np.float64),
            )
            for at in range(count)
        ]
        anchors = Anchors(tensors["anchor.mean"].astype(np.float64), _ints(tensors["anchor.node"]))
        leaves = Leaves(
            tensors["leaf.places"].astype(np.float64),
            _ints(tensors["leaf.start"]),
            tensors["leaf.hash"].astype(np.int64).view(np.uint64),
            _ints(tensors["leaf.code"]),
        )
        return TreeTokenizer(inner, anchors, leaves, float(tensors["unit"].astype(np.float64)[0]))
    except KeyError as missing:
        raise ValueError(
            f"a tree tokenizer's weights lack {missing}; they hold {sorted(tensors)}"
        ) from missing


def _ints(values: NDArray[np.generic]) -> Ints:
    return values.astype(np.int64)


def _children(start_P: Ints, parent_B: Ints) -> tuple[Ints, Ints]:
    """All pairs (row of the batch, child of its parent), rows in order."""
    size_B = start_P[parent_B + 1] - start_P[parent_B]
    row_J = np.repeat(np.arange(len(parent_B)), size_B)
    offset_B = np.cumsum(size_B) - size_B
    return row_J, np.arange(len(row_J)) - offset_B[row_J] + start_P[parent_B][row_J]


def _nearest_child(fixed_BD: Floats, level: Level, parent_B: Ints) -> Ints:
    row_J, child_J = _children(level.start_P, parent_B)
    cost_J = np.empty(len(row_J))
    for at in range(0, len(row_J), _PAIRS):
        part = slice(at, at + _PAIRS)
        cost_J[part] = np.square(fixed_BD[row_J[part]] - level.mean_MD[child_J[part]]).sum(axis=1)
    order_J = np.lexsort((child_J, cost_J, row_J))
    first_B = np.searchsorted(row_J, np.arange(len(parent_B)))
    return child_J[order_J[first_B]]
