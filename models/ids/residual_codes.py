"""The tokenizer that residual k-means makes: codebooks over the vectors themselves, looked up fast.

In: x_ND. Out: codes_NL; level l has the code nearest to what the levels before it left. The distance of a residual to a
code unfolds into products that need x only once:

    |x - c_1 - .. - c_(l-1) - c|^2 = |r|^2 + |c|^2 - 2 x.c + 2 c_1.c + .. + 2 c_(l-1).c

so one matrix product of x with all codebooks, and tables of the products among codes, give all levels. A wider beam keeps
several beginnings of an ID at each level and takes the one that ends nearest: a better reconstruction, but the first code
is then not always the nearest one.

Float32 is enough except where two codes are almost equally near: such rows are computed again in float64, where what is
equal to rounding goes to the first, so that a row's codes depend neither on its place in the block nor on the threads.
Shapes: N items, B a block, L levels, K codes a level, D dimensions, M the beam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.ids.blocks import BLOCK_ROWS, Product, Vectors, block, block_starts, checked, in_order
from models.ids.tokenizer import Codes

NEAR_TIE = 2.0**-19  # of the scale of a row's products: a score of roundings of float32
EXACT_TIE = 2.0**-40  # the same in float64
EXACT_ROWS = 64  # one shape for rows computed again


class _Tables:
    """What encoding needs, in one precision: -2 c, |c|^2, and 2 c.c' between levels."""

    def __init__(self, codebooks_LKD: Tensor) -> None:
        levels, codes, dim = codebooks_LKD.shape
        flat_RD = codebooks_LKD.reshape(levels * codes, dim)
        weights_DR = (-2 * flat_RD.T).contiguous()
        is_fast = flat_RD.dtype == torch.float32
        self.product: Callable[[Tensor], Tensor] = Product(weights_DR.T) if is_fast else lambda x_BD: x_BD @ weights_DR
        self.norms_LK = codebooks_LKD.square().sum(2)
        self.norms_LK[_repeated(codebooks_LKD)] = torch.inf  # the first of equal codes is the one that is used
        crosses = 2 * flat_RD @ flat_RD.T
        self.cross_LLKK = crosses.reshape(levels, codes, levels, codes).permute(0, 2, 1, 3).contiguous()
        self.scale = float(codebooks_LKD.square().sum(2).amax(1).sqrt().sum())

    def tolerance(self, rows_BD: Tensor, part: float) -> Tensor:
        """tie_B: `part` of the largest that any product in a row's distances can be."""
        size_B: Tensor = rows_BD.square().sum(1).sqrt()
        return part * 2 * self.scale * (size_B + self.scale)


class ResidualTokenizer:
    """A `Tokenizer` of codebooks_LKD; `beam` 1 takes the nearest code level by level."""

    def __init__(self, codebooks_LKD: Vectors, beam: int = 1) -> None:
        if codebooks_LKD.ndim != 3 or codebooks_LKD.size == 0 or not np.isfinite(codebooks_LKD).all():
            raise ValueError(f"codebooks must be levels x codes x dimensions of finite numbers, not {codebooks_LKD.shape}")
        if not 1 <= beam <= codebooks_LKD.shape[1]:
            raise ValueError(f"beam is {beam}: it must be from 1 to the {codebooks_LKD.shape[1]} codes of a level")
        self.codebooks_LKD, self.beam = np.ascontiguousarray(codebooks_LKD, dtype=np.float32), beam
        wide_LKD = torch.from_numpy(self.codebooks_LKD).double()
        self._exact = _Tables(wide_LKD)
        self._fast = _Tables(wide_LKD.float())

    @property
    def levels(self) -> int:
        return int(self.codebooks_LKD.shape[0])

    @property
    def codes(self) -> int:
        return int(self.codebooks_LKD.shape[1])

    @property
    def input_dim(self) -> int:
        return int(self.codebooks_LKD.shape[2])

    def encode(self, x_ND: Vectors) -> Codes:
        """codes_NL. Raises `ValueError` for another width and for rows that hold NaN."""
        if x_ND.ndim != 2 or x_ND.shape[1] != self.input_dim:
            checked(x_ND, self.input_dim)
        codes_NL = np.empty((len(x_ND), self.levels), dtype=np.int32)

        def some(start: int) -> NDArray[np.int64]:
            real = min(BLOCK_ROWS, len(x_ND) - start)
            rows_BD = block(checked(x_ND[start : start + BLOCK_ROWS], self.input_dim, start), 0)
            found_BL, margin_B = _search(rows_BD, self._fast, self.beam)
            codes_NL[start : start + real] = found_BL[:real].numpy()
            near_B = (margin_B < self._fast.tolerance(rows_BD, NEAR_TIE))[:real].numpy()
            return start + np.flatnonzero(near_B)

        def again(rows: NDArray[np.int64]) -> None:
            full_BD = torch.zeros(EXACT_ROWS, self.input_dim, dtype=torch.float64)
            full_BD[: len(rows)] = torch.from_numpy(np.asarray(x_ND[rows], dtype=np.float64))
            found_BL, _ = _search(full_BD, self._exact, self.beam, self._exact.tolerance(full_BD, EXACT_TIE))
            codes_NL[rows] = found_BL[: len(rows)].numpy()

        near_M = np.concatenate([np.empty(0, np.int64), *in_order(some, block_starts(len(x_ND)))])
        for _ in in_order(again, (near_M[at : at + EXACT_ROWS] for at in block_starts(len(near_M), EXACT_ROWS))):
            pass
        return codes_NL

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        """cost_BK: squared distances to every last code of what the codes before the last leave of each row."""
        rows_BD = checked(x_BD, self.input_dim).astype(np.float64)
        last_KD = self.codebooks_LKD[-1].astype(np.float64)
        left_BD = rows_BD - _summed(self.codebooks_LKD[:-1], codes_BL[:, :-1])
        cross_BK = left_BD @ last_KD.T
        cost_BK = (left_BD**2).sum(1)[:, None] - 2 * cross_BK + (last_KD**2).sum(1)
        return np.maximum(cost_BK, 0).astype(np.float32)

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        """The sum of the vectors of each row's codes."""
        return _summed(self.codebooks_LKD, codes_NL).astype(np.float32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {"codebooks_LKD": self.codebooks_LKD, "beam": np.array([self.beam], dtype=np.int64)}


def from_tensors(tensors: dict[str, NDArray[Any]]) -> ResidualTokenizer:
    """The tokenizer that gave these `tensors()`. Raises `ValueError` where one is missing."""
    missing = sorted({"codebooks_LKD", "beam"} - tensors.keys())
    if missing:
        raise ValueError(f"these are no tensors of residual codebooks: {', '.join(missing)} missing")
    return ResidualTokenizer(tensors["codebooks_LKD"], int(tensors["beam"][0]))


def _summed(codebooks_LKD: Vectors, codes_NL: Codes) -> NDArray[np.float64]:
    total_ND = np.zeros((len(codes_NL), codebooks_LKD.shape[2]))
    for codebook_KD, codes_N in zip(codebooks_LKD, codes_NL.T, strict=True):
        total_ND += codebook_KD[codes_N]
    return total_ND


def _repeated(codebooks_LKD: Tensor) -> Tensor:
    """is_repeated_LK: codes that equal one before them in their level."""
    repeated_LK = np.ones(codebooks_LKD.shape[:2], dtype=bool)
    for level, codebook_KD in enumerate(codebooks_LKD.numpy()):
        repeated_LK[level, np.unique(codebook_KD, axis=0, return_index=True)[1]] = False
    return torch.from_numpy(repeated_LK)


def _search(rows_BD: Tensor, tables: _Tables, beam: int, tie_B: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """codes_BL and margin_B: by how much the closest decision about a row was won."""
    num_rows, (levels, codes) = len(rows_BD), tables.norms_LK.shape
    products_BLK = tables.product(rows_BD).reshape(num_rows, levels, codes)
    margin_B = torch.full((num_rows,), torch.inf, dtype=rows_BD.dtype)
    begun, total_BM = [], torch.zeros(num_rows, 1, dtype=rows_BD.dtype)  # begun: for each level the codes_BM so far
    for level in range(levels):
        own_BK = products_BLK[:, level] + tables.norms_LK[level]
        cost_BMK = (own_BK[:, None] + total_BM[..., None]) if level else own_BK[:, None]
        for before, codes_BM in enumerate(begun):
            cost_BMK += tables.cross_LLKK[before, level].index_select(0, codes_BM.reshape(-1)).view_as(cost_BMK)
        chosen_BM, total_BM, gap_B = _least(cost_BMK.view(num_rows, -1), 1 if level == levels - 1 else beam, tie_B)
        margin_B = torch.minimum(margin_B, gap_B)
        if begun:
            parent_BM = chosen_BM // codes if begun[0].shape[1] > 1 else torch.zeros_like(chosen_BM)
            begun = [codes_BM.gather(1, parent_BM) for codes_BM in begun]
        begun.append(chosen_BM % codes)
    return torch.cat([codes_BM[:, :1] for codes_BM in begun], 1), margin_B


def _least(cost_BR: Tensor, keep: int, tie_B: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The `keep` least of each row, least first, with their costs, and how far the last of them is from the next.

    With `tie_B` what is as near as that to the least counts as equal, and the first of equals is taken.
    """
    chosen, costs = [], []
    for _ in range(keep):
        if tie_B is None:
            best_B1 = torch.from_numpy(cost_BR.numpy().argmin(axis=1, keepdims=True))
        else:
            is_best_BR = cost_BR <= cost_BR.amin(1, keepdim=True) + tie_B[:, None]
            best_B1 = torch.from_numpy(is_best_BR.numpy().argmax(axis=1, keepdims=True))
        costs.append(cost_BR.gather(1, best_B1))
        chosen.append(best_B1)
        cost_BR.scatter_(1, best_B1, torch.inf)
    gap_B = (cost_BR.amin(1) - costs[-1][:, 0]).nan_to_num(torch.inf)
    return torch.cat(chosen, 1), torch.cat(costs, 1), gap_B
