"""Which examples come together in a step: an order that follows from the seed and the epoch alone, padded by length.

Shapes: B rows of a step, T tokens, A learned tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jobs.recommend.examples import Examples

POOL_BATCHES = 50  # so many batches' rows are sorted by length together: little padding, and still another mix every epoch
IGNORED = -100  # of a label that is not learned; as torch's cross_entropy has it


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


def share_of(rows_B: NDArray[np.int64], rank: int, processes: int) -> NDArray[np.int64]:
    """What one of several processes learns of a step's rows; of fewer rows than processes some have none."""
    return rows_B[rank::processes]


def causal_batch(examples: Examples, rows_B: NDArray[np.int64], pad: int) -> Batch:
    """Rows of a decoder-only model. No rows make one of padding, from which nothing is learned."""
    whole = _rows(examples, rows_B)
    learned = [int(n) for n in examples.learned_N[rows_B]]
    width, span = max(map(len, whole), default=2), max(learned, default=1)
    token_BT = np.full((max(1, len(whole)), width), pad, dtype=np.int64)
    mask_BT = np.full_like(token_BT, not whole)  # a row nobody looks at would have no softmax
    label_BA = np.full((len(token_BT), span), IGNORED, dtype=np.int64)
    for row, (tokens, count) in enumerate(zip(whole, learned, strict=True)):
        token_BT[row, width - len(tokens) :] = tokens
        mask_BT[row, width - len(tokens) :] = 1
        label_BA[row, span - count :] = tokens[len(tokens) - count :]
    return Batch(torch.from_numpy(token_BT), torch.from_numpy(mask_BT), torch.from_numpy(label_BA))


def seq2seq_batch(examples: Examples, rows_B: NDArray[np.int64], pad: int) -> Batch:
    """Rows of an encoder-decoder model. No rows make one of padding, from which nothing is learned."""
    whole = _rows(examples, rows_B)
    learned = [int(n) for n in examples.learned_N[rows_B]]
    width = max((len(tokens) - count for tokens, count in zip(whole, learned, strict=True)), default=1)
    token_BT = np.full((max(1, len(whole)), width), pad, dtype=np.int64)
    mask_BT = np.full_like(token_BT, not whole)  # a row nobody looks at would have no softmax
    label_BA = np.full((len(token_BT), max(learned, default=1)), IGNORED, dtype=np.int64)
    for row, (tokens, count) in enumerate(zip(whole, learned, strict=True)):
        asked = len(tokens) - count
        token_BT[row, :asked] = tokens[:asked]
        mask_BT[row, :asked] = 1
        label_BA[row, :count] = tokens[asked:]
    return Batch(torch.from_numpy(token_BT), torch.from_numpy(mask_BT), torch.from_numpy(label_BA))


def _rows(examples: Examples, rows_B: NDArray[np.int64]) -> list[NDArray[np.int32]]:
    indptr_N1 = examples.indptr_N1
    return [examples.token_M[indptr_N1[row] : indptr_N1[row + 1]] for row in rows_B]
