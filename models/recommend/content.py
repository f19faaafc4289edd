"""Neighbours by content: what reads like the notes of a history, the latest most. It needs no counts, so that notes which
nobody acted on yet are reachable too.

near(i, j) = exp(sharp * (cos(i, j) - 1)), of every note over its `keep` nearest, and made a distribution;
score(j) = sum over the history of decay ** age * near(i, j).

In: vectors of length 1 that one encoder made. Out: scores of all notes for a history, or the best of them. Nearest are
exact up to some 50,000 notes; above that a note is compared with those of the cells around it (faiss, IVF).
Shapes: N notes, D dimensions, K neighbours kept, Q cases, T places of a history (-1 is no note), B rows of a block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.recommend.neighbours import Ranked, history_weights, ranked, without_seen
from models.recommend.sequences import PAD, Items

Vectors = NDArray[np.float32]
BLOCK_CELLS = 25_000_000  # similarities held at a time: 0.1 GB
MAX_KEPT = 40_000_000  # entries of a matrix, 0.3 GB: above 200,000 notes fewer neighbours are kept of each
FEWEST = 20
CASES = 1024  # histories whose sparse scores are held at a time
# Cells of an index, so many times the root of the notes, and those that a note is compared with. Of 100,000 noisy copies of
# Amazon Beauty's vectors 0.957 of the 200 nearest are found, in 25 s of a core; of 12,101 real ones 0.925, 0.985 of ten.
CELLS_OF_ROOT = 4
LEAST_PROBES, PROBED_SHARE = 32, 0.01
TRAINED_A_CELL = 64  # notes that a cell's middle is learned from
SAME = 1e-3  # how far a vector's length may be from 1


@dataclass(frozen=True)
class Config:
    """`sharp` and `decay` have the best NDCG@10 on the validation answers of Amazon Scientific, beside counts, of a grid of
    sharp 8, 12, 16, 20 and decay 0.3 and 0.5 (with 384-dimensional MiniLM vectors)."""

    sharp: float = 12.0
    decay: float = 0.3
    keep: int = 200
    exact_below: int = 50_000
    seed: int = 17


@dataclass(frozen=True)
class Content:
    """near_NN: of every note its nearest, a row sums to 1, or is empty where a note has no vector or no neighbour."""

    near_NN: sp.csr_array
    decay: float

    @property
    def num_items(self) -> int:
        """N."""
        return int(self.near_NN.shape[0])

    def spoken(self, history_QT: Items) -> sp.csr_array:
        """score_QN, sparse: of the notes that content speaks for."""
        return sp.csr_array(history_weights(history_QT, self.decay, self.num_items) @ self.near_NN)

    def scores(self, history_QT: Items) -> NDArray[np.float32]:
        """score_QN of all notes. Raises `ValueError` for histories of notes that there are not."""
        return np.asarray(self.spoken(history_QT).toarray(), dtype=np.float32)

    def top(self, history_QT: Items, k: int, *, exclude_seen: bool = True) -> Ranked:
        """The best `k` notes that content speaks for, best first; fewer, or none, where there are no more."""
        parts = []
        for start in range(0, max(len(history_QT), 1), CASES):
            part_QT = history_QT[start : start + CASES]
            score_QN = self.spoken(part_QT)
            parts.append(ranked(without_seen(score_QN, part_QT) if exclude_seen else score_QN, k))
        return Ranked(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays, for safetensors."""
        return {
            "content.indptr": self.near_NN.indptr.astype(np.int64),
            "content.indices": self.near_NN.indices.astype(np.int32),
            "content.values": self.near_NN.data.astype(np.float32),
            "content.decay": np.array([self.decay], dtype=np.float64),
        }


def fit(vector_ND: Vectors, config: Config) -> Content:
    """Neighbours among notes that one encoder read: vectors of two have nothing to do with each other (`joined`).

    A row of zeros is a note without a vector: it has no neighbours and is nobody's. Notes with equal vectors are nearest to
    each other. Raises `ValueError` for rows whose length is neither 1 nor 0, NaN included.
    """
    num, at_M = len(vector_ND), _with_vector(vector_ND)
    if len(at_M) < 2:
        return Content(sp.csr_array((num, num), dtype=np.float32), config.decay)
    keep = max(1, min(config.keep, max(FEWEST, MAX_KEPT // num)))
    near_MK, cos_MK = nearest(vector_ND[at_M] if len(at_M) < num else vector_ND, keep, config)
    is_there_MK = near_MK != PAD
    weight_MK = np.exp(np.float32(config.sharp) * (cos_MK - 1)) * is_there_MK
    weight_MK /= np.maximum(weight_MK.sum(axis=1, keepdims=True), np.float32(1e-30))
    found = (np.repeat(at_M, is_there_MK.sum(axis=1)), at_M[near_MK[is_there_MK]])
    near_NN = sp.csr_array((weight_MK[is_there_MK].astype(np.float32), found), shape=(num, num))
    near_NN.sort_indices()
    return Content(near_NN, config.decay)


def _with_vector(vector_ND: Vectors) -> Items:
    length_N = np.sqrt(np.einsum("nd,nd->n", vector_ND, vector_ND))
    wrong = np.flatnonzero((length_N != 0) & ~(np.abs(length_N - 1) <= SAME))
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} vectors are not of length 1, the first at row {wrong[0]}: {length_N[wrong[0]]}"
        )
    return np.flatnonzero(length_N)


def nearest(vector_ND: Vectors, keep: int, config: Config) -> tuple[Items, Vectors]:
    """near_NK, -1 where there is none, and cos_NK: of every row others alone, the nearest first."""
    keep = min(keep, len(vector_ND) - 1)
    if len(vector_ND) <= config.exact_below:
        return _exact(vector_ND, keep)
    return _in_cells(vector_ND, keep, config.seed)


def _exact(vector_ND: Vectors, keep: int) -> tuple[Items, Vectors]:
    num = len(vector_ND)
    near_NK = np.empty((num, keep), dtype=np.int64)
    cos_NK = np.empty((num, keep), dtype=np.float32)
    size = max(1, BLOCK_CELLS // num)
    for start in range(0, num, size):
        cos_BN = vector_ND[start : start + size] @ vector_ND.T
        row_B = np.arange(len(cos_BN))
        cos_BN[row_B, start + row_B] = -np.inf
        kept_BK = np.argpartition(cos_BN, num - keep, axis=1)[:, num - keep :]
        kept_cos_BK = np.take_along_axis(cos_BN, kept_BK, axis=1)
        order_BK = np.lexsort((kept_BK, -kept_cos_BK), axis=1)
        part = slice(start, start + len(cos_BN))
        near_NK[part] = np.take_along_axis(kept_BK, order_BK, axis=1)
        cos_NK[part] = np.take_along_axis(kept_cos_BK, order_BK, axis=1)
    return near_NK, np.minimum(cos_NK, np.float32(1))


def _in_cells(vector_ND: Vectors, keep: int, seed: int) -> tuple[Items, Vectors]:
    """Of one thread, so that sums are taken in one order."""
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        num, dims = vector_ND.shape
        cells = max(1, int(CELLS_OF_ROOT * num**0.5))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dims), dims, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed, index.cp.max_points_per_centroid = seed, TRAINED_A_CELL
        index.train(vector_ND)
        index.add(vector_ND)
        index.nprobe = min(cells, max(LEAST_PROBES, int(PROBED_SHARE * cells)))
        size = max(1, BLOCK_CELLS // (8 * (keep + 1)))
        parts = [
            _others(*index.search(vector_ND[start : start + size], keep + 1), start)
            for start in range(0, num, size)
        ]
    finally:
        faiss.omp_set_num_threads(threads)
    near_NK, cos_NK = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return near_NK, np.minimum(cos_NK, np.float32(1))


def _others(cos_BK1: Vectors, near_BK1: Items, start: int) -> tuple[Items, Vectors]:
    """Without the row itself; where its twins are so many that it is not among them, without the last."""
    is_self_BK1 = near_BK1 == start + np.arange(len(near_BK1))[:, None]
    is_self_BK1[~is_self_BK1.any(axis=1), -1] = True
    shape = (len(near_BK1), near_BK1.shape[1] - 1)
    return near_BK1[~is_self_BK1].reshape(shape).astype(np.int64), cos_BK1[~is_self_BK1].reshape(shape)


def renumbered(content: Content, item_N: Items, num_items: int) -> Content:
    """The same neighbours with note n as item item_N[n] of `num_items`; notes at -1 are left out, and their weight with
    them: rows may then sum to less than 1."""
    near = content.near_NN.tocoo()
    row, column = (item_N[at] for at in near.coords)
    is_kept = (row != PAD) & (column != PAD)
    found = (near.data[is_kept], (row[is_kept], column[is_kept]))
    return Content(sp.csr_array(found, shape=(num_items, num_items)), content.decay)


def joined(parts: Sequence[tuple[Content, Items]], num_items: int, decay: float) -> Content:
    """Parts that have no item in common (an encoder each), with the items that their notes are, as one."""
    empty = sp.csr_array((num_items, num_items), dtype=np.float32)
    found = sum((renumbered(part, item_N, num_items).near_NN for part, item_N in parts), empty)
    near_NN = sp.csr_array(found, dtype=np.float32)
    near_NN.sort_indices()
    return Content(near_NN, decay)


def from_tensors(tensors: Mapping[str, NDArray[Any]]) -> Content:
    """What `tensors` gave. Raises `ValueError` where one is missing or they do not fit together."""
    names = [f"content.{part}" for part in ("indptr", "indices", "values", "decay")]
    missing = sorted(set(names) - set(tensors))
    if missing:
        raise ValueError(f"the neighbours by content lack {', '.join(missing)}")
    indptr, indices, values, decay = (tensors[name] for name in names)
    num = len(indptr) - 1
    is_whole = (
        num >= 0
        and indptr[0] == 0
        and bool((np.diff(indptr) >= 0).all())
        and indptr[-1] == len(indices) == len(values)
        and not (indices.size and (indices.min() < 0 or indices.max() >= num))
    )
    if not is_whole:
        raise ValueError(f"the neighbours by content are no matrix of {num} x {num} notes")
    return Content(
        sp.csr_array((np.asarray(values, dtype=np.float32), indices, indptr), shape=(num, num)),
        float(decay[0]),
    )
