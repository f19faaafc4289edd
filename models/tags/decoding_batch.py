"""A batch of rows that are decoded together, one token of each a step, and that come and go.

Rows are padded on the left and share one cache of keys and values. The likeliest token is taken; sampling options that a
model brings along are not looked at. Shapes: B rows, L tokens of a prompt, T columns of the cache, V vocabulary, K best
tokens of a step.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.tags.key_values import can_join, can_select, join, select, trim


class Row(NamedTuple):
    """An encoded prompt: `words` hold one value a token ([1, L]: ids, mask, types), `pictures` whatever else."""

    words: dict[str, Tensor]
    pictures: dict[str, Tensor]
    max_new: int

    @property
    def length(self) -> int:
        """Its number of tokens, those of its pictures included."""
        return int(self.words["input_ids"].shape[1])

    @property
    def kind(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Rows of one kind can be read in together: their picture tensors differ in the first dimension only."""
        return tuple(sorted((name, tuple(t.shape[1:])) for name, t in self.pictures.items()))


class Best(NamedTuple):
    """The best tokens of one step, ids_K, and logprobs_K, their natural logarithms; or of all steps, [T, K]."""

    ids: NDArray[np.int32]
    logprobs: NDArray[np.float32]


@dataclass
class Live:
    """A row in the batch: its place among the rows given, and what it has said so far."""

    at: int
    max_new: int
    ids: list[int]
    logprobs: list[float]
    best: list[Best] = field(default_factory=list)  # of every step, where they are asked for
    seconds: float = 0.0
    is_over: bool = False


class Special(NamedTuple):
    """The ids that end a reply, the one that fills up, and how many are tokens (models round their vocabulary up)."""

    stop: frozenset[int]
    pad: int
    num_tokens: int | None = None


class Batch:
    """Rows that are decoded together, one token of each a step."""

    def __init__(self, model: Any, special: Special, top_k: int = 0) -> None:
        self.model, self.special, self.top_k = model, special, top_k
        self.accepted = frozenset(inspect.signature(model.forward).parameters)
        self.live: list[Live] = []
        self.cache: Any = None
        self.mask_BT = torch.zeros(0, 0, dtype=torch.long, device=model.device)
        self.next_B = torch.zeros(0, dtype=torch.long, device=model.device)
        self.place_B = torch.zeros(0, dtype=torch.long, device=model.device)

    @property
    def length(self) -> int:
        """T: columns of the cache."""
        return int(self.mask_BT.shape[1])

    def read(self, rows: Sequence[tuple[int, Row]]) -> list[Live]:
        """Read prompts of one kind in, beside those that run. Gives those that ended with their first token."""
        words = _padded([row.words for _, row in rows], self.special.pad)
        inputs = {name: tensor.to(self.model.device) for name, tensor in words.items()}
        for name in rows[0][1].pictures:
            picture = torch.cat([row.pictures[name] for _, row in rows]).to(self.model.device)
            inputs[name] = picture.to(self.model.dtype) if picture.is_floating_point() else picture
        positions = self._first_positions(inputs)
        if "logits_to_keep" in self.accepted:
            inputs["logits_to_keep"] = 1
        out = self.model(**inputs, **self._placed(positions), use_cache=True)
        fresh = [Live(at, row.max_new, [], []) for at, row in rows]
        last_B = positions.amax(dim=(0, 2)) if positions.dim() == 3 else positions[:, -1]
        self._add(fresh, out.past_key_values, inputs["attention_mask"], last_B + 1)
        return self._choose(out.logits[:, -1], fresh)

    def step(self) -> list[Live]:
        """One more token for every row. Gives those that ended, which stay until `leave`."""
        self.mask_BT = torch.cat([self.mask_BT, torch.ones_like(self.next_B)[:, None]], dim=1)
        out = self.model(
            input_ids=self.next_B[:, None],
            attention_mask=self.mask_BT,
            past_key_values=self.cache,
            use_cache=True,
            **self._placed(self.place_B[:, None]),
        )
        self.cache = out.past_key_values
        self.place_B = self.place_B + 1
        return self._choose(out.logits[:, -1], self.live)

    def leave(self, ended: Sequence[Live]) -> None:
        """Take rows out of the batch, and with them the columns that only they filled."""
        for live in ended:
            live.is_over = True
        kept = [i for i, live in enumerate(self.live) if not live.is_over]
        if kept and not can_select(self.cache):
            return  # such a cache cannot be taken apart: what is over runs along until all are
        self.live = [self.live[i] for i in kept]
        index = torch.tensor(kept, dtype=torch.long, device=self.mask_BT.device)
        self.next_B, self.place_B, self.mask_BT = self.next_B[index], self.place_B[index], self.mask_BT[index]
        if not kept:
            self.cache, self.mask_BT = None, self.mask_BT[:, :0]
            return
        select(self.cache, index)
        if can_join(self.cache):
            unused = int(self.mask_BT.argmax(dim=1).min())
            trim(self.cache, unused)
            self.mask_BT = self.mask_BT[:, unused:]

    def _first_positions(self, inputs: dict[str, Any]) -> Tensor:
        """[B, L], or [3, B, L] for models of the Qwen-VL family, which place pictures in time, height and width."""
        place = getattr(getattr(self.model, "model", None), "get_rope_index", None)
        mask_BL = inputs["attention_mask"]
        if place is None or "mm_token_type_ids" not in inputs:
            return (mask_BL.cumsum(dim=1) - 1).clamp(min=0)
        wanted = inspect.signature(place).parameters
        positions, _ = place(**{name: value for name, value in inputs.items() if name in wanted})
        return positions

    def _placed(self, positions: Tensor) -> dict[str, Tensor]:
        return {"position_ids": positions} if "position_ids" in self.accepted else {}

    def _add(self, fresh: list[Live], cache: Any, mask_BT: Tensor, place_B: Tensor) -> None:
        if self.live:
            self.mask_BT = join(self.cache, self.mask_BT, cache, mask_BT)
        else:
            self.cache, self.mask_BT = cache, mask_BT
        self.live = self.live + fresh
        self.place_B = torch.cat([self.place_B, place_B])
        self.next_B = torch.cat([self.next_B, torch.zeros_like(place_B)])

    def _choose(self, logits_BV: Tensor, rows: list[Live]) -> list[Live]:
        """Take the likeliest token of each of the last `len(rows)` rows. Gives those that are at their end."""
        logits_BV = logits_BV.float()
        best_B, total_B = logits_BV.max(dim=1), logits_BV.logsumexp(dim=1)
        logprob_B = (best_B.values - total_B).tolist()
        top_BK = self._top(logits_BV, total_B) if self.top_k else None
        self.next_B[len(self.live) - len(rows) :] = best_B.indices
        ended = []
        for at, (live, token, logprob) in enumerate(zip(rows, best_B.indices.tolist(), logprob_B, strict=True)):
            if live.is_over:
                continue
            live.ids.append(token)
            live.logprobs.append(logprob)
            if top_BK is not None:
                live.best.append(Best(top_BK.ids[at], top_BK.logprobs[at]))
            if token in self.special.stop or len(live.ids) >= live.max_new or not math.isfinite(logprob):
                ended.append(live)
        return ended

    def _top(self, logits_BV: Tensor, total_B: Tensor) -> Best:
        """The K best tokens of every row, the best first, with their log-probabilities among all of V."""
        known_BV = logits_BV[:, : self.special.num_tokens]
        top_BK = known_BV.topk(min(self.top_k, known_BV.shape[1]), dim=1)
        logprobs_BK = top_BK.values - total_B[:, None]
        return Best(top_BK.indices.int().cpu().numpy(), logprobs_BK.cpu().numpy())


def _padded(words: Sequence[dict[str, Tensor]], pad: int) -> dict[str, Tensor]:
    """Rows as [B, L], filled up on the left: with `pad` among the ids, with 0 elsewhere."""
    longest = max(row["input_ids"].shape[1] for row in words)
    return {
        name: torch.cat(
            [
                torch.nn.functional.pad(
                    row[name], (longest - row[name].shape[1], 0), value=pad if name == "input_ids" else 0
                )
                for row in words
            ]
        )
        for name in words[0]
    }
