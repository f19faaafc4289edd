"""Initial weights with which a small network can copy from its first step on: what random ones take longest to find.

A chain is made of copies: of a phrase of the note, of a dimension's name on the page, of what was said just before.
Every head starts with value and output products near the identity, the later layers with query and key near it too, so
that a token looks at its like (mimetic initialisation, Trockman & Kolter, ICML 2023), and the first layer's heads look
a fixed number of tokens back (ours, by the phases of the rotary embedding). All of it is free to change in training.
In our trials the loss after 100 steps was half of that from the usual start.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SPREAD = 0.1  # standard deviation of embeddings: large enough for a tied head to tell rare tokens apart early
SHARED = 0.3  # what all embeddings have in common in one coordinate: it stands for "any token"
COPY, LIKE = 0.1, 0.7  # the shares of the identity in value-output and in query-key products
LOOK = 1.7  # how sharply the first layer looks back
PLACE = 0.3  # standard deviation of the places of patches
STEPS_BACK = (1, 2, 3)  # of the first heads
_SLOWEST = 0.02  # radians a token: slower phases cannot tell neighbours apart


def start_seeing(*modules: nn.Module) -> None:
    """Overwrite the matrices of an encoder of pictures and of its connector: 0.02, the usual deviation, is that of wide
    networks; in one as narrow as ours hardly anything would come through.
    """
    with torch.no_grad():
        for module in modules:
            for name, weight in module.named_parameters():
                if weight.ndim > 1:
                    weight.normal_(0.0, PLACE if "position" in name else weight[0].numel() ** -0.5)


def start_copying(model: Any) -> None:
    """Overwrite the embeddings and attention products of a Llama (with as many heads of keys as of queries) in place."""
    heads, width = model.config.num_attention_heads, model.config.hidden_size
    with torch.no_grad():
        model.embed_tokens.weight.normal_(0.0, SPREAD)
        model.embed_tokens.weight[:, 0] = SHARED
        for depth, layer in enumerate(model.layers):
            attention = layer.self_attn
            attention.v_proj.weight.copy_(torch.eye(width))
            attention.o_proj.weight.copy_(COPY * torch.eye(width))
            for product in (layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight, layer.mlp.down_proj.weight):
                product.normal_(0.0, product.shape[1] ** -0.5)
            if depth:
                for product in (attention.q_proj.weight, attention.k_proj.weight):
                    product.add_(LIKE * torch.eye(width))
                    product[:, 0] *= 0.1  # what all tokens share is no likeness
        first = model.layers[0].self_attn
        for head, back in enumerate(STEPS_BACK[:heads]):
            rows = slice(head * width // heads, (head + 1) * width // heads)
            _look_back(first.q_proj.weight[rows], first.k_proj.weight[rows], back)


def _look_back(query_HD: Tensor, key_HD: Tensor, back: int) -> None:
    """Have one head score keys by cos(phase * (distance - back)), summed over the rotary phases that are fast enough."""
    half = len(query_HD) // 2
    phases = 10_000.0 ** (-torch.arange(half) / half)
    strength = LOOK * (phases > _SLOWEST)
    for product_HD, turned in ((query_HD, 0 * phases), (key_HD, phases * back)):
        product_HD *= 0.3
        product_HD[:half, 0] = strength * torch.cos(turned)
        product_HD[half:, 0] = strength * torch.sin(turned)
