"""The keys and values of a batch whose rows come and go: rows taken out, rows put in, columns that nobody uses cut off.

In: a cache of `transformers` and a mask, 1 where a column holds a token of the row. Rows are padded on the left.
Shapes: B rows, H heads, T columns, D numbers a head. All change the cache in place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad


def can_join(cache: Any) -> bool:
    """Whether every layer keeps all keys and values as [B, H, T, D]; windows and recurrent states cannot be joined."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


def can_select(cache: Any) -> bool:
    """Whether rows can be taken out of the cache."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers)


def select(cache: Any, rows_B: Tensor) -> None:
    """Keep only these rows."""
    cache.batch_select_indices(rows_B)


def trim(cache: Any, columns: int) -> None:
    """Cut off the first columns."""
    if columns:
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys[:, :, columns:], layer.values[:, :, columns:]


def join(cache: Any, mask_BT: Tensor, other: Any, other_mask_BT: Tensor) -> Tensor:
    """Put the rows of `other` below those of `cache`, the shorter of the two filled up on the left. Gives the mask."""
    length = max(mask_BT.shape[1], other_mask_BT.shape[1])
    missing, other_missing = length - mask_BT.shape[1], length - other_mask_BT.shape[1]
    for layer, added in zip(cache.layers, other.layers, strict=True):
        layer.keys = torch.cat(
            [pad(layer.keys, (0, 0, missing, 0)), pad(added.keys, (0, 0, other_missing, 0))]
        )
        layer.values = torch.cat(
            [pad(layer.values, (0, 0, missing, 0)), pad(added.values, (0, 0, other_missing, 0))]
        )
    return torch.cat([pad(mask_BT, (missing, 0)), pad(other_mask_BT, (other_missing, 0))])
