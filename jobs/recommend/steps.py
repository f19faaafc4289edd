"""A process's part of every step, made while the network waits, and how long it waits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.recommend.answering import batch_of
from jobs.recommend.batches import Batch, Piece, epoch_batches, in_order, in_parts, pieces_of, share_of
from jobs.recommend.examples import Examples
from jobs.recommend.recipe import Recipe
from jobs.recommend.stand_ins import StandIns
from jobs.recommend.window_noise import noisy


@dataclass
class Clock:
    """Where the time of this run's steps goes: `waited_s` of `total_s` is making batches."""

    waited_s: float = 0.0
    total_s: float = 0.0

    @property
    def waited_share(self) -> float:
        """The share of the steps' time that the network waited for data."""
        return self.waited_s / max(self.total_s, 1e-9)


@dataclass(frozen=True)
class Process:
    """Which of how many processes this is, and where its network is."""

    rank: int
    count: int
    device: torch.device


class Steps:
    """The steps over some examples; which examples a step has follows from the recipe and its number alone."""

    def __init__(
        self, examples: Examples, recipe: Recipe, process: Process, stand_ins: StandIns | None = None
    ) -> None:
        self.examples, self.recipe, self.process, self.clock = examples, recipe, process, Clock()
        self.stand_ins = stand_ins
        num_pairs = stand_ins.num_pairs if stand_ins else 0
        pair_length = len(examples.token_M) and int(examples.lengths.min())  # about as short as the shortest
        self.length_N = np.concatenate([examples.lengths, np.full(num_pairs, pair_length)])
        self.an_epoch = -(-len(self.length_N) // recipe.batch_size)

    def rest_of_epoch(self, step: int) -> Iterator[tuple[list[Batch], int]]:
        """From a step on: this process's parts, and how many tokens all processes learn in it."""
        epoch, place = divmod(step, self.an_epoch)
        began = time.monotonic()
        for rows_B in epoch_batches(self.length_N, self.recipe.batch_size, self.recipe.seed, epoch)[place:]:
            pieces = self._pieces(rows_B, epoch)
            parts = [self._batch(part) for part in in_parts(self._share(pieces), self.recipe.parts)]
            num_tokens = sum(piece.learned for piece in pieces)
            made = time.monotonic()
            yield parts, num_tokens
            ended = time.monotonic()
            self.clock.waited_s += made - began
            self.clock.total_s += ended - began
            began = ended

    def once(self) -> Iterator[Batch]:
        """All examples once, as they stand: this process's share of each batch."""
        for rows_B in in_order(len(self.examples.learned_N), self.recipe.batch_size):
            yield self._batch(self._share(pieces_of(self.examples, rows_B)))

    def _pieces(self, rows_B: NDArray[np.int64], epoch: int) -> list[Piece]:
        """A step's examples, the same ones in every process."""
        if self.recipe.noise is None and self.stand_ins is None:
            return pieces_of(self.examples, rows_B)
        dice = (np.random.default_rng([self.recipe.seed, epoch, int(row)]) for row in rows_B)
        return [self._altered(row, one) for row, one in zip(rows_B.tolist(), dice, strict=True)]

    def _altered(self, row: int, dice: np.random.Generator) -> Piece:
        """An example with noise and stand-ins; rows after the last example are pairs of these."""
        num_rows, noise, stand_ins = len(self.examples.learned_N), self.recipe.noise, self.stand_ins
        at = row if row < num_rows else int(dice.integers(num_rows))
        (piece,) = pieces_of(self.examples, np.array([at]))
        if stand_ins is not None and row >= num_rows:
            return stand_ins.pair(piece, dice)
        if noise is not None:
            piece = noisy(piece, self.recipe.id_tokens, dice, noise)
        return stand_ins.replaced(piece, dice) if stand_ins is not None else piece

    def _share(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        return share_of(pieces, self.process.rank, self.process.count)

    def _batch(self, pieces: Sequence[Piece]) -> Batch:
        return batch_of(pieces, self.recipe).to(self.process.device)
