"""Batch inference of a picture encoder whose result for a picture does not depend on the pictures beside it.

In: prepared pictures, `float32[C, H, W]` each, and a vision network of `transformers` (CLIP, SigLIP, DINOv2, ViT).
Out: vectors of length 1, `float32[N, D]`, in the order given. Shapes: B pictures in a batch, C channels, H x W pixels,
P tokens of a picture, D dimensions.

As with texts (`encoder.py`), sums depend on the shapes they are computed in: pictures of one size are batched together,
a batch always holds B, and a last one is filled up with copies. The same picture then gets the same bits on any day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Config:
    """How pictures are batched. 16 of 224 pixels a side keep two cores busy and take 10 MB."""

    pictures_a_batch: int = 16


def pooled(encoder: Any, pixels_BCHW: Tensor, has_pooler: bool) -> Tensor:
    """One vector_BD a picture, not yet scaled.

    The projection into the space shared with texts where the network has one (CLIP, SigLIP); else its own pooling of
    the last hidden states; else, where it has none or its weights are not in the folder, their mean over the tokens.
    """
    if hasattr(encoder, "get_image_features"):
        return _one_row_each(_features(encoder.get_image_features(pixel_values=pixels_BCHW)))
    output = encoder(pixel_values=pixels_BCHW)
    if has_pooler and getattr(output, "pooler_output", None) is not None:
        return _one_row_each(output.pooler_output)
    hidden_BPD: Tensor = output.last_hidden_state
    return hidden_BPD.mean(dim=1) if hidden_BPD.dim() == 3 else hidden_BPD.mean(dim=(2, 3))


def _features(found: Any) -> Tensor:
    features_BD: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return features_BD


def _one_row_each(pooled_B: Tensor) -> Tensor:
    return pooled_B.flatten(1)  # convolutional networks leave 1 x 1 pixels behind


@torch.inference_mode()
def embed(encoder: nn.Module, pictures: Sequence[Pixels], config: Config, has_pooler: bool = True) -> Pixels:
    """vectors_ND of all pictures. One that the network makes nothing or NaN of comes back as it is: see `is_sound`.

    Raises `ValueError` where a picture is not C x H x W.
    """
    odd = [picture.shape for picture in pictures if picture.ndim != 3]
    if odd:
        raise ValueError(f"a prepared picture is channels x height x width; here is one of shape {odd[0]}")
    vectors: list[NDArray[np.float32] | None] = [None] * len(pictures)
    for shape in sorted({picture.shape for picture in pictures}):
        members = [i for i, picture in enumerate(pictures) if picture.shape == shape]
        for start in range(0, len(members), config.pictures_a_batch):
            batch = members[start : start + config.pictures_a_batch]
            rows_BD = _embed_batch(encoder, [pictures[i] for i in batch], config.pictures_a_batch, has_pooler)
            for place, i in enumerate(batch):
                vectors[i] = rows_BD[place]
    found = [vector for vector in vectors if vector is not None]
    return np.stack(found) if found else np.zeros((0, 0), np.float32)


def _embed_batch(encoder: nn.Module, pictures: list[Pixels], size: int, has_pooler: bool) -> Pixels:
    filled = pictures + [pictures[-1]] * (size - len(pictures))
    pixels_BCHW = torch.from_numpy(np.stack(filled)).to(next(encoder.parameters()).device)
    vectors_BD = torch.nn.functional.normalize(pooled(encoder, pixels_BCHW, has_pooler).float(), dim=-1)
    return np.asarray(vectors_BD.cpu().numpy(), dtype=np.float32)


def is_sound(vectors_ND: Pixels) -> NDArray[np.bool_]:
    """sound_N: whether a vector is finite and of length 1, which that of a picture without any signal is not."""
    lengths_N = np.sqrt((vectors_ND.astype(np.float64) ** 2).sum(axis=1))
    sound_N: NDArray[np.bool_] = np.abs(lengths_N - 1) < 1e-3  # false for NaN too
    return sound_N
