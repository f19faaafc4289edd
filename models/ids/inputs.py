"""The inputs of a tokenizer as one vector a note: its text, its picture where there is one, and how it is clicked.

In: text_ND of all notes; for each further block vectors and which notes have one. Out: fused_NF, the blocks side by side,
each centred, scaled to a mean square norm of 1 and multiplied by the root of its weight. So a squared distance between
two notes is that of their texts plus each block's times its weight, whatever widths and lengths the blocks came with.

A note without a picture or without clicks gets what ridge regression predicts from its text. The mean would do for one
note, but puts all that lack a block on one point: they would look more alike than any two that have it, and the first
code would say who has a picture. The prediction is the least wrong guess, moves a note least when its picture comes, and
falls back to the mean by itself where texts predict nothing. Its strength is chosen by generalised cross-validation
(Golub, Heath and Wahba 1979).

Training knows all blocks. What is encoded day by day has its text, its picture where there is one, and the predicted
collaborative vector: clicks of a note that has just come are few, and an ID must not hang on them.

Shapes: N notes, D text, P one further block, F all blocks together. Sums are taken in float64 over passes of one shape, so
that a note's vector follows from the note alone; set torch to one thread for the same bits everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.ids.ridge import ridge

ROWS = 1024  # of a pass
BLOCKS = ("picture", "collaborative")  # in this order behind the text
PREFIX = "inputs."  # of the names in `tensors`, so that they may lie beside a tokenizer's
Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Config:
    """Weights of the further blocks beside 1 for the text; a block that is not named is not used."""

    picture: float | None = None
    collaborative: float | None = None


class Block(NamedTuple):
    """vectors_NP of one further input, and which notes have one; the rows of the others are not looked at."""

    vectors_NP: Vectors
    has_N: Mask


class Scaling(NamedTuple):
    """A block's mean over the notes that have it, and what brings its mean square norm to 1."""

    mean_P: Tensor
    scale: float


class Part(NamedTuple):
    """One further block, frozen: its scaling, the root of its weight, and what predicts it from the scaled text."""

    scaling: Scaling
    root: float
    ridge_DP: Tensor
    offset_P: Tensor


class Fuse:
    """The frozen fusion: a note is fused on any day as it would have been at training."""

    def __init__(self, text: Scaling, parts: Mapping[str, Part]) -> None:
        self.text = text
        self.parts = {name: parts[name] for name in BLOCKS if name in parts}

    @property
    def text_dim(self) -> int:
        """D."""
        return len(self.text.mean_P)

    @property
    def output_dim(self) -> int:
        """F."""
        return self.text_dim + sum(len(part.offset_P) for part in self.parts.values())

    def fuse(self, text_ND: Vectors, picture: Block | None = None, collaborative: Block | None = None) -> Vectors:
        """fused_NF; a block that is None is one that no note here has. With text alone the vectors stay as they are.

        Raises `ValueError` where a width is another than at training, or a vector is zero or not finite.
        """
        _require(text_ND, np.ones(len(text_ND), dtype=np.bool_), self.text_dim, "text")
        given = {"picture": picture, "collaborative": collaborative}
        for name, part in self.parts.items():
            _require_block(given[name], len(text_ND), len(part.offset_P), name)
        if not self.parts:
            return np.asarray(text_ND, dtype=np.float32)
        fused_NF = np.empty((len(text_ND), self.output_dim), dtype=np.float32)
        for start in range(0, len(text_ND), ROWS):
            rows = slice(start, start + ROWS)
            fused_NF[rows] = self._fused(text_ND[rows], {name: given[name] for name in self.parts}, rows)
        return fused_NF

    def _fused(self, text_RD: Vectors, given: Mapping[str, Block | None], rows: slice) -> Vectors:
        scaled_RD = scaled(padded(text_RD), self.text)
        columns = [scaled_RD]
        for name, part in self.parts.items():
            block, seen_RP = given[name], scaled_RD @ part.ridge_DP + part.offset_P
            if block is not None:
                has_R = torch.from_numpy(np.flatnonzero(block.has_N[rows]))
                # What a note without the block has in its row is not looked at: it may be anything.
                clean_RP = np.where(block.has_N[rows, None], block.vectors_NP[rows], np.float32(0))
                seen_RP[has_R] = scaled(padded(clean_RP), part.scaling)[has_R]
            columns.append(seen_RP * part.root)
        return np.asarray(torch.cat(columns, dim=1)[: len(text_RD)].float().numpy())

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """All that `from_tensors` needs, for a safetensors file."""
        found: dict[str, Any] = {"text.mean_P": self.text.mean_P, "text.scale": [self.text.scale]}
        for name, part in self.parts.items():
            found |= {f"{name}.mean_P": part.scaling.mean_P, f"{name}.scale": [part.scaling.scale]}
            found |= {f"{name}.root": [part.root], f"{name}.ridge_DP": part.ridge_DP, f"{name}.offset_P": part.offset_P}
        return {PREFIX + key: torch.as_tensor(value, dtype=torch.float64).numpy() for key, value in found.items()}


def from_tensors(tensors: Mapping[str, NDArray[np.generic]]) -> Fuse:
    """The fusion again; tensors of other names are passed over. Raises `ValueError` where one is missing or misfits."""
    mine = {
        key.removeprefix(PREFIX): torch.from_numpy(np.array(value, dtype=np.float64))
        for key, value in tensors.items()
        if key.startswith(PREFIX)
    }
    try:
        text = Scaling(mine["text.mean_P"], float(mine["text.scale"]))
        parts = {name: _part(mine, name) for name in BLOCKS if f"{name}.mean_P" in mine}
    except KeyError as error:
        raise ValueError(f"the tensors of the inputs lack {PREFIX}{error.args[0]}") from None
    for name, part in parts.items():
        if part.ridge_DP.shape != (len(text.mean_P), len(part.scaling.mean_P)):
            raise ValueError(f"{PREFIX}{name}.ridge_DP is {tuple(part.ridge_DP.shape)}, which fits neither text nor {name}")
    return Fuse(text, parts)


def _part(mine: Mapping[str, Tensor], name: str) -> Part:
    scaling = Scaling(mine[f"{name}.mean_P"], float(mine[f"{name}.scale"]))
    return Part(scaling, float(mine[f"{name}.root"]), mine[f"{name}.ridge_DP"], mine[f"{name}.offset_P"])


def fit(
    text_ND: Vectors, config: Config, picture: Block | None = None, collaborative: Block | None = None
) -> tuple[Fuse, dict[str, float]]:
    """The fusion of these notes' blocks, and figures: the share of notes that have a block, and the share of it that the
    text predicts (0: nothing beyond the mean).

    Raises `ValueError` where there are no notes, no note has a block that is asked for, a weight is not above 0, or a
    vector is zero or not finite.
    """
    if not len(text_ND):
        raise ValueError("there are no notes to take inputs of")
    _require(text_ND, np.ones(len(text_ND), dtype=np.bool_), text_ND.shape[1], "text")
    everyone = Block(text_ND, np.ones(len(text_ND), dtype=np.bool_))
    asked = {"picture": (config.picture, picture), "collaborative": (config.collaborative, collaborative)}
    wanted = {name: (weight, block) for name, (weight, block) in asked.items() if weight is not None}
    text = scaling_of(everyone) if wanted else Scaling(torch.zeros(text_ND.shape[1], dtype=torch.float64), 1.0)
    parts: dict[str, Part] = {}
    figures: dict[str, float] = {}
    for name, (weight, block) in wanted.items():
        if not weight > 0 or not np.isfinite(weight):
            raise ValueError(f"the weight of the {name} block is {weight}: it must be above 0")
        if block is None or not block.has_N.any():
            raise ValueError(f"no note has a {name} vector, so there is no {name} block to make of them")
        _require_block(block, len(text_ND), block.vectors_NP.shape[1], name)
        scaling = scaling_of(block)
        found = ridge(partial(_pairs, text_ND, text, block, scaling))
        parts[name] = Part(scaling, float(np.sqrt(weight)), found.ridge_DP, found.offset_P)
        figures |= {f"{name} share": float(block.has_N.mean()), f"{name} predicted": found.explained}
    return Fuse(text, parts), figures


def scaling_of(block: Block) -> Scaling:
    """Mean and scale over the notes that have the block; what does not vary is left unscaled."""
    count = int(block.has_N.sum())
    mean_P = sum((rows_RP.sum(0) for rows_RP in _having(block)), torch.zeros(block.vectors_NP.shape[1], dtype=torch.float64))
    mean_P = mean_P / count
    square = sum(float((rows_RP - mean_P).square().sum()) for rows_RP in _having(block)) / count
    return Scaling(mean_P, square**-0.5 if square > 1e-12 else 1.0)


def scaled(rows_RP: Tensor, scaling: Scaling) -> Tensor:
    """The rows centred and scaled."""
    return (rows_RP - scaling.mean_P) * scaling.scale


def padded(rows_RP: Vectors) -> Tensor:
    """The rows in float64, filled up to a pass of `ROWS`: a sum's last bits depend on the shape that it is taken in."""
    full_RP = torch.zeros(ROWS, rows_RP.shape[1], dtype=torch.float64)
    full_RP[: len(rows_RP)] = torch.from_numpy(np.asarray(rows_RP, dtype=np.float64))
    return full_RP


def _having(block: Block) -> Iterator[Tensor]:
    at_M = np.flatnonzero(block.has_N)
    for start in range(0, len(at_M), ROWS):
        yield torch.from_numpy(block.vectors_NP[at_M[start : start + ROWS]].astype(np.float64))


def _pairs(text_ND: Vectors, text: Scaling, block: Block, scaling: Scaling) -> Iterator[tuple[Tensor, Tensor]]:
    for text_RD, rows_RP in zip(_having(Block(text_ND, block.has_N)), _having(block), strict=True):
        yield scaled(text_RD, text), scaled(rows_RP, scaling)


def _require_block(block: Block | None, count: int, width: int, name: str) -> None:
    if block is None:
        return
    if len(block.vectors_NP) != count or len(block.has_N) != count:
        seen = f"{count} texts and {len(block.vectors_NP)} rows of the {name} block with a mask of {len(block.has_N)}"
        raise ValueError(f"there are {seen}: they must be as many")
    _require(block.vectors_NP, block.has_N, width, name)


def _require(vectors_NP: Vectors, has_N: Mask, width: int, name: str) -> None:
    if vectors_NP.ndim != 2 or vectors_NP.shape[1] != width:
        raise ValueError(f"{name} vectors are {vectors_NP.shape[1:]} wide, the inputs were made for {width}")
    for start in range(0, len(vectors_NP), ROWS):
        rows_RP = vectors_NP[start : start + ROWS]
        bad_R = has_N[start : start + ROWS] & ~(np.isfinite(rows_RP).all(axis=1) & rows_RP.any(axis=1))
        if bad_R.any():
            raise ValueError(f"the {name} vector of row {start + int(bad_R.argmax())} is zero or not finite")
