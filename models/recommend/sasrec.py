"""SASRec (arXiv 1808.09781, section 3): causal self-attention over the items of a history; the next item by inner products.

In: histories, padded on their left. Out: scores of all items. A place of a history attends to itself and what came
before it; its state is held against the same vectors that items come in with (section 3.3). Places are counted from the
end of the history (its last n items, section 3.1), so that padding changes nothing.

The paper learns from one drawn negative an answer; here an answer is learned against all items (softmax cross-entropy),
which is what makes the difference on public sets (`benchmarks/recommend_floors.py`).

Shapes: Q cases, T places of a history (-1 is no item), D width, N items, S answers that are learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.recommend.sequences import PAD, Items


@dataclass(frozen=True)
class Config:
    """Two layers as in the paper (section 4.1). With the defaults NDCG@10 on the validation answers of Amazon Scientific is
    .0922; half the width, learned three times as fast, has .0891 and costs half where items are many."""

    length: int = 20
    dim: int = 128
    layers: int = 2
    heads: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if min(self.length, self.dim, self.layers, self.heads) < 1 or self.dim % self.heads:
            raise ValueError(
                f"{self.heads} heads do not share a width of {self.dim}, or a size is below 1: {self}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: it must be at least 0 and below 1")


class Block(nn.Module):
    """Attention and a feed-forward layer, each around a normalised copy of its input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.before_attention, self.before_forward = nn.LayerNorm(config.dim), nn.LayerNorm(config.dim)
        self.query_key_value = nn.Linear(config.dim, 3 * config.dim)
        self.joined = nn.Linear(config.dim, config.dim)
        self.widen, self.narrow = nn.Linear(config.dim, 4 * config.dim), nn.Linear(4 * config.dim, config.dim)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, state_QTD: Tensor, may_see_Q1TT: Tensor) -> Tensor:
        parts = self.query_key_value(self.before_attention(state_QTD)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(query, key, value, may_see_Q1TT, dropout)
        state_QTD = state_QTD + self.drop(self.joined(seen.transpose(1, 2).flatten(2)))
        wide = self.drop(functional.gelu(self.widen(self.before_forward(state_QTD))))
        state_QTD = state_QTD + self.drop(self.narrow(wide))
        return state_QTD


class SASRec(nn.Module):
    """The network; `num_items` is N."""

    def __init__(self, num_items: int, config: Config) -> None:
        super().__init__()
        self.num_items, self.config = num_items, config
        self.items_ND = nn.Parameter(0.02 * torch.randn(num_items, config.dim))
        self.ages_TD = nn.Parameter(0.02 * torch.randn(config.length, config.dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm, self.drop = nn.LayerNorm(config.dim), nn.Dropout(config.dropout)

    def forward(self, history_QT: Tensor) -> Tensor:
        """state_QTD: what each place and those before it tell of the next. Raises `ValueError` for histories longer than
        the network has places for."""
        length = history_QT.shape[1]
        if length > self.config.length:
            raise ValueError(f"histories have {length} places, the network {self.config.length}")
        is_item_QT = history_QT != PAD
        item_QTD = functional.embedding(history_QT.clamp(min=0), self.items_ND) * self.config.dim**0.5
        ages_TD = self.ages_TD[:length].flip(0)
        state_QTD = self.drop((item_QTD + ages_TD) * is_item_QT.unsqueeze(-1))
        may_see_Q1TT = _may_see(is_item_QT)
        for block in self.blocks:
            state_QTD = block(state_QTD, may_see_Q1TT)
        normal_QTD: Tensor = self.norm(state_QTD)
        return normal_QTD

    def logits(self, state_SD: Tensor) -> Tensor:
        """logit_SN of all items to come next."""
        return state_SD @ self.items_ND.T

    def loss(self, history_QT: Tensor, next_QT: Tensor) -> Tensor:
        """Mean cross-entropy of the items that came next, in nats; -1 in `next_QT` is learned nothing from."""
        is_answer_QT = next_QT != PAD
        state_SD = self(history_QT)[is_answer_QT]
        return functional.cross_entropy(self.logits(state_SD), next_QT[is_answer_QT])

    @torch.inference_mode()
    def scores(self, history_QT: Items) -> NDArray[np.float32]:
        """score_QN: logits of all items after the last place of each history, of which only the last `length` count."""
        was_training = self.training
        self.eval()
        device = self.items_ND.device
        last_QD = self(torch.from_numpy(history_QT[:, -self.config.length :]).to(device))[:, -1]
        self.train(was_training)
        found: NDArray[np.float32] = self.logits(last_QD).float().cpu().numpy()
        return found


def _may_see(is_item_QT: Tensor) -> Tensor:
    """Itself always, so that a padded place has something to see, and every item before it."""
    length = is_item_QT.shape[1]
    itself_TT = torch.eye(length, dtype=torch.bool, device=is_item_QT.device)
    return (is_item_QT[:, None].expand(-1, length, -1).tril() | itself_TT)[:, None]
