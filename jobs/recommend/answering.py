"""A network's logits for what is learned of a batch, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from jobs.recommend.batches import IGNORED, Batch, Piece, causal_batch, seq2seq_batch
from jobs.recommend.recipe import Recipe
from models.recommend.answer_loss import answer_loss


def batch_of(pieces: Sequence[Piece], recipe: Recipe) -> Batch:
    """What the recipe's network reads and learns."""
    return (seq2seq_batch if recipe.is_encoder_decoder else causal_batch)(pieces, recipe.pad)


def losses(network: Any, batch: Batch, recipe: Recipe) -> Tensor:
    """loss_BA of the learned tokens; 0 where there is none."""
    if recipe.is_lazy:
        found: Tensor = network(batch.token_BT, batch.mask_BT, batch.label_BA)
        return found
    ask = _answer_seq2seq if recipe.is_encoder_decoder else _answer_causal
    return answer_loss(ask(network, batch, recipe.pad), batch.label_BA, recipe.id_tokens)


def _answer_causal(network: Any, batch: Batch, pad: int) -> Tensor:
    """Logits for the last tokens of every row, each from the token before it."""
    place_BT = (batch.mask_BT.cumsum(1) - 1).clamp(min=0)
    keep = batch.label_BA.shape[1] + 1
    found = network(
        input_ids=batch.token_BT,
        attention_mask=batch.mask_BT,
        position_ids=place_BT,
        logits_to_keep=keep,
        use_cache=False,
    )
    logits: Tensor = found.logits[:, :-1]
    return logits


def _answer_seq2seq(network: Any, batch: Batch, pad: int) -> Tensor:
    """Logits for every token of the answer, each from the answer before it; a padding token starts it, as T5's."""
    known_BA = batch.label_BA.masked_fill(batch.label_BA == IGNORED, pad)
    start_B1 = torch.full_like(known_BA[:, :1], pad)
    found = network(
        input_ids=batch.token_BT,
        attention_mask=batch.mask_BT,
        decoder_input_ids=torch.cat([start_B1, known_BA[:, :-1]], dim=1),
        use_cache=False,
    )
    logits: Tensor = found.logits
    return logits
