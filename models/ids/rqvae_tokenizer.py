"""A trained RQ-VAE as a `Tokenizer`: float64 and passes of one shape, so that a row's codes follow from the row alone.

Shapes: N items, B batch, L levels, K codes a level, D input dimensions, E latent dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from models.ids.kmeans import squared_distances
from models.ids.rqvae import ENCODE_ROWS, RQVAE, Config, code_sum, codes_of
from models.ids.tokenizer import Codes, Vectors


class RQVAETokenizer:
    """Codes and costs of the network in latent space, reconstructions in the space of the vectors."""

    def __init__(self, model: RQVAE) -> None:
        self.model = model.double().eval()

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
        return codes_of(self.model, x_ND)

    def last_costs(self, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
        """Squared distances between what the codes before the last leave of the latent and every last code."""
        cost_BK = np.empty((len(x_BD), self.codes), dtype=np.float32)
        codebooks_LKE = self.model.codebooks_LKE
        for start in range(0, len(x_BD), ENCODE_ROWS):
            part = torch.from_numpy(np.asarray(x_BD[start : start + ENCODE_ROWS], dtype=np.float64))
            full_BD = part.new_zeros(ENCODE_ROWS, self.input_dim)
            full_BD[: len(part)] = part
            prefix_BL = torch.from_numpy(codes_BL[start : start + ENCODE_ROWS, :-1].astype(np.int64))
            with torch.inference_mode():
                left_BE = self.model.encode(full_BD)
                if prefix_BL.shape[1]:
                    left_BE[: len(part)] -= code_sum(prefix_BL, codebooks_LKE[:-1])
                cost_BK[start : start + len(part)] = squared_distances(left_BE, codebooks_LKE[-1])[: len(part)].numpy()
        return cost_BK

    def reconstruct(self, codes_NL: Codes) -> Vectors:
        with torch.inference_mode():
            standard_ND = self.model.decode(torch.from_numpy(codes_NL.astype(np.int64)))
            x_ND: Vectors = (standard_ND * self.model.std_D + self.model.mean_D).float().numpy()
        return x_ND

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The weights as they were trained, in float32."""
        return {name: value.float().numpy() for name, value in self.model.state_dict().items()}


def from_tensors(tensors: Mapping[str, NDArray[np.generic]]) -> RQVAETokenizer:
    """The tokenizer of these weights; the sizes follow from their shapes. Raises `ValueError` where they do not fit."""
    try:
        levels, codes, latent_dim = tensors["codebooks_LKE"].shape
        widths = [w.shape for name, w in sorted(tensors.items(), key=_layer) if name.startswith("encoder.") and w.ndim == 2]
        hidden_dims = tuple(int(out) for out, _ in widths[:-1])
        model = RQVAE(Config(int(widths[0][1]), levels, codes, hidden_dims, latent_dim))
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise ValueError(f"these are no weights of an RQ-VAE: {error}") from None
    return RQVAETokenizer(model)


def _layer(item: tuple[str, NDArray[np.generic]]) -> tuple[int, str]:
    """Layers in the order of their numbers: encoder.2.weight before encoder.10.weight."""
    number = item[0].split(".")[1] if "." in item[0] else "0"
    return (int(number) if number.isdigit() else 0, item[0])
