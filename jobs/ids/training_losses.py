"""What a batch of the RQ-VAE is trained for: reconstruction and codebooks always, the rest by its weight in the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.ids.contrast_losses import collaborative_loss, identity_loss, pair_loss
from models.ids.diversity_loss import code_clusters, diversity_loss, partners
from models.ids.rqvae import RQVAE, Config, Output


class Beside(NamedTuple):
    """What may be known of the rows beside their vectors: behaviour_NE, NaN where a row has none, and pairs_P2 of rows
    that occur together.
    """

    behaviour_NE: NDArray[np.float32] | None = None
    pairs_P2: NDArray[np.int64] | None = None

    def in_order(self, order_N: NDArray[np.int64]) -> Beside:
        """The same of rows that are put into this order."""
        place_N = np.argsort(order_N)
        behaviour_NE = None if self.behaviour_NE is None else self.behaviour_NE[order_N]
        pairs_P2 = None if self.pairs_P2 is None else place_N[self.pairs_P2]
        return Beside(behaviour_NE, pairs_P2)


@dataclass(frozen=True)
class Weights:
    """Each loss's weight, 0 to leave it out. LETTER's best are 0.02 for collaborative and 1e-4 for diversity."""

    collaborative: float = 0.0
    diversity: float = 0.0
    pair: float = 0.0
    identity: float = 0.0
    diversity_clusters: int = 10
    pair_temperature: float = 0.1
    identity_temperature: float = 1.0


def require_known(beside: Beside, config: Config, weights: Weights, num_rows: int) -> None:
    """Raise `ValueError` where a loss has a weight but not what it learns from, or that does not fit the rows."""
    behaviour_NE, pairs_P2 = beside
    if weights.collaborative and behaviour_NE is None:
        raise ValueError("no collaborative embeddings are given but their loss has a weight: give some or weigh it 0")
    if behaviour_NE is not None and behaviour_NE.shape != (num_rows, config.behaviour_dim):
        wanted = (num_rows, config.behaviour_dim)
        raise ValueError(f"collaborative embeddings must be rows x behaviour_dim {wanted}, not {behaviour_NE.shape}")
    if weights.pair and (pairs_P2 is None or not len(pairs_P2)):
        raise ValueError("the pair loss has a weight but there are no pairs: give them or weigh 0")
    if pairs_P2 is not None and len(pairs_P2) and (pairs_P2.min() < 0 or pairs_P2.max() >= num_rows):
        raise ValueError(f"pairs name rows from {pairs_P2.min()} to {pairs_P2.max()}; there are {num_rows} rows")


class Partners:
    """Who occurs together with whom, both ways, so that a row's partner can be drawn."""

    def __init__(self, pairs_P2: NDArray[np.int64], num_rows: int) -> None:
        both = np.unique(np.concatenate([pairs_P2, pairs_P2[:, ::-1]]), axis=0)
        self.right_R = torch.from_numpy(np.ascontiguousarray(both[:, 1]))
        self.counts_N = torch.from_numpy(np.bincount(both[:, 0], minlength=num_rows))
        self.starts_N = self.counts_N.cumsum(0) - self.counts_N
        self.keys_R = torch.from_numpy(both[:, 0] * num_rows + both[:, 1])
        self.num_rows = num_rows

    def drawn(self, rows_B: Tensor, dice: torch.Generator) -> tuple[Tensor, Tensor]:
        """The rows of a batch that have partners, and one for each."""
        left_P = rows_B[self.counts_N[rows_B] > 0]
        draw_P = (torch.rand(len(left_P), generator=dice) * self.counts_N[left_P]).long()
        return left_P, self.right_R[self.starts_N[left_P] + draw_P]

    def same(self, left_P: Tensor, right_P: Tensor) -> Tensor:
        """is_same_PP: where a row of the left is the row of the right or its partner."""
        keys_PP = left_P[:, None] * self.num_rows + right_P[None]
        at_PP = torch.searchsorted(self.keys_R, keys_PP).clamp_max(len(self.keys_R) - 1)
        return (self.keys_R[at_PP] == keys_PP) | (left_P[:, None] == right_P[None])


class Losses:
    """The weighed losses of one training; `begin_epoch` sets all that an epoch draws or groups."""

    def __init__(
        self, model: RQVAE, rows_ND: Tensor, content_N: NDArray[np.int64], beside: Beside, weights: Weights, seed: int
    ) -> None:
        require_known(beside, model.config, weights, len(rows_ND))
        self.model, self.rows_ND, self.weights, self.seed = model, rows_ND, weights, seed
        self.content_N = torch.from_numpy(np.asarray(content_N, dtype=np.int64))
        self.behaviour_NE = None if beside.behaviour_NE is None else torch.from_numpy(beside.behaviour_NE)
        self.partners = Partners(beside.pairs_P2, len(rows_ND)) if weights.pair and beside.pairs_P2 is not None else None

    def begin_epoch(self, epoch: int) -> None:
        self.dice = torch.Generator().manual_seed(self.seed * 1_000_003 + 500_009 + epoch)
        if self.weights.diversity:
            clusters = min(self.weights.diversity_clusters, self.model.config.codes)
            self.partner_LK = [
                partners(code_clusters(book, clusters, self.seed + epoch), self.dice) for book in self.model.codebooks_LKE
            ]

    def of(self, rows_B: Tensor, found: Output) -> dict[str, Tensor]:
        """Each loss by its name, already weighed."""
        weights = self.weights
        losses = {"reconstruction": found.reconstruction_loss, "codebook": found.codebook_loss}
        if weights.identity:
            content_B = self.content_N[rows_B]
            loss = identity_loss(found.latent_BE, found.z_BE, content_B, weights.identity_temperature)
            losses["identity"] = weights.identity * loss
        if weights.collaborative and self.behaviour_NE is not None and self.model.behaviour is not None:
            projected_BE = self.model.behaviour(self.behaviour_NE[rows_B])
            losses["collaborative"] = weights.collaborative * collaborative_loss(found.latent_BE, projected_BE)
        if weights.diversity:
            levels = zip(self.model.codebooks_LKE, found.codes_BL.T, self.partner_LK, strict=True)
            losses["diversity"] = weights.diversity * torch.stack([diversity_loss(*level) for level in levels]).sum()
        if self.partners is not None:
            losses["pair"] = weights.pair * self._pair(rows_B, self.partners)
        return losses

    def _pair(self, rows_B: Tensor, known: Partners) -> Tensor:
        left_P, right_P = known.drawn(rows_B, self.dice)
        if len(left_P) < 2:
            return self.model.codebooks_LKE.sum() * 0
        left_PE = self.model(self.rows_ND[left_P]).latent_BE
        right_PE = self.model(self.rows_ND[right_P]).latent_BE
        return pair_loss(left_PE, right_PE, known.same(left_P, right_P), self.weights.pair_temperature)
