"""Greedy decoding of many prompts at once: rows that end leave the batch, and waiting rows take their places.

In: encoded prompts of any lengths. Out: for each its new tokens with their log-probabilities, as soon as it is done.
Rows run left-padded over one cache of keys and values. Sampling options that a model brings along are not looked at.

Shapes: B rows of a batch, L tokens of a prompt, T tokens in the cache, V vocabulary, K best tokens. The batching is ours,
after the idea of Orca (Yu et al., OSDI 2022, section 3.1: scheduling at the level of one step).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from models.tags.decoding_batch import Batch, Best, Live, Row, Special
from models.tags.key_values import can_join

# What a model or a device throws at a prompt it cannot take. Anything else is an error of ours.
MODEL_ERRORS = (RuntimeError, ValueError, IndexError, KeyError, TypeError, ArithmeticError, NotImplementedError)


@dataclass(frozen=True)
class Config:
    """How large a batch may be. The defaults are measured with `benchmarks/tag_throughput.py`."""

    max_rows: int = 32
    max_tokens: int = 32_768  # rows times the longest of them with its reply: bounds the cache
    refill_share: float = 0.25  # of max_rows that must be free before waiting rows are read in
    top_k: int = 0  # best tokens of every step that are told with a whole reply


class Decoded(NamedTuple):
    """The tokens after a prompt. `is_whole`: it ended of itself. `problem`: why it could not be decoded at all. `end`:
    the token that ended a whole reply; `best`: [T, K], the last of the T for that end, of a whole reply alone."""

    ids: list[int]
    logprobs: list[float]
    is_whole: bool
    seconds: float
    problem: str = ""
    num_tries: int = 1
    end: int | None = None
    best: Best | None = None


def decode(
    model: Any, rows: Sequence[Row], special: Special, config: Config, clock: Callable[[], float]
) -> Iterator[tuple[int, Decoded]]:
    """Every row's reply with its place in `rows`, in the order in which they are done.

    A row that the model cannot take is asked again alone, and gets a `problem` where that fails too; the rest goes on.
    """
    # Sorted, so that rows read in together are alike in length; the longest first, so that memory runs out early.
    waiting = sorted(range(len(rows)), key=lambda at: (rows[at].kind, -rows[at].length, at))
    batch = Batch(model, special, config.top_k)
    alone: list[int] = []
    with torch.inference_mode():
        while waiting or batch.live:
            chosen = _next_rows(waiting, rows, batch, config)
            started = clock()
            try:
                ended = batch.read([(at, rows[at]) for at in chosen]) if chosen else batch.step()
            except MODEL_ERRORS:
                alone += [*chosen, *(x.at for x in batch.live if not x.is_over and x.at not in chosen)]
                batch = Batch(model, special, config.top_k)
                ended = []
            else:
                shared = batch.live[-len(chosen) :] if chosen else batch.live
                for live in shared:
                    live.seconds += (clock() - started) / len(shared)
            del waiting[: len(chosen)]
            if ended:
                yield from ((live.at, _decoded(live, special)) for live in ended)
                batch.leave(ended)
        for at in alone:
            yield at, _alone(model, rows[at], special, config.top_k, clock)


def _next_rows(waiting: list[int], rows: Sequence[Row], batch: Batch, config: Config) -> list[int]:
    """The waiting rows to read in now: none while too few places are free, else as many of one kind as fit."""
    room = config.max_rows - len(batch.live)
    is_worth = not batch.live or (room >= config.refill_share * config.max_rows and can_join(batch.cache))
    if not waiting or not is_worth:
        return []
    first, chosen = rows[waiting[0]], list[int]()
    longest = max(batch.length, first.length) + max(first.max_new, 0)
    for at in waiting[:room]:
        num_rows = len(batch.live) + len(chosen) + 1
        if rows[at].kind != first.kind or (num_rows > 1 and num_rows * longest > config.max_tokens):
            break
        chosen.append(at)
    return chosen


def _alone(model: Any, row: Row, special: Special, top_k: int, clock: Callable[[], float]) -> Decoded:
    """One row by itself, after it failed in company."""
    batch, started = Batch(model, special, top_k), clock()
    try:
        ended = batch.read([(0, row)])
        while not ended:
            ended = batch.step()
    except MODEL_ERRORS as error:
        why = f"the model cannot take it: {type(error).__name__}: {error}".splitlines()[0][:200]
        return Decoded([], [], False, clock() - started, why, num_tries=2)
    ended[0].seconds = clock() - started
    return _decoded(ended[0], special)._replace(num_tries=2)


def _decoded(live: Live, special: Special) -> Decoded:
    if not all(map(math.isfinite, live.logprobs)):
        return Decoded([], [], False, live.seconds, "the model's scores are no numbers")
    is_whole = live.ids[-1] in special.stop
    if not is_whole:
        return Decoded(live.ids, live.logprobs, is_whole, live.seconds)
    best = Best(*(np.stack(parts) for parts in zip(*live.best, strict=True))) if live.best else None
    return Decoded(live.ids[:-1], live.logprobs[:-1], is_whole, live.seconds, end=live.ids[-1], best=best)
