"""RQ-VAE as TIGER defines it (arXiv 2305.05065, section 3.1): a vector becomes a few codes, coarsest first.

In: vectors x_BD. Out: codes_BL, the reconstruction, the parts of the loss. The encoder (ReLU, 512-256-128) maps the
standardised vector to a latent z_BE; level d takes the code whose vector is nearest to the residual r_d, and
r_(d+1) = r_d - e_(c_d) with r_0 = z; the decoder mirrors the encoder and sees the sum of the chosen vectors.

Shapes: B batch, N items, D input, E latent, L levels, K codes a level.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.ids.kmeans import farthest_rows, kmeans, nearest, squared_distances

ENCODE_ROWS = 1024


@dataclass(frozen=True)
class Config:
    """Sizes as in TIGER, section 4.1; `commitment` is its beta."""

    input_dim: int
    levels: int = 3
    codes: int = 256
    hidden_dims: tuple[int, ...] = (512, 256, 128)
    latent_dim: int = 32
    commitment: float = 0.25


class Quantized(NamedTuple):
    """The codes, the sum of their vectors with gradients passed straight to z, and the codebook term of the loss."""

    codes_BL: Tensor
    latent_BE: Tensor
    loss: Tensor


class Output(NamedTuple):
    """What training needs of a batch; both losses are sums over dimensions and means over the batch."""

    codes_BL: Tensor
    reconstruction_BD: Tensor
    reconstruction_loss: Tensor
    codebook_loss: Tensor


def nearest_codes(z_BE: Tensor, codebooks_LKE: Tensor) -> Tensor:
    """codes_BL: at each level the code nearest to what the levels before left; the first one of equals."""
    residual_BE, codes = z_BE, []
    for codebook_KE in codebooks_LKE:
        codes_B = squared_distances(residual_BE, codebook_KE).argmin(dim=1)
        residual_BE = residual_BE - codebook_KE[codes_B]
        codes.append(codes_B)
    return torch.stack(codes, dim=1)


def code_sum(codes_BL: Tensor, codebooks_LKE: Tensor) -> Tensor:
    """The sum over levels of the chosen code vectors, latent_BE."""
    levels_L = torch.arange(len(codebooks_LKE))
    return codebooks_LKE[levels_L, codes_BL].sum(dim=1)


def quantize(z_BE: Tensor, codebooks_LKE: Tensor, commitment: float) -> Quantized:
    """Codes with the loss sum_d |sg(r_d) - e|^2 + commitment |r_d - sg(e)|^2 and a straight-through latent.

    A level's vectors learn from their own term alone: residuals are taken without the gradient of earlier levels.
    """
    codes_BL = nearest_codes(z_BE.detach(), codebooks_LKE.detach())
    residual_BE, loss, total_BE = z_BE, z_BE.new_zeros(()), torch.zeros_like(z_BE)
    for codebook_KE, codes_B in zip(codebooks_LKE, codes_BL.T, strict=True):
        chosen_BE = codebook_KE[codes_B]
        pull_B = (residual_BE.detach() - chosen_BE).square().sum(1)
        commit_B = (residual_BE - chosen_BE.detach()).square().sum(1)
        loss = loss + (pull_B + commitment * commit_B).mean()
        residual_BE = residual_BE - chosen_BE.detach()
        total_BE = total_BE + chosen_BE
    return Quantized(codes_BL, z_BE + (total_BE - z_BE).detach(), loss)


class RQVAE(nn.Module):
    """The network, its codebooks, and the mean and deviation that standardise its inputs."""

    mean_D: Tensor
    std_D: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        dims = (config.input_dim, *config.hidden_dims, config.latent_dim)
        self.encoder = _mlp(dims)
        self.decoder = _mlp(dims[::-1])
        self.codebooks_LKE = nn.Parameter(torch.zeros(config.levels, config.codes, config.latent_dim))
        self.register_buffer("mean_D", torch.zeros(config.input_dim))
        self.register_buffer("std_D", torch.ones(config.input_dim))

    def standardize_on(self, x_ND: Tensor) -> None:
        """Take mean and deviation of each dimension from these rows; one that does not vary is left unscaled."""
        rows_ND = x_ND.to(torch.float64)
        std_D = rows_ND.std(dim=0, correction=0)
        self.mean_D.copy_(rows_ND.mean(dim=0))
        self.std_D.copy_(torch.where(std_D > 1e-6, std_D, torch.ones_like(std_D)))

    def encode(self, x_BD: Tensor) -> Tensor:
        """z_BE of vectors as they come."""
        z_BE: Tensor = self.encoder((x_BD - self.mean_D) / self.std_D)
        return z_BE

    def decode(self, codes_BL: Tensor) -> Tensor:
        """The standardised vector that the codes stand for."""
        x_BD: Tensor = self.decoder(code_sum(codes_BL, self.codebooks_LKE))
        return x_BD

    def autoencoder_loss(self, x_BD: Tensor) -> Tensor:
        """The reconstruction loss with nothing quantized: what the warm-up before the codebooks are seeded learns."""
        standard_BD = (x_BD - self.mean_D) / self.std_D
        loss: Tensor = (standard_BD - self.decoder(self.encoder(standard_BD))).square().sum(1).mean()
        return loss

    def forward(self, x_BD: Tensor) -> Output:
        """Encode, quantize, reconstruct, and weigh both against the standardised input."""
        standard_BD = (x_BD - self.mean_D) / self.std_D
        found = quantize(self.encoder(standard_BD), self.codebooks_LKE, self.config.commitment)
        reconstruction_BD = self.decoder(found.latent_BE)
        loss = (standard_BD - reconstruction_BD).square().sum(1).mean()
        return Output(found.codes_BL, reconstruction_BD, loss, found.loss)


def _mlp(dims: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(dims):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def seed_codebooks(model: RQVAE, x_ND: Tensor, seed: int) -> None:
    """Set each level's vectors to k-means centroids of what the levels before left of these rows.

    Where fewer different residuals than codes are, centroids repeat; a repeated one is never nearest, so it counts as
    unused and is restarted from the data.
    """
    codebooks_LKE = model.codebooks_LKE.detach()
    residual_NE = model.encode(x_ND).detach().to(torch.float64)
    for level in range(model.config.levels):
        centroids_KE = kmeans(residual_NE, model.config.codes, seed + level)
        repeat_K = torch.arange(model.config.codes) % len(centroids_KE)
        codebooks_LKE[level] = centroids_KE[repeat_K].to(codebooks_LKE.dtype)
        residual_NE = residual_NE - centroids_KE[nearest(residual_NE, centroids_KE).index_N]


def restart_unused(model: RQVAE, x_ND: Tensor, used_LK: Tensor) -> list[Tensor]:
    """Move the codes that `used_LK` says nobody has to the residuals farthest from their code; which moved, by level."""
    residual_NE, moved = model.encode(x_ND).detach(), []
    for codebook_KE, used_K in zip(model.codebooks_LKE.detach(), used_LK, strict=True):
        found = nearest(residual_NE, codebook_KE)
        unused_M = torch.nonzero(~used_K)[:, 0]
        far_M = farthest_rows(residual_NE, found.distance_N, len(unused_M))
        unused_M = unused_M[: len(far_M)]
        left_NE = residual_NE - codebook_KE[found.index_N]
        codebook_KE[unused_M] = residual_NE[far_M]
        residual_NE = left_NE
        moved.append(unused_M)
    return moved


def codes_of(model: RQVAE, x_ND: NDArray[np.float32]) -> NDArray[np.int32]:
    """codes_NL of vectors, the same for a vector whatever stands beside it. `model` must be in float64.

    Every pass has the same shape (the last is padded), and float64 keeps what rounding is left, which may depend on a
    row's place in the batch, some nine orders below the float32 in which the weights and vectors are given.
    """
    if model.codebooks_LKE.dtype != torch.float64:
        raise ValueError("codes are taken in float64: pass model.double()")
    codes_NL = np.empty((len(x_ND), model.config.levels), dtype=np.int32)
    for start in range(0, len(x_ND), ENCODE_ROWS):
        part = torch.from_numpy(np.ascontiguousarray(x_ND[start : start + ENCODE_ROWS], dtype=np.float64))
        full_BD = part.new_zeros(ENCODE_ROWS, model.config.input_dim)
        full_BD[: len(part)] = part
        with torch.inference_mode():
            found_BL = nearest_codes(model.encode(full_BD), model.codebooks_LKE)
        codes_NL[start : start + len(part)] = found_BL[: len(part)].numpy()
    return codes_NL
