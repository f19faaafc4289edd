"""A trained RQ-VAE or RQ-KMeans+ as a tokenizer (models/ids/tokenizer.py): vectors in, the codes of their latents out.

Shapes: N items, B batch, L levels, K codes, D input, E latent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.ids.blocks import Vectors, checked
from models.ids.kmeans import squared_distances
from models.ids.residual_quantize import code_sum
from models.ids.rqvae import ENCODE_ROWS, RQVAE, Config, codes_of
from models.ids.tokenizer import Codes


class RQVAETokenizer:
    """The network frozen in float64, in which a row's codes do not depend on the rows beside it."""

    def __init__(self, model: RQVAE) -> None:
        self.model = model.double().eval().requires_grad_(False)

    @property
    def levels(self) -> int:
        return self.model.config.levels

    @property
    def codes(self) -> int:
        return self.model.config.codes

    @property
    def input_dim(self) -> int:
        return self.model.config.input_dim

    def encode(self, x_ND: Vectors) -> Codes:
        """codes_NL. Raises `ValueError` for another width and for rows that hold NaN."""
        return codes_of(self.model, checked(x_ND, self.input_dim))

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        """cost_BK: squared distances in the latent space of what the codes before the last leave to every last code."""
        rows_BD = torch.from_numpy(checked(x_BD, self.input_dim)).double()
        books_LKE, found = self.model.codebooks_LKE, []
        for start in range(0, len(rows_BD), ENCODE_ROWS):
            before_Bl = torch.from_numpy(codes_BL[start : start + ENCODE_ROWS, :-1].astype(np.int64))
            left_BE = self.model.encode(rows_BD[start : start + ENCODE_ROWS]) - code_sum(before_Bl, books_LKE[:-1])
            found.append(squared_distances(left_BE, books_LKE[-1]).float().numpy())
        return np.concatenate([np.empty((0, self.codes), np.float32), *found])

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        """What the decoder makes of the codes, on the scale of the input."""
        standard_ND = self.model.decode(torch.from_numpy(codes_NL.astype(np.int64)))
        return (standard_ND * self.model.std_D + self.model.mean_D).float().numpy()

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The weights in float32, as they were trained."""
        return {name: value.float().numpy() for name, value in self.model.state_dict().items() if "behaviour" not in name}


def from_tensors(tensors: dict[str, NDArray[Any]]) -> RQVAETokenizer:
    """The tokenizer that gave these `tensors()`; its sizes follow from their shapes. `ValueError` where they do not fit."""
    missing = sorted({"codebooks_LKE", "mean_D", "std_D"} - tensors.keys())
    if missing:
        raise ValueError(f"these are no tensors of an RQ-VAE: {', '.join(missing)} missing")
    levels, codes, latent_dim = tensors["codebooks_LKE"].shape
    layers = sorted(
        (name for name in tensors if name.startswith("encoder.") and name.endswith(".weight")),
        key=lambda name: int(name.split(".")[-2]),
    )
    config = Config(
        input_dim=len(tensors["mean_D"]),
        levels=levels,
        codes=codes,
        hidden_dims=tuple(int(tensors[name].shape[0]) for name in layers[:-1]),
        latent_dim=latent_dim,
        residual_encoder=any(name.startswith("encoder.inner.") for name in tensors),
    )
    model = RQVAE(config)
    try:
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
    except RuntimeError as error:
        raise ValueError(f"these tensors do not make one RQ-VAE: {error}") from None
    return RQVAETokenizer(model)
