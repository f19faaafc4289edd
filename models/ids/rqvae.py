"""RQ-VAE as TIGER defines it (arXiv 2305.05065, section 3.1): a vector becomes a few codes, coarsest first.

In: vectors x_BD. Out: codes_BL, the reconstruction, the parts of the loss. The encoder (ReLU, 512-256-128) maps the
standardised vector to a latent z_BE; level d takes the code whose vector is nearest to the residual r_d, and
r_(d+1) = r_d - e_(c_d) with r_0 = z; the decoder mirrors the encoder and sees the sum of the chosen vectors.

With `residual_encoder` it is RQ-KMeans+ (GPR): z = x + MLP(x) with a last layer of zeros, and the decoder likewise, so
that training starts from residual k-means of x itself.

Shapes: B batch, N items, D input, E latent, L levels, K codes a level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.ids.gradients import GRADIENTS
from models.ids.kmeans import farthest_rows, kmeans, nearest
from models.ids.lloyd import lloyd
from models.ids.residual_quantize import code_sum, nearest_codes, quantize

ENCODE_ROWS = 1024
NARROW = 64


@dataclass(frozen=True)
class Config:
    """Sizes as in TIGER, section 4.1; `commitment` is its beta.

    `gradient` passes the codes "straight" or by "rotation"; in training the last `even_levels` levels take codes by
    Sinkhorn's even shares (LC-Rec) instead of the nearest; `behaviour_dim` is the width of collaborative embeddings that
    latents are aligned to, 0 where there are none.
    """

    input_dim: int
    levels: int = 3
    codes: int = 256
    hidden_dims: tuple[int, ...] = (512, 256, 128)
    latent_dim: int = 32
    commitment: float = 0.25
    gradient: str = "straight"
    even_levels: int = 0
    residual_encoder: bool = False
    behaviour_dim: int = 0

    def __post_init__(self) -> None:
        if self.gradient not in GRADIENTS:
            raise ValueError(f"gradient is {self.gradient!r}: it must be one of {', '.join(GRADIENTS)}")
        if not 0 <= self.even_levels <= self.levels:
            raise ValueError(f"even_levels is {self.even_levels}: there are {self.levels} levels")
        if self.residual_encoder and self.latent_dim != self.input_dim:
            sizes = f"latent_dim must be {self.input_dim}, not {self.latent_dim}"
            raise ValueError(f"a residual encoder keeps the width of its input: {sizes}")


def plus_config(input_dim: int, levels: int = 3, codes: int = 256) -> Config:
    """RQ-KMeans+ (GPR): latents as wide as the input, one hidden layer around which x passes unchanged."""
    return Config(input_dim, levels, codes, hidden_dims=(512,), latent_dim=input_dim, residual_encoder=True)


class Output(NamedTuple):
    """What training needs of a batch; both losses are sums over dimensions and means over the batch."""

    z_BE: Tensor
    latent_BE: Tensor
    codes_BL: Tensor
    reconstruction_BD: Tensor
    reconstruction_loss: Tensor
    codebook_loss: Tensor


class RQVAE(nn.Module):
    """The network, its codebooks, and the mean and deviation that standardise its inputs."""

    mean_D: Tensor
    std_D: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        dims = (config.input_dim, *config.hidden_dims, config.latent_dim)
        self.encoder = _Around(_mlp(dims)) if config.residual_encoder else _mlp(dims)
        self.decoder = _Around(_mlp(dims[::-1])) if config.residual_encoder else _mlp(dims[::-1])
        self.behaviour = nn.Linear(config.behaviour_dim, config.latent_dim) if config.behaviour_dim else None
        self.codebooks_LKE = nn.Parameter(torch.zeros(config.levels, config.codes, config.latent_dim))
        self.register_buffer("mean_D", torch.zeros(config.input_dim))
        self.register_buffer("std_D", torch.ones(config.input_dim))

    def standardize_on(self, x_ND: Tensor) -> None:
        """Take mean and deviation of each dimension from these rows; one that does not vary is left unscaled."""
        rows_ND = x_ND.to(torch.float64)
        std_D = rows_ND.std(dim=0, correction=0)
        if self.config.residual_encoder:  # one scale for all: k-means of the latent is then k-means of the vectors
            std_D = std_D.square().mean().sqrt().expand_as(std_D)
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
        z_BE, config = self.encoder(standard_BD), self.config
        found = quantize(z_BE, self.codebooks_LKE, config.commitment, config.gradient, config.even_levels)
        reconstruction_BD = self.decoder(found.latent_BE)
        loss = (standard_BD - reconstruction_BD).square().sum(1).mean()
        return Output(z_BE, found.latent_BE, found.codes_BL, reconstruction_BD, loss, found.loss)


class _Around(nn.Module):
    """x + inner(x), where inner starts at 0."""

    def __init__(self, inner: nn.Sequential) -> None:
        super().__init__()
        self.inner = inner
        last = inner[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x_BD: Tensor) -> Tensor:
        around_BD: Tensor = x_BD + self.inner(x_BD)
        return around_BD


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
        centroids_KE = _centroids(residual_NE, model.config.codes, seed + level)
        repeat_K = torch.arange(model.config.codes) % len(centroids_KE)
        codebooks_LKE[level] = centroids_KE[repeat_K].to(codebooks_LKE.dtype)
        residual_NE = residual_NE - centroids_KE[nearest(residual_NE, centroids_KE).index_N]


def _centroids(residual_NE: Tensor, codes: int, seed: int) -> Tensor:
    """Exact k-means of narrow latents, the fast one of models/ids/lloyd.py of wide ones."""
    if residual_NE.shape[1] <= NARROW:
        return kmeans(residual_NE, codes, seed)
    return torch.from_numpy(lloyd(residual_NE.float().numpy(), codes, seed).centroids_KD).to(residual_NE.dtype)


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
    with torch.inference_mode():
        found = [nearest_codes(z_BE, model.codebooks_LKE)[:real].int().numpy() for z_BE, real in _passes(model, x_ND)]
    return np.concatenate([np.empty((0, model.config.levels), np.int32), *found])


def latents_of(model: RQVAE, x_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    """z_NE of vectors, taken in the same way. `model` must be in float64."""
    with torch.inference_mode():
        found = [z_BE[:real].float().numpy() for z_BE, real in _passes(model, x_ND)]
    return np.concatenate([np.empty((0, model.config.latent_dim), np.float32), *found])


def _passes(model: RQVAE, x_ND: NDArray[np.float32]) -> Iterator[tuple[Tensor, int]]:
    for start in range(0, len(x_ND), ENCODE_ROWS):
        part = torch.from_numpy(np.ascontiguousarray(x_ND[start : start + ENCODE_ROWS], dtype=np.float64))
        full_BD = part.new_zeros(ENCODE_ROWS, model.config.input_dim)
        full_BD[: len(part)] = part
        yield model.encode(full_BD), len(part)
