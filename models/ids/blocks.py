"""Rows worked on in blocks of one fixed shape, by as many threads as torch has, with the same bits for any number of them.

A block is computed by one thread in one tensor shape (the last one is filled up with zero rows), and what comes of the
blocks is handed over in their order; so no sum depends on how the work was shared out (docs/adr/0006-fixed-shapes.md).
A block fits the cache of a core, which also makes it faster than one large product.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK_ROWS = 256
Vectors = NDArray[np.float32]
Given = TypeVar("Given")
Result = TypeVar("Result")


def checked(x_ND: NDArray[Any], input_dim: int | None = None, first_row: int = 0) -> Vectors:
    """The rows as float32, unless they are no rows x dimensions, of another width, or not all numbers: `ValueError`."""
    if x_ND.ndim != 2 or x_ND.shape[1] == 0:
        raise ValueError(f"vectors must be rows x dimensions; their shape is {x_ND.shape}")
    if input_dim is not None and x_ND.shape[1] != input_dim:
        raise ValueError(f"vectors have {x_ND.shape[1]} dimensions, the tokenizer reads {input_dim}")
    rows_ND = np.ascontiguousarray(x_ND, dtype=np.float32)
    # One sum is cheaper than a look at every number; only where it is no number is the row looked for.
    if not np.isfinite(torch.from_numpy(rows_ND).sum().item()):
        bad_N = np.flatnonzero(~np.isfinite(rows_ND).all(axis=1))
        if len(bad_N):
            where = f"row {first_row + int(bad_N[0])}" + (f" and {len(bad_N) - 1} more" if len(bad_N) > 1 else "")
            raise ValueError(f"vectors must be finite numbers; {where} holds NaN or infinity: embed these notes again")
    return rows_ND


def content_order(x_ND: Vectors) -> NDArray[np.int64]:
    """An order of rows that follows from what they hold alone, so that a fit does not depend on how they were listed."""
    dice = np.random.default_rng(0)
    odd_D = dice.integers(0, 1 << 63, x_ND.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = [  # + 0.0 makes one zero of the two
        (np.ascontiguousarray(x_ND[at : at + 8192] + np.float32(0)).view(np.uint32) * odd_D).sum(axis=1)
        for at in range(0, len(x_ND), 8192)
    ]
    return np.argsort(np.concatenate(keys), kind="stable") if keys else np.empty(0, np.int64)


def in_order(work: Callable[[Given], Result], given: Iterable[Given]) -> Iterator[Result]:
    """`work` on each, side by side on torch's threads with one thread each; results in order, few of them waiting."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield from map(work, given)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque[Future[Result]] = deque()
            for one in given:
                waiting.append(pool.submit(work, one))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(threads)


def block_starts(num_rows: int, span: int = BLOCK_ROWS) -> range:
    """Where spans of rows begin."""
    return range(0, num_rows, span)


def block(x_ND: Vectors, start: int) -> Tensor:
    """x_BD of BLOCK_ROWS rows from `start` on, zeros after the last."""
    rows = torch.from_numpy(x_ND[start : start + BLOCK_ROWS])
    if len(rows) == BLOCK_ROWS:
        return rows
    full_BD = rows.new_zeros(BLOCK_ROWS, rows.shape[1])
    full_BD[: len(rows)] = rows
    return full_BD


class Product:
    """x_BD @ weights_RD.T in float32, by oneDNN where torch has it: it uses the widest instructions of every make of CPU,
    which for AMD the library behind `@` does not (measured on Zen 5: 230 against 104 GFLOP/s a core).
    """

    def __init__(self, weights_RD: Tensor) -> None:
        self.weights_RD = weights_RD.contiguous()
        if torch.backends.mkldnn.is_available():
            self.weights_RD = self.weights_RD.to_mkldnn()

    def __call__(self, x_BD: Tensor) -> Tensor:
        if self.weights_RD.is_mkldnn:
            return torch.nn.functional.linear(x_BD.to_mkldnn(), self.weights_RD).to_dense()
        return torch.nn.functional.linear(x_BD, self.weights_RD)
