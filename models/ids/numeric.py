"""IDs that come from numbers, not from content: the baselines of Hua et al. 2023, "How to index item IDs" (2305.06569).

Random: different IDs drawn at random. Sequential (section 4.2): items are counted as users' histories, one after the
other, first name them, so that what is consumed together has near numbers; the number is written in digits of base K.
Collaborative (section 4.3): spectral clustering of the co-occurrence graph, each cluster clustered again, and numbers
inside the last. None of them can give a code to a vector: their tokenizer says so.
Shapes: N items, M events, L levels, K codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh

from models.ids.fixed_point import Floats, Ints, to_fixed
from models.ids.hierarchical import constrained
from models.ids.tokenizer import Codes, Fitted, Vectors

_DENSE = 512


@dataclass(frozen=True)
class Config:
    """`children`: how many clusters a cluster is parted into by the collaborative index, at most `codes`."""

    levels: int = 3
    codes: int = 256
    children: int = 20


class TableTokenizer:
    """A list of IDs in the form of a tokenizer; whatever needs a vector raises `ValueError`."""

    def __init__(self, codes_NL: Codes, codes: int, what: str) -> None:
        self.codes_NL, self._codes, self.what = codes_NL, codes, what

    @property
    def levels(self) -> int:
        return self.codes_NL.shape[1]

    @property
    def codes(self) -> int:
        return self._codes

    @property
    def input_dim(self) -> int:
        """0: it reads no vector."""
        return 0

    def encode(self, x_ND: Vectors) -> Codes:
        """Impossible."""
        self._refuse()

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        """Impossible."""
        self._refuse()

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        """Impossible."""
        self._refuse()

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {"codes": self.codes_NL, "size": np.array([self._codes])}

    def _refuse(self) -> NoReturn:
        raise ValueError(
            f"IDs from {self.what} are a list of the items they were made for: they say nothing of vectors, and a new "
            "note cannot have one before they are made again; use a tokenizer fitted on content"
        )


def from_tensors(tensors: dict[str, NDArray[np.generic]]) -> TableTokenizer:
    """The list that `tensors` came from."""
    return TableTokenizer(
        tensors["codes"].astype(np.int32), int(tensors["size"].astype(np.int64)[0]), "a numeric index"
    )


def digits(number_N: Ints, levels: int, codes: int) -> Codes:
    """The numbers in base K, most significant digit first. Raises `ValueError` for one that needs more digits."""
    if number_N.size and (number_N.min() < 0 or number_N.max() >= codes**levels):
        raise ValueError(
            f"{levels} codes of {codes} hold numbers 0 to {codes**levels - 1}, not {number_N.max()}"
        )
    place_L = codes ** np.arange(levels - 1, -1, -1, dtype=np.int64)
    return (number_N[:, None] // place_L % codes).astype(np.int32)


def random_ids(num_items: int, config: Config, seed: int) -> Fitted:
    """Different IDs, each as likely as any. Raises `ValueError` for more items than IDs."""
    room = config.codes**config.levels
    if num_items > room:
        raise ValueError(f"{num_items} items do not fit into {room} IDs: take more codes or levels")
    number_N = np.random.Generator(np.random.PCG64(seed)).choice(room, num_items, replace=False)
    return _table(digits(number_N.astype(np.int64), config.levels, config.codes), config, "random numbers")


def sequential_ids(item_M: Ints, num_items: int, config: Config) -> Fitted:
    """Numbers by first place in item_M, all histories one after the other; items that are in none follow."""
    _, first = np.unique(np.concatenate([item_M, np.arange(num_items)]), return_index=True)
    if len(first) != num_items:
        raise ValueError(f"histories name items outside 0 to {num_items - 1}")
    number_N = np.empty(num_items, dtype=np.int64)
    number_N[np.argsort(first)] = np.arange(num_items)
    return _table(digits(number_N, config.levels, config.codes), config, "the order of consumption")


def collaborative_ids(together_NN: sp.csr_array, config: Config, seed: int) -> Fitted:
    """Clusters of the graph's spectrum, parted again at each level but the last, where items are counted; items of a
    last cluster beyond K share codes.
    """
    cluster_N = np.zeros(together_NN.shape[0], dtype=np.int64)
    codes_NL = np.zeros((len(cluster_N), config.levels), dtype=np.int32)
    for level in range(config.levels):
        for members in np.split(np.argsort(cluster_N, kind="stable"), np.cumsum(np.bincount(cluster_N))[:-1]):
            is_last = level == config.levels - 1 or len(members) <= config.children
            inside = (
                np.arange(len(members)) % config.codes
                if is_last
                else _clusters(together_NN, members, config, seed)
            )
            codes_NL[members, level] = inside
        cluster_N = np.unique(cluster_N * config.codes + codes_NL[:, level], return_inverse=True)[1].astype(
            np.int64
        )
    return _table(codes_NL, config, "co-occurrence")


def _clusters(together_NN: sp.csr_array, members: Ints, config: Config, seed: int) -> Ints:
    inside = sp.csr_array(together_NN[members][:, members])
    return constrained(to_fixed(spectrum(inside, config.children, seed), 2.0**-23), config.children, seed)


def spectrum(together_NN: sp.csr_array, count: int, seed: int) -> Floats:
    """The `count` leading eigenvectors of D^-1/2 A D^-1/2, rows scaled to length one (Ng, Jordan and Weiss 2001)."""
    degree_N = np.asarray(together_NN.sum(axis=1)).ravel()
    scale = sp.diags_array(np.where(degree_N > 0, np.maximum(degree_N, 1e-12) ** -0.5, 0.0))
    even_NN = sp.csr_array(scale @ together_NN @ scale)
    if len(degree_N) <= _DENSE:
        vector_NE = np.linalg.eigh(even_NN.toarray())[1][:, -count:]
    else:
        start_N = np.random.Generator(np.random.PCG64(seed)).standard_normal(len(degree_N))
        vector_NE = eigsh(even_NN, k=count, v0=start_N)[1]
    length_N = np.sqrt(np.square(vector_NE).sum(axis=1, keepdims=True))
    return np.divide(vector_NE, length_N, out=np.zeros_like(vector_NE), where=length_N > 0)


def _table(codes_NL: Codes, config: Config, what: str) -> Fitted:
    return Fitted(TableTokenizer(codes_NL, config.codes, what), codes_NL, {})
