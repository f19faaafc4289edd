"""Batch inference of a text encoder whose result for a text does not depend on the texts beside it.

In: token ids, a list a text. Out: vectors of length 1, `float32[N, D]`, in the order given. Shapes: B texts in a batch,
L tokens, D dimensions.

Floating-point sums depend on the shapes they are computed in. So a text is always computed in the same shape: its length
is rounded up to a bucket, the bucket fixes B, and a last batch is filled up with copies. The same text then gets the same
bits, whatever day, batch or position it comes in, and an embedding can be reused instead of computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

BUCKET = 16


@dataclass(frozen=True)
class Config:
    """How texts are cut and batched. 256 tokens is what MiniLM was trained with (its model card)."""

    max_tokens: int = 256
    tokens_a_batch: int = 512


class Embedded(NamedTuple):
    """Vectors, and how many of the computed tokens were padding."""

    vectors_ND: np.ndarray
    tokens: int
    padding: int


def bucket_length(length: int, config: Config) -> int:
    """The padded length of a text: the next multiple of `BUCKET`, at most `max_tokens`."""
    return min(config.max_tokens, -(-max(length, 1) // BUCKET) * BUCKET)


def mean_pooled(hidden_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Mean of the last hidden states of the real tokens, scaled to length 1 (Sentence-BERT, section 3)."""
    weights_BL1 = mask_BL.unsqueeze(-1).to(hidden_BLD.dtype)
    mean_BD = (hidden_BLD * weights_BL1).sum(1) / weights_BL1.sum(1).clamp(min=1)
    return torch.nn.functional.normalize(mean_BD, dim=-1)


@torch.inference_mode()
def embed(encoder: nn.Module, token_ids: Sequence[Sequence[int]], pad_id: int, config: Config) -> Embedded:
    """Vectors of all texts; `encoder` takes `input_ids` and `attention_mask` and returns `last_hidden_state`."""
    ids = [list(row[: config.max_tokens]) or [pad_id] for row in token_ids]
    lengths = [bucket_length(len(row), config) for row in ids]
    vectors: list[np.ndarray | None] = [None] * len(ids)
    computed = 0
    for length in sorted(set(lengths)):
        members = [i for i, bucket in enumerate(lengths) if bucket == length]
        size = max(1, config.tokens_a_batch // length)
        for start in range(0, len(members), size):
            batch = members[start : start + size]
            rows_BD = _embed_batch(encoder, [ids[i] for i in batch], size, length, pad_id)
            computed += size * length
            for place, i in enumerate(batch):
                vectors[i] = rows_BD[place]
    tokens = sum(len(row) for row in ids)
    return Embedded(np.stack(vectors) if ids else np.zeros((0, 0), np.float32), tokens, computed - tokens)  # type: ignore[arg-type]


def _embed_batch(
    encoder: nn.Module, rows: list[list[int]], size: int, length: int, pad_id: int
) -> np.ndarray:
    filled = rows + [rows[-1]] * (size - len(rows))
    device = next(encoder.parameters()).device
    ids_BL = torch.tensor([row + [pad_id] * (length - len(row)) for row in filled], device=device)
    mask_BL = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in filled], device=device)
    hidden_BLD = encoder(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state
    return mean_pooled(hidden_BLD, mask_BL).float().cpu().numpy()
