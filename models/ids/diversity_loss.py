"""LETTER's diversity regulariser (arXiv 2405.07314, section 3.3): codes of one cluster of codes are drawn together, away
from all others, so that the code vectors, and with them the items, spread evenly.

Shapes: K codes, E latent, B batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.ids.balanced import balanced
from models.ids.kmeans import kmeans, squared_distances


def code_clusters(codebook_KE: Tensor, clusters: int, seed: int) -> Tensor:
    """cluster_K: constrained k-means of a level's codes, at most ceil(K / clusters) in each."""
    rows_KE = codebook_KE.detach().double()
    centroids_CE = kmeans(rows_KE, clusters, seed)
    cost_KC = squared_distances(rows_KE, centroids_CE).float().numpy()
    capacity = -(-len(rows_KE) // len(centroids_CE))
    return torch.from_numpy(balanced(np.ascontiguousarray(cost_KC), capacity).astype(np.int64))


def partners(cluster_K: Tensor, dice: torch.Generator) -> Tensor:
    """partner_K: for each code another one of its cluster, at random; itself where it is alone."""
    order_K = torch.randperm(len(cluster_K), generator=dice)
    order_K = order_K[torch.sort(cluster_K[order_K], stable=True).indices]  # cluster by cluster, shuffled inside
    sizes_C = torch.bincount(cluster_K)
    starts_C = sizes_C.cumsum(0) - sizes_C
    cluster_R = cluster_K[order_K]
    place_R = torch.arange(len(order_K)) - starts_C[cluster_R]
    next_R = starts_C[cluster_R] + (place_R + 1) % sizes_C[cluster_R]
    partner_K = torch.empty_like(cluster_K)
    partner_K[order_K] = order_K[next_R]
    return partner_K


def diversity_loss(codebook_KE: Tensor, codes_B: Tensor, partner_K: Tensor) -> Tensor:
    """-log softmax_j <e_c, e_j> at the partner of c, over all codes but c itself; mean over the batch's chosen codes."""
    scores_BK = codebook_KE[codes_B] @ codebook_KE.T
    alone_B = partner_K[codes_B] == codes_B
    itself_BK = functional.one_hot(codes_B, len(codebook_KE)).bool() & ~alone_B[:, None]
    return functional.cross_entropy(scores_BK.masked_fill(itself_BK, -torch.inf), partner_K[codes_B])
