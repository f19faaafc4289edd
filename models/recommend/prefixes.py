"""The prefixes of a catalogue's IDs, numbered level by level: nodes, each found by a binary search.

Shapes: N IDs, or nodes of a level; L levels, K codes of a level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def prefix_keys(codes_NL: NDArray[np.integer], sizes: Sequence[int]) -> list[Tensor]:
    """key_N of every level, sorted: the number of the node before times K plus the code, for every prefix of the IDs.

    Raises `ValueError` where there is no ID, or one that is not of these sizes.
    """
    if codes_NL.ndim != 2 or codes_NL.shape[1] != len(sizes) or not len(codes_NL):
        raise ValueError(f"IDs of shape {codes_NL.shape} are no catalogue of {len(sizes)} levels")
    if (codes_NL < 0).any() or (codes_NL >= np.array(sizes)).any():
        raise ValueError(f"a code is outside the sizes {tuple(sizes)}: the IDs are of another quantizer")
    found, before_N = [], np.zeros(len(codes_NL), dtype=np.int64)
    for level, size in enumerate(sizes):
        keys, before_N = np.unique(before_N * size + codes_NL[:, level], return_inverse=True)
        found.append(torch.from_numpy(keys))
    return found


def catalogue_of(keys: Sequence[Tensor], sizes: Sequence[int]) -> NDArray[np.int64]:
    """codes_NL of the IDs whose `prefix_keys` these are."""
    node_N, columns = np.arange(len(keys[-1])), []
    for key_N, size in zip(reversed(keys), reversed(sizes), strict=True):
        node_N, code_N = np.divmod(key_N.cpu().numpy()[node_N], size)
        columns.append(code_N)
    return np.stack(columns[::-1], axis=1)
