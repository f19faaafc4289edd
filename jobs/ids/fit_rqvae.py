"""An RQ-VAE or RQ-KMeans+ as a fitted tokenizer: trained, its codebooks settled on the final latents, rows in any order.

Training moves latents and codebooks together, and where it ends some codes serve many rows and some few. Settling keeps
the encoder and makes the codebooks anew by residual k-means of its latents, balanced where wanted: measured on 4,344
product texts, 3 levels, it takes the share of items without an ID of their own from 6.2 to 4.2 %, balanced to 3.5 %.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.ids.recipe import Recipe
from jobs.ids.training import NOTHING_BESIDE, Best, Training
from jobs.ids.training_losses import Beside
from models.ids.blocks import Vectors, checked, content_order
from models.ids.health import row_groups
from models.ids.residual_kmeans import Config as KMeansConfig
from models.ids.residual_kmeans import fit as fit_kmeans
from models.ids.rqvae import RQVAE, Config, latents_of
from models.ids.rqvae_tokenizer import RQVAETokenizer
from models.ids.tokenizer import Codes, Fitted

SETTLINGS = ("no", "plain", "balanced")


class Settled(NamedTuple):
    """The tokenizer and the codes of the rows it was settled on: balanced ones may differ from what it would encode."""

    tokenizer: RQVAETokenizer
    codes_NL: Codes


def settled(model: RQVAE, x_ND: Vectors, seed: int, settling: str) -> Settled:
    """The model's codebooks made anew on the latents of these rows; `settling` is one of SETTLINGS."""
    if settling not in SETTLINGS:
        raise ValueError(f"settling is {settling!r}: it must be one of {', '.join(SETTLINGS)}")
    model = model.double()
    tokenizer = RQVAETokenizer(model)
    if settling == "no":
        return Settled(tokenizer, tokenizer.encode(x_ND))
    config = KMeansConfig(model.config.levels, model.config.codes, balanced=settling == "balanced")
    found = fit_kmeans(latents_of(model, x_ND), config, seed)
    books_LKE = np.asarray(found.tokenizer.tensors()["codebooks_LKD"], dtype=np.float64)
    with torch.no_grad():
        model.codebooks_LKE.copy_(torch.from_numpy(books_LKE))
    return Settled(tokenizer, found.codes_NL if config.balanced else tokenizer.encode(x_ND))


def model_of(config: Config, best: Best) -> RQVAE:
    """The network of a checkpoint."""
    model = RQVAE(config)
    model.load_state_dict(best.weights)
    return model


def fit(
    x_ND: NDArray[np.float32],
    config: Config,
    recipe: Recipe,
    beside: Beside = NOTHING_BESIDE,
    settling: str = "balanced",
) -> Fitted:
    """A trained RQ-VAE, or RQ-KMeans+, as a tokenizer, with the codes of the rows it was trained on, in their order;
    what comes out does not depend on that order.

    Raises `ValueError` for rows that are not finite numbers or fewer than the codes of a level.
    """
    rows_ND = checked(x_ND, config.input_dim)
    if len(rows_ND) < config.codes:
        raise ValueError(f"{len(rows_ND)} rows cannot train {config.codes} codes a level: ask for fewer or give more rows")
    order_N = content_order(rows_ND)
    sorted_ND, beside = rows_ND[order_N], beside.in_order(order_N)
    best = Training(config, recipe, sorted_ND, row_groups(sorted_ND), beside).run()
    found = settled(model_of(config, best), sorted_ND, recipe.seed, settling)
    codes_NL = np.empty_like(found.codes_NL)
    codes_NL[order_N] = found.codes_NL
    return Fitted(found.tokenizer, codes_NL, {"epoch": float(best.epoch), **best.loss})
