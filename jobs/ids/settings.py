"""The section `quantizer` of a configuration: how semantic IDs are made, and when a generation may make them by itself."""

from __future__ import annotations

from dataclasses import dataclass

# A case each in jobs/ids/tokenizers.py.
TOKENIZERS = ("rqvae", "rq_kmeans_plus", "residual_kmeans", "balanced", "hierarchical", "category", "community")
COLLISIONS = ("none", "extra", "sinkhorn", "matching")  # models/ids/collisions.py


@dataclass(frozen=True)
class Quantizer:
    """How semantic IDs are made and what becomes of equal ones; the gates that a generation must pass to be promoted."""

    tokenizer: str = "rqvae"
    collisions: str = "matching"
    levels: int = 3
    codes: int = 256
    epochs: int = 100
    seed: int = 17
    min_separated_share: float = 0.7
    min_used_share: float = 0.8  # of a level's codes: TIGER's aim, section 4.1
    min_last_perplexity_share: float = 0.4
    max_shared_share: float = 0.3  # of notes without an ID of their own, twins aside, before equal codes are treated
    inputs: str = "text"  # or text_picture, text_collaborative, text_picture_collaborative
    picture_weight: float = 0.5  # of a squared distance between pictures, beside 1 for texts
    collaborative_weight: float = 0.5
    collaborative_dim: int = 64


    gradient: str = "straight"  # how an RQ-VAE's gradients pass its codes
    collaborative_loss: float = 0.0  # weights of an RQ-VAE's losses beside its own: LETTER's two, FORGE's of pairs,
    diversity_loss: float = 0.0
    pair_loss: float = 0.0
    identity_loss: float = 0.0  # and the one that tells contents apart, at the price of what prefixes say (docs)


INPUTS = ("text", "text_picture", "text_collaborative", "text_picture_collaborative")
GRADIENTS = ("straight", "rotation")  # models/ids/gradients.py
CHOICES = {
    "quantizer.tokenizer": TOKENIZERS,
    "quantizer.collisions": COLLISIONS,
    "quantizer.inputs": INPUTS,
    "quantizer.gradient": GRADIENTS,
}
