"""IDs of a set's items by the name of what makes them, for the generators that speak them; each is made once and kept.

`community`, `rqvae` and `category` are the product's (`fit_named`), fitted on MiniLM vectors and, where they read behaviour,
on the train histories alone; `random`, `sequential` and `spectral` come from numbers (Hua et al. 2023); any other name is
that of an index that lies beside the set. Items may share an ID: whoever is judged on them is corrected for that.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from benchmarks.tokenizer_data import Items, published
from jobs.ids.settings import Quantizer
from jobs.ids.tokenizers import Rows, fit_named, load_named
from models.ids import numeric
from models.ids.health import row_groups
from models.ids.text import codes_to_text
from models.ids.tokenizer import Fitted, Tokenizer

FITTED = ("community", "rqvae", "category")
NUMBERS = ("random", "sequential", "spectral")
CODES = 256


class Ids(NamedTuple):
    """codes_NL of the items, and the tokenizer that made them where it reads vectors."""

    codes_NL: NDArray[np.int32]
    tokenizer: Tokenizer | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """K of every level."""
        return tuple(max(CODES, int(top) + 1) for top in self.codes_NL.max(axis=0))

    @property
    def texts(self) -> list[str]:
        return [codes_to_text(codes) for codes in self.codes_NL.tolist()]

    @property
    def ranks(self) -> NDArray[np.int64]:
        """rank_N: the place of each item among those of its codes."""
        _, group_N = np.unique(self.codes_NL, axis=0, return_inverse=True)
        order_N = np.argsort(group_N.reshape(-1), kind="stable")
        size_G = np.bincount(group_N.reshape(-1))
        rank_N = np.empty(len(order_N), dtype=np.int64)
        rank_N[order_N] = np.arange(len(order_N)) - np.repeat(np.cumsum(size_G) - size_G, size_G)
        return rank_N

    @property
    def shared_share(self) -> float:
        """Of the items those whose ID another has."""
        _, group_N, size_G = np.unique(self.codes_NL, axis=0, return_inverse=True, return_counts=True)
        return float(np.mean(size_G[group_N.reshape(-1)] > 1))


def ids_of(name: str, items: Items, source: Path, kept: Path, levels: int, seed: int) -> Ids:
    """Made, or as they were kept. Ends with a message for a name that is none."""
    path = kept / f"{name}-{levels}-{seed}.safetensors"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        save_file(_made(name, items, source, levels, seed), path)
    tensors = load_file(path)
    codes_NL = tensors.pop("codes_NL")
    return Ids(codes_NL, load_named(name, tensors) if tensors else None)


def _made(name: str, items: Items, source: Path, levels: int, seed: int) -> dict[str, NDArray[Any]]:
    if name in FITTED:
        found = _fitted(name, items, levels, seed)
        return {"codes_NL": found.codes_NL, **found.tokenizer.tensors()}
    if name in NUMBERS:
        return {"codes_NL": _numbered(name, items, levels, seed).codes_NL}
    there = published(source, items)
    if name not in there:
        raise SystemExit(f"{name} makes no IDs: {', '.join((*FITTED, *NUMBERS, *there))} do on {items.name}")
    return {"codes_NL": there[name]}


def _fitted(name: str, items: Items, levels: int, seed: int) -> Fitted:
    half = sp.triu(items.together).tocoo()
    rows = Rows(
        items.x_ND,
        row_groups(items.x_ND),
        [str(item) for item in items.ids],
        np.stack(half.coords, axis=1).astype(np.int64),
        half.data,
        items.paths,
    )
    settings = Quantizer(tokenizer=name, levels=levels, seed=seed)
    with TemporaryDirectory() as folder:
        return fit_named(name, rows, settings, settings.codes, Path(folder) / "state.safetensors")


def _numbered(name: str, items: Items, levels: int, seed: int) -> Fitted:
    config = numeric.Config(levels, CODES)
    if name == "random":
        return numeric.random_ids(len(items.ids), config, seed)
    if name == "sequential":
        return numeric.sequential_ids(items.history_M2[:, 1], len(items.ids), config)
    return numeric.collaborative_ids(items.together, config, seed)
