"""Costs of last codes also where codes before the last may lead nowhere, as in a tree that has no such branch.

Shapes: B rows, L levels, K codes a level, D dimensions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.ids.tokenizer import Codes, Tokenizer, UnknownPrefixError, Vectors


def possible_costs(tokenizer: Tokenizer, x_BD: Vectors, codes_BL: Codes) -> NDArray[np.float32]:
    """cost_BK as `last_costs` gives it, infinite for rows whose codes before the last the tokenizer does not know.

    Raises the tokenizer's `ValueError` where it is the rows that are wrong.
    """
    try:
        return tokenizer.last_costs(x_BD, codes_BL)
    except UnknownPrefixError:
        prefixes_Pl, prefix_B = np.unique(codes_BL[:, :-1], axis=0, return_inverse=True)
        cost_BK = np.full((len(x_BD), tokenizer.codes), np.inf, dtype=np.float32)
        for prefix in range(len(prefixes_Pl)):
            rows = np.flatnonzero(prefix_B.reshape(-1) == prefix)
            try:
                cost_BK[rows] = tokenizer.last_costs(x_BD[rows], codes_BL[rows])
            except UnknownPrefixError:
                continue
        return cost_BK
