"""Parts of the held-out answers that a figure is also told for: by what was known of the answer, and of the user.

Shapes: Q cases, N items, T places of a history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.recommend.sequences import PAD, Cases, Items

Bools = NDArray[np.bool_]
CATEGORIES = 8
LENGTHS = ((1, 3), (4, 7), (8, None))


def slices(
    cases: Cases, count_N: Items, category_N: Sequence[str], *, categories: int = CATEGORIES
) -> dict[str, Bools]:
    """is_in_Q by name: all; warm and cold; popularity: Q1 to Q4; category: NAME; history: FROM to TO. None is empty.

    count_N are an item's events in training. Cold are answers that have none, also those that are no known item (-1).
    Of categories the `categories` most frequent among the answers are told, of items without one none.
    """
    target_Q = cases.target_Q
    is_warm_Q = np.append(count_N, 0)[target_Q] > 0
    found = {"all": np.ones(len(target_Q), bool), "warm": is_warm_Q, "cold": ~is_warm_Q}
    quarter_Q = np.append(quarters(count_N), 0)[target_Q]
    for quarter in (1, 2, 3, 4):
        found[f"popularity: Q{quarter}"] = (quarter_Q == quarter) & is_warm_Q
    name_Q = [category_N[item] if item != PAD else "" for item in target_Q.tolist()]
    often = sorted(Counter(name for name in name_Q if name).items(), key=lambda pair: (-pair[1], pair[0]))
    for name, _ in often[:categories]:
        found[f"category: {name}"] = np.array([other == name for other in name_Q])
    length_Q = (cases.history_QT != PAD).sum(axis=1)
    for low, high in LENGTHS:
        title = f"history: {low} or more" if high is None else f"history: {low} to {high}"
        found[title] = (length_Q >= low) & (length_Q <= (high or length_Q.max(initial=0)))
    return {name: is_in_Q for name, is_in_Q in found.items() if is_in_Q.any()}


def quarters(count_N: Items) -> Items:
    """quarter_N, 1 for rare to 4 for popular items: each has about a quarter of the events; items of equal counts share
    one, that of the middle event of them all; 0 for items without events."""
    value_C, group_N, num_C = np.unique(count_N, return_inverse=True, return_counts=True)
    events_C = value_C * num_C
    middle_C = (np.cumsum(events_C) - events_C / 2) / max(int(events_C.sum()), 1)
    quarter_C = np.minimum(np.floor(4 * middle_C), 3).astype(np.int64) + 1
    return np.where(count_N > 0, quarter_C[group_N.reshape(-1)], 0)
