"""What comes next by counting alone: steps from the last item, and neighbours of the whole history, the latest most.

score(i) = P(i | last item) + mix * sum over the history of decay ** age * near(item, i), and a trace of popularity, so
that items which nothing speaks for stand in an order too. It is the floor that a neural figure is printed beside, and
the collaborative scorer that the recommender's decoding is mixed with.

In: sequences. Out: scores of all items for a history, or the best of them. Shapes: N items, Q cases, T places of a
history (-1 is no item), K entries of a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.recommend import popularity
from models.recommend.neighbours import (
    Ranked,
    check_items,
    cosine,
    history_weights,
    last_items,
    ranked,
    transitions,
    without_seen,
)
from models.recommend.sequences import PAD, Items, Sequences

TRACE = 1e-6  # of popularity: below any count
CASES = 1024  # histories whose sparse scores are held at a time
MATRICES = ("next", "near")


@dataclass(frozen=True)
class Config:
    """`doubt` is added to the times an item was followed, `shrink` to the root of two items' users.

    The first four have the best sum of NDCG@10 on the validation answers of Amazon Scientific and Beauty, each as a share of
    the best there, of a grid of 320; alone either set would gain less than 0.002. `keep` and `longest` bound memory.
    """

    decay: float = 0.7
    mix: float = 0.7
    doubt: float = 6.0
    shrink: float = 25.0
    keep: int = 200
    longest: int = 200


@dataclass(frozen=True)
class MarkovKnn:
    """next_NN: probabilities of the next item; near_NN: neighbours, times `mix`; num_users_N: of each item."""

    next_NN: sp.csr_array
    near_NN: sp.csr_array
    num_users_N: NDArray[np.float32]
    decay: float

    @property
    def num_items(self) -> int:
        """N."""
        return len(self.num_users_N)

    def scores(self, history_QT: Items) -> NDArray[np.float32]:
        """score_QN of all items; a history of nothing gets popularity alone."""
        trace_N = np.float32(TRACE) * self.num_users_N / max(float(self.num_users_N.max(initial=0)), 1.0)
        return np.asarray(self.spoken(history_QT).toarray() + trace_N, dtype=np.float32)

    def top(self, history_QT: Items, k: int, *, exclude_seen: bool = True) -> Ranked:
        """The best `k` items that counts speak for, best first; fewer, or none, where there are no more."""
        parts = [
            self._best(history_QT[start : start + CASES], k, exclude_seen)
            for start in range(0, max(len(history_QT), 1), CASES)
        ]
        return Ranked(
            np.concatenate([part.item_QK for part in parts]),
            np.concatenate([part.score_QK for part in parts]),
        )

    def _best(self, history_QT: Items, k: int, exclude_seen: bool) -> Ranked:
        score_QN = self.spoken(history_QT)
        return ranked(without_seen(score_QN, history_QT) if exclude_seen else score_QN, k)

    def spoken(self, history_QT: Items) -> sp.csr_array:
        """score_QN, sparse: of the items that counts speak for, without the trace of popularity."""
        check_items(history_QT, self.num_items, "histories")
        step_QN = last_items(history_QT, self.num_items) @ self.next_NN
        near_QN = history_weights(history_QT, self.decay, self.num_items) @ self.near_NN
        return sp.csr_array(step_QN + near_QN)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays, for safetensors."""
        found: dict[str, NDArray[Any]] = {
            "num_users": self.num_users_N,
            "decay": np.array([self.decay], dtype=np.float64),
        }
        for name, matrix in zip(MATRICES, (self.next_NN, self.near_NN), strict=True):
            found[f"{name}.indptr"] = matrix.indptr.astype(np.int64)
            found[f"{name}.indices"] = matrix.indices.astype(np.int64)
            found[f"{name}.values"] = matrix.data.astype(np.float32)
        return found


def fit(sequences: Sequences, num_items: int, config: Config) -> MarkovKnn:
    """Raises `ValueError` for items outside 0 to N - 1."""
    next_NN = transitions(sequences, num_items, keep=config.keep, doubt=config.doubt)
    near_NN = cosine(sequences, num_items, keep=config.keep, shrink=config.shrink, longest=config.longest)
    near_NN.data *= np.float32(config.mix)
    return MarkovKnn(next_NN, near_NN, popularity.fit(sequences, num_items).num_users_N, config.decay)


def from_tensors(tensors: Mapping[str, NDArray[Any]]) -> MarkovKnn:
    """What `tensors` gave. Raises `ValueError` where one is missing or they do not fit together."""
    names = [f"{name}.{part}" for name in MATRICES for part in ("indptr", "indices", "values")]
    missing = sorted({*names, "num_users", "decay"} - set(tensors))
    if missing:
        raise ValueError(f"the collaborative scorer lacks {', '.join(missing)}")
    num_users_N = np.asarray(tensors["num_users"], dtype=np.float32)
    step, near = (_matrix(tensors, name, len(num_users_N)) for name in MATRICES)
    return MarkovKnn(step, near, num_users_N, float(tensors["decay"][0]))


def _matrix(tensors: Mapping[str, NDArray[Any]], name: str, num_items: int) -> sp.csr_array:
    indptr, indices = tensors[f"{name}.indptr"], tensors[f"{name}.indices"]
    values = np.asarray(tensors[f"{name}.values"], dtype=np.float32)
    is_whole = (
        len(indptr) == num_items + 1
        and indptr[0] == 0
        and bool((np.diff(indptr) >= 0).all())
        and indptr[-1] == len(indices) == len(values)
        and not (indices.size and (indices.min() <= PAD or indices.max() >= num_items))
    )
    if not is_whole:
        raise ValueError(
            f"{name} of the collaborative scorer is no matrix of {num_items} x {num_items} items"
        )
    return sp.csr_array((values, np.asarray(indices), np.asarray(indptr)), shape=(num_items, num_items))
