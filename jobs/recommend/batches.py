"""Which examples come together in a step: an order that follows from the seed and the epoch alone, padded by length.

Shapes: B rows of a step, T tokens, A learned tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jobs.recommend.examples import Examples

POOL_BATCHES = 50  # so many batches' rows are sorted by length together: little padding, and still another mix every epoch
IGNORED = -100  # of a label that is not learned; as torch's cross_entropy has it


class Piece(NamedTuple):
    """One example: its tokens, the last `learned` of which are learned."""

    token_T: NDArray[np.int32]
    learned: int


class Batch(NamedTuple):
    """Decoder-only: token_BT padded on the left, label_BA the last tokens of each row, which are learned.

    Encoder-decoder: token_BT is the prompt, padded on the right, and label_BA the answer, padded on the right.
    """

    token_BT: Tensor
    mask_BT: Tensor
    label_BA: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def epoch_batches(
    length_N: NDArray[np.int64], batch_size: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """The rows of every step of an epoch: all rows once, rows of about one length together, steps in mixed order."""
    dice = np.random.default_rng([seed, epoch])
    order_N = dice.permutation(len(length_N))
    found = list[NDArray[np.int64]]()
    for start in range(0, len(order_N), batch_size * POOL_BATCHES):
        pool = order_N[start : start + batch_size * POOL_BATCHES]
        pool = pool[np.argsort(length_N[pool], kind="stable")]
        found += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [found[step] for step in dice.permutation(len(found))]


def in_order(num_rows: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """All rows as they stand."""
    for start in range(0, num_rows, batch_size):
        yield np.arange(start, min(start + batch_size, num_rows))


def share_of(pieces: Sequence[Piece], rank: int, processes: int) -> Sequence[Piece]:
    """What one of several processes learns of a step's pieces; of fewer pieces than processes some have none."""
    return pieces[rank::processes]


def in_parts(pieces: Sequence[Piece], parts: int) -> list[Sequence[Piece]]:
    """So many parts of about one size, some empty where there are fewer pieces."""
    edges = [len(pieces) * part // parts for part in range(parts + 1)]
    return [pieces[start:stop] for start, stop in pairwise(edges)]


def pieces_of(examples: Examples, rows: NDArray[np.int64]) -> list[Piece]:
    """The examples of these numbers."""
    at_N1 = examples.indptr_N1
    return [
        Piece(examples.token_M[at_N1[row] : at_N1[row + 1]], int(examples.learned_N[row])) for row in rows
    ]


def causal_batch(pieces: Sequence[Piece], pad: int) -> Batch:
    """Rows of a decoder-only model. No pieces make one of padding, from which nothing is learned."""
    width = max((len(piece.token_T) for piece in pieces), default=2)
    span = max((piece.learned for piece in pieces), default=1)
    token_BT = np.full((max(1, len(pieces)), width), pad, dtype=np.int64)
    mask_BT = np.full_like(token_BT, not pieces)  # a row nobody looks at would have no softmax
    label_BA = np.full((len(token_BT), span), IGNORED, dtype=np.int64)
    for row, (tokens, learned) in enumerate(pieces):
        token_BT[row, width - len(tokens) :] = tokens
        mask_BT[row, width - len(tokens) :] = 1
        label_BA[row, span - learned :] = tokens[len(tokens) - learned :]
    return Batch(torch.from_numpy(token_BT), torch.from_numpy(mask_BT), torch.from_numpy(label_BA))


def seq2seq_batch(pieces: Sequence[Piece], pad: int) -> Batch:
    """Rows of an encoder-decoder model. No pieces make one of padding, from which nothing is learned."""
    width = max((len(tokens) - learned for tokens, learned in pieces), default=1)
    span = max((piece.learned for piece in pieces), default=1)
    token_BT = np.full((max(1, len(pieces)), width), pad, dtype=np.int64)
    mask_BT = np.full_like(token_BT, not pieces)  # a row nobody looks at would have no softmax
    label_BA = np.full((len(token_BT), span), IGNORED, dtype=np.int64)
    for row, (tokens, learned) in enumerate(pieces):
        asked = len(tokens) - learned
        token_BT[row, :asked] = tokens[:asked]
        mask_BT[row, :asked] = 1
        label_BA[row, :learned] = tokens[asked:]
    return Batch(torch.from_numpy(token_BT), torch.from_numpy(mask_BT), torch.from_numpy(label_BA))
