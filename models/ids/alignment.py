"""New codebooks numbered like old ones, so that a retrained tokenizer keeps as much of the old vocabulary as it can.

What number a code has means nothing to a tokenizer and everything to a model trained on the IDs. Level by level, coarsest
first, new codes are matched to old ones (Hungarian method): first by the notes that have both and the same codes before,
then by the notes that have both whatever came before, then by how near the codes' notes lie. The tokenizer is not
changed, only what it calls its codes (`Relabeled`); nothing of this is more than a permutation of every level.

Shapes: N notes, L levels, K new codes a level, J old ones, D dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.ids.tokenizer import Codes, Tokenizer, Vectors

Permutation = NDArray[np.int32]
MAX_CODES = 4096  # a level's matching takes 8 bytes a pair of codes; larger vocabularies keep their own numbers


class Churn(NamedTuple):
    """Of the notes known to both: the share whose ID changed, and whose first one, two, ... codes changed."""

    num_notes: int
    changed_share: float
    prefix_shares: tuple[float, ...]


class Relabeled:
    """A tokenizer whose code k of level l is called `names_LK[l, k]`."""

    def __init__(self, tokenizer: Tokenizer, names_LK: Permutation) -> None:
        if names_LK.shape != (tokenizer.levels, tokenizer.codes):
            raise ValueError(
                f"names of {names_LK.shape} codes do not fit a tokenizer of {tokenizer.levels} x {tokenizer.codes}"
            )
        if not (np.sort(names_LK, axis=1) == np.arange(tokenizer.codes)).all():
            raise ValueError("the names of a level's codes must be a permutation of them")
        self.tokenizer, self.names_LK = tokenizer, names_LK.astype(np.int32)
        self._back_LK = np.argsort(names_LK, axis=1).astype(np.int32)

    @property
    def levels(self) -> int:
        return self.tokenizer.levels

    @property
    def codes(self) -> int:
        return self.tokenizer.codes

    @property
    def input_dim(self) -> int:
        return self.tokenizer.input_dim

    def encode(self, x_ND: Vectors) -> Codes:
        return renamed(self.tokenizer.encode(x_ND), self.names_LK)

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        cost_BK = self.tokenizer.last_costs(x_BD, renamed(codes_BL, self._back_LK))
        return cost_BK[:, self._back_LK[-1]]

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        return self.tokenizer.reconstruct(renamed(codes_NL, self._back_LK))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {**self.tokenizer.tensors(), "names_LK": self.names_LK}


def renamed(codes_NL: Codes, names_LK: Permutation) -> Codes:
    """The codes under their new names."""
    found: Codes = names_LK[np.arange(codes_NL.shape[1]), codes_NL].astype(np.int32)
    return found


def align(new_NL: Codes, old_NL: Codes, num_codes: int, x_ND: Vectors | None = None) -> Permutation:
    """names_LK for the new codes, by notes that have both IDs; levels that the old IDs lack keep their numbers.

    `x_ND`, the notes' vectors where both tokenizers read them, decides where no note does. Old codes beyond the new
    codebook's size cannot be taken over. Raises `ValueError` where the rows do not pair.
    """
    if len(new_NL) != len(old_NL) or (x_ND is not None and len(x_ND) != len(new_NL)):
        raise ValueError(f"rows do not pair: {len(new_NL)} new IDs, {len(old_NL)} old ones")
    levels, shared = new_NL.shape[1], min(new_NL.shape[1], old_NL.shape[1])
    names_LK = np.tile(np.arange(num_codes, dtype=np.int32), (levels, 1))
    if not len(new_NL) or num_codes > MAX_CODES:
        return names_LK
    same_N = np.ones(len(new_NL), dtype=np.bool_)
    new_left_ND = old_left_ND = None if x_ND is None else x_ND.astype(np.float64)
    for level in range(shared):
        new_N, old_N = new_NL[:, level], old_NL[:, level]
        gain_KK = _gain(new_N, old_N, same_N, num_codes)
        if new_left_ND is not None and old_left_ND is not None:
            new_KD, new_left_ND = _centroids(new_left_ND, new_N)
            old_JD, old_left_ND = _centroids(old_left_ND, old_N)
            gain_KK[: len(new_KD), : len(old_JD)] -= _distances(new_KD, old_JD[:num_codes])
        names_LK[level] = linear_sum_assignment(gain_KK, maximize=True)[1]
        same_N &= names_LK[level][new_N] == old_N
    return names_LK


def _gain(new_N: NDArray[np.int32], old_N: NDArray[np.int32], same_N: NDArray[np.bool_], count: int) -> NDArray[np.float64]:
    """What calling a new code by an old number is worth: whole points for a note, those with equal codes before first."""
    fits_N = old_N < count
    cell_N = new_N[fits_N].astype(np.int64) * count + old_N[fits_N]
    all_KK = np.bincount(cell_N, minlength=count * count)
    kept_KK = np.bincount(cell_N[same_N[fits_N]], minlength=count * count)
    gain_KK: NDArray[np.float64] = (kept_KK * (len(new_N) + 1.0) + all_KK).reshape(count, count).astype(np.float64)
    return gain_KK


def _centroids(left_ND: NDArray[np.float64], codes_N: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of what levels before left of each code's notes (NaN for a code of none), and what this level leaves."""
    count = int(codes_N.max()) + 1
    sums_KD = np.zeros((count, left_ND.shape[1]))
    np.add.at(sums_KD, codes_N, left_ND)
    with np.errstate(invalid="ignore"):
        mean_KD = sums_KD / np.bincount(codes_N, minlength=count)[:, None]
    return mean_KD, left_ND - mean_KD[codes_N]


def _distances(new_KD: NDArray[np.float64], old_JD: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances scaled to below a point over all codes; the largest where a code has no notes."""
    square_KJ = (new_KD**2).sum(1)[:, None] - 2 * new_KD @ old_JD.T + (old_JD**2).sum(1)
    top = np.nanmax(square_KJ, initial=0.0) or 1.0
    scaled: NDArray[np.float64] = np.nan_to_num(np.maximum(square_KJ, 0) / top, nan=1.0) / (len(new_KD) + 1.0)
    return scaled


def churn(old_NL: Codes, new_NL: Codes) -> Churn:
    """What became of the IDs of the same notes; IDs of different lengths differ, their common beginning may not."""
    if len(old_NL) != len(new_NL):
        raise ValueError(f"rows do not pair: {len(old_NL)} old IDs, {len(new_NL)} new ones")
    shared = min(old_NL.shape[1], new_NL.shape[1])
    if not len(old_NL):
        return Churn(0, 0.0, (0.0,) * shared)
    differ_NL = np.logical_or.accumulate(old_NL[:, :shared] != new_NL[:, :shared], axis=1)
    shares = tuple(float(share) for share in differ_NL.mean(axis=0))
    return Churn(len(old_NL), 1.0 if old_NL.shape[1] != new_NL.shape[1] else shares[-1], shares)
