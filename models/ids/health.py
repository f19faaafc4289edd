"""Figures about the semantic IDs of a set of items: how many have an ID of their own, and how well each level is used.

In: codes_NL (integers, N items, L levels) and, where known, content_N: equal numbers for items of equal content, which
no quantizer can separate. Out: `Health`. Plain counting, no model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]


class LevelHealth(NamedTuple):
    """One level: codes in use, 2 to the entropy in bits of their use, and codes that no item has."""

    codes_used: int
    perplexity: float
    dead_codes: int


class Health(NamedTuple):
    """`shared_share` is the share of items that have no full ID of their own, `irreducible_share` the part of it that
    shares with an item of the same content; `unique_rate` is different IDs over items, `separable_unique_rate` different
    IDs over different contents: 1 where the quantizer separates all that can be separated.
    """

    num_items: int
    num_ids: int
    shared_share: float
    irreducible_share: float
    unique_rate: float
    separable_unique_rate: float
    largest_group: int
    levels: tuple[LevelHealth, ...]


def row_groups(rows_NL: NDArray[Any]) -> NDArray[np.int64]:
    """group_N: equal numbers for equal rows, compared by their bytes."""
    rows_NL = np.ascontiguousarray(rows_NL)
    keys_N = rows_NL.view(np.dtype((np.void, rows_NL.dtype.itemsize * rows_NL.shape[1])))[:, 0]
    return np.unique(keys_N, return_inverse=True)[1].astype(np.int64)


def health(codes_NL: Codes, num_codes: int, content_N: NDArray[np.integer[Any]] | None = None) -> Health:
    """All figures; `num_codes` is the size of each level's codebook.

    Raises `ValueError` where there are no items or a code is outside its codebook.
    """
    if codes_NL.ndim != 2 or codes_NL.size == 0:
        raise ValueError(f"codes must be items x levels with at least one of each; their shape is {codes_NL.shape}")
    if codes_NL.min() < 0 or codes_NL.max() >= num_codes:
        raise ValueError(f"codes run from {codes_NL.min()} to {codes_NL.max()}, outside a codebook of {num_codes}")
    group_N = row_groups(codes_NL)
    size_N = np.bincount(group_N)[group_N]
    content_N = np.arange(len(codes_NL)) if content_N is None else np.asarray(content_N)
    twin_N = row_groups(np.stack([group_N, content_N.astype(np.int64)], axis=1))
    num_ids = int(group_N.max()) + 1
    return Health(
        num_items=len(codes_NL),
        num_ids=num_ids,
        shared_share=float(np.mean(size_N > 1)),
        irreducible_share=float(np.mean(np.bincount(twin_N)[twin_N] > 1)),
        unique_rate=num_ids / len(codes_NL),
        separable_unique_rate=num_ids / (int(twin_N.max()) + 1),
        largest_group=int(size_N.max()),
        levels=tuple(_level(codes_NL[:, level], num_codes) for level in range(codes_NL.shape[1])),
    )


def _level(codes_N: Codes, num_codes: int) -> LevelHealth:
    counts_K = np.bincount(codes_N.astype(np.int64), minlength=num_codes)
    used = counts_K[counts_K > 0]
    share = used / used.sum()
    return LevelHealth(len(used), float(np.exp2(-(share * np.log2(share)).sum())), num_codes - len(used))
