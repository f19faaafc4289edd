"""Small real vision networks of `transformers`, made on the spot with random weights, saved as a user's own would be."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    BitImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTModel,
)

FAMILIES = ("clip", "clip_vision", "siglip_vision", "dinov2", "vit", "vit_without_pooler")
SIDE = 28
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 14,
}
SQUARE = {"height": SIDE, "width": SIDE}
WORDS = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 20,
    "max_position_embeddings": 8,
}


def _network(family: str) -> torch.nn.Module:
    if family == "clip":
        return CLIPModel(CLIPConfig(text_config=WORDS, vision_config=SIZES, projection_dim=12))
    if family == "clip_vision":
        return CLIPVisionModel(CLIPVisionConfig(**SIZES))
    if family == "siglip_vision":
        return SiglipVisionModel(SiglipVisionConfig(**SIZES))
    if family == "dinov2":
        return Dinov2Model(Dinov2Config(**SIZES, mlp_ratio=2))
    if family == "vit":
        return ViTModel(ViTConfig(**SIZES))
    return ViTForImageClassification(ViTConfig(**SIZES))  # a classifier is saved without the pooler


def _processor(family: str) -> object:
    if family.startswith("clip"):
        return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    if family == "siglip_vision":
        return SiglipImageProcessorPil(size=SQUARE)
    if family == "dinov2":
        return BitImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    return ViTImageProcessorPil(size=SQUARE)


def tiny_picture_encoder(folder: Path, family: str = "clip_vision", seed: int = 1) -> Path:
    """A folder with the network and its image processor."""
    torch.manual_seed(seed)
    _network(family).save_pretrained(folder)
    _processor(family).save_pretrained(folder)
    return folder
