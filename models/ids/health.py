"""Figures about the semantic IDs of a set of items: how many have an ID of their own, and how well each level is used.

In: codes_NL (integers, N items, L levels) and, where known, content_N: equal numbers for items of equal content, which
no quantizer can separate. Out: `Health`. Plain counting, no model. Shapes: N items, L levels, K codes, G groups.

Entropies are in bits of the counts as they are. The Gini coefficient is 0 where every code (or ID) has equally many
items and nears 1 where one has all; that of the IDs is FORGE's (arXiv 2509.20904), that of a level counts dead codes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]
Groups = NDArray[np.int64]


class LevelHealth(NamedTuple):
    """One level: codes in use, 2 to the entropy in bits of their use, and codes that no item has.

    `conditional_bits` is what is left of `entropy_bits` once the codes before are known: as much where they say nothing
    about this level, 0 where they say everything. `room_bits` is the most that it could be: the bits of a codebook, or
    of telling this many items apart where the codes before have done most of it already.
    """

    codes_used: int
    perplexity: float
    dead_codes: int
    gini: float = 0.0
    entropy_bits: float = 0.0
    conditional_bits: float = 0.0
    room_bits: float = 0.0


class Health(NamedTuple):
    """`shared_share` is the share of items that have no full ID of their own, `irreducible_share` the part of it that
    shares with an item of the same content; `unique_rate` is different IDs over items, `separable_unique_rate` different
    IDs over different contents: 1 where the quantizer separates all that can be separated. `distinct_shared_share` is
    the share without an ID of its own among the items whose content no other item has.

    `group_sizes` says how many IDs have how many items: ((1, 90), (2, 5)) are 90 IDs of one item and 5 of two.
    """

    num_items: int
    num_ids: int
    shared_share: float
    irreducible_share: float
    unique_rate: float
    separable_unique_rate: float
    largest_group: int
    levels: tuple[LevelHealth, ...]
    distinct_shared_share: float = 0.0
    gini_of_ids: float = 0.0
    group_sizes: tuple[tuple[int, int], ...] = ()

    @property
    def avoidable_share(self) -> float:
        """The share of items that share their ID with items of other contents only: a better quantizer's to separate."""
        return self.shared_share - self.irreducible_share


def row_groups(rows_NL: NDArray[Any]) -> Groups:
    """group_N: equal numbers for equal rows, compared by their bytes."""
    rows_NL = np.ascontiguousarray(rows_NL)
    keys_N = rows_NL.view(np.dtype((np.void, rows_NL.dtype.itemsize * rows_NL.shape[1])))[:, 0]
    return np.unique(keys_N, return_inverse=True)[1].astype(np.int64)


def prefix_groups(codes_NL: Codes) -> list[Groups]:
    """For every depth the group_N of the first codes: equal numbers, from 0 on, for items that share them all."""
    found: list[Groups] = []
    for codes_N in codes_NL.T.astype(np.int64):
        # Two numbers below N in one: no number grows beyond N x N, however many levels there are.
        codes_N = np.unique(codes_N, return_inverse=True)[1]
        key_N = found[-1] * (int(codes_N.max()) + 1) + codes_N if found else codes_N
        found.append(np.unique(key_N, return_inverse=True)[1].astype(np.int64))
    return found


def entropy_bits(counts_G: NDArray[np.integer[Any]]) -> float:
    """The entropy in bits of being in a group, given the groups' sizes."""
    share_G = counts_G[counts_G > 0] / counts_G.sum()
    return abs(float((share_G * np.log2(share_G)).sum()))


def gini(counts_K: NDArray[np.integer[Any]]) -> float:
    """Sum over ascending counts x_i of (2i - K - 1) x_i, over K times their sum; zeros count."""
    rank_K = np.arange(1, len(counts_K) + 1)
    return float(((2 * rank_K - len(counts_K) - 1) * np.sort(counts_K)).sum() / (len(counts_K) * counts_K.sum()))


def hit_cap(codes_NL: Codes, weight_N: NDArray[np.floating[Any]] | None = None, k: int = 1) -> float:
    """The best item-level Hit@k of a perfect model over IDs that items share, `weight_N` of its targets on each item.

    It finds the target's ID at once, and then has to draw among the n items of it: min(k, n) / n (the effective hits of
    CollisionGenRec, arXiv 2605.25330, with nothing ranked before). Without weights and at k = 1 it is the rate of unique
    IDs. Raises `ValueError` where weights are negative, not finite, none above 0, or not one an item.
    """
    if codes_NL.ndim != 2 or codes_NL.size == 0:
        raise ValueError(f"codes must be items x levels with at least one of each; their shape is {codes_NL.shape}")
    weight_N = np.ones(len(codes_NL)) if weight_N is None else np.asarray(weight_N, dtype=np.float64)
    if weight_N.shape != (len(codes_NL),):
        raise ValueError(f"there are weights of shape {weight_N.shape} for {len(codes_NL)} items: give one an item")
    if not np.isfinite(weight_N).all() or weight_N.min() < 0 or weight_N.sum() <= 0:
        raise ValueError("weights of targets must be finite and 0 or above, at least one of them above 0")
    group_N = prefix_groups(codes_NL)[-1]
    size_N = np.bincount(group_N)[group_N]
    return float((weight_N * np.minimum(k, size_N) / size_N).sum() / weight_N.sum())


def health(
    codes_NL: Codes, num_codes: int | Sequence[int], content_N: NDArray[np.integer[Any]] | None = None
) -> Health:
    """All figures; `num_codes` is the size of each level's codebook, one for all levels or one a level.

    Raises `ValueError` where there are no items, a code is outside its codebook, or contents are not one an item.
    """
    sizes_L = _checked(codes_NL, num_codes)
    prefix_LN = prefix_groups(codes_NL)
    group_N = prefix_LN[-1]
    size_G = np.bincount(group_N)
    content_N = np.arange(len(codes_NL)) if content_N is None else np.asarray(content_N)
    if content_N.shape != (len(codes_NL),):
        raise ValueError(f"there are contents of shape {content_N.shape} for {len(codes_NL)} items: give one an item")
    content_N = np.unique(content_N, return_inverse=True)[1]
    twin_N = prefix_groups(np.stack([group_N, content_N], axis=1))[-1]
    is_shared_N = size_G[group_N] > 1
    is_distinct_N = np.bincount(content_N)[content_N] == 1
    return Health(
        num_items=len(codes_NL),
        num_ids=len(size_G),
        shared_share=float(np.mean(is_shared_N)),
        irreducible_share=float(np.mean(np.bincount(twin_N)[twin_N] > 1)),
        unique_rate=len(size_G) / len(codes_NL),
        separable_unique_rate=len(size_G) / (int(twin_N.max()) + 1),
        largest_group=int(size_G.max()),
        levels=_levels(codes_NL, sizes_L, prefix_LN),
        distinct_shared_share=float(is_shared_N[is_distinct_N].mean()) if is_distinct_N.any() else 0.0,
        gini_of_ids=gini(size_G),
        group_sizes=tuple((int(size), int(num)) for size, num in zip(*np.unique(size_G, return_counts=True), strict=True)),
    )


def _checked(codes_NL: Codes, num_codes: int | Sequence[int]) -> list[int]:
    if codes_NL.ndim != 2 or codes_NL.size == 0:
        raise ValueError(f"codes must be items x levels with at least one of each; their shape is {codes_NL.shape}")
    if not np.issubdtype(codes_NL.dtype, np.integer):
        raise ValueError(f"codes must be integers; they are {codes_NL.dtype}")
    levels = codes_NL.shape[1]
    sizes_L = [num_codes] * levels if isinstance(num_codes, int | np.integer) else [int(size) for size in num_codes]
    if len(sizes_L) != levels:
        raise ValueError(f"there are sizes of {len(sizes_L)} codebooks for {levels} levels: give one each, or one for all")
    for level, (codes_N, size) in enumerate(zip(codes_NL.T, sizes_L, strict=True), start=1):
        if codes_N.min() < 0 or codes_N.max() >= size:
            raise ValueError(
                f"codes of level {level} run from {codes_N.min()} to {codes_N.max()}, outside a codebook of {size}"
            )
    return sizes_L


def _levels(codes_NL: Codes, sizes_L: list[int], prefix_LN: list[Groups]) -> tuple[LevelHealth, ...]:
    found, bits_before = [], 0.0
    for codes_N, size, group_N in zip(codes_NL.T, sizes_L, prefix_LN, strict=True):
        counts_K = np.bincount(codes_N.astype(np.int64), minlength=size)
        used, bits, bits_after = int((counts_K > 0).sum()), entropy_bits(counts_K), entropy_bits(np.bincount(group_N))
        conditional = max(0.0, bits_after - bits_before)  # rounding may leave less than nothing
        room = max(0.0, min(float(np.log2(size)), float(np.log2(len(codes_N))) - bits_before))
        found.append(LevelHealth(used, float(np.exp2(bits)), size - used, gini(counts_K), bits, conditional, room))
        bits_before = bits_after
    return tuple(found)
