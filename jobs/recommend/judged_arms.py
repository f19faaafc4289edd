"""What every way to recommend earns, case by case, and the figures that follow: means, intervals, parts, differences.

Shapes: Q cases, K list lengths, N items (places of the day's trie), M figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.recommend.intervals import difference, interval
from models.recommend.ranking import KS, Floats, Hits
from schemas.recommend_tables import ARMS

GATED_K = 10
Figures = list[dict[str, Any]]


class Earned(NamedTuple):
    """An arm's hits by item, and, where it says IDs, by ID, with the share of valid ones among its `num_beams`."""

    of_items: Hits
    of_ids: Hits | None = None
    valid_Q: Floats | None = None
    num_beams: int = 0


def figures_of(
    earned: Mapping[str, Earned], user_Q: NDArray[np.int64], parts: Mapping[str, NDArray[np.bool_]], seed: int
) -> Figures:
    """One entry for every arm, part of the cases, metric and list length. Hits by ID are told of all cases only."""
    found: Figures = []
    for part, is_in_Q in parts.items():
        columns = [
            (arm, *column) for arm in ARMS if arm in earned for column in _columns(earned[arm], part == "all")
        ]
        value_QM = np.stack([value_Q[is_in_Q] for *_, value_Q in columns], axis=1)
        over = interval(value_QM, user_Q[is_in_Q], seed=seed)
        for at, (arm, metric, k, _) in enumerate(columns):
            value, low, high = (_rounded(float(ends_M[at])) for ends_M in over)
            found.append(
                {
                    "arm": arm, "slice": part, "metric": metric, "k": k, "value": value,
                    "low": min(low, value), "high": max(high, value), "num_cases": int(is_in_Q.sum()),
                }
            )  # fmt: skip
    return found


def _columns(earned: Earned, is_all: bool) -> list[tuple[str, int, Floats]]:
    """Metric, list length and every case's value."""
    levels = [("", earned.of_items)] + ([("_of_ids", earned.of_ids)] if is_all and earned.of_ids else [])
    found = [
        (f"{metric}{level}", k, value_QK[:, at])
        for level, hits in levels
        for metric, value_QK in (("hr", hits.hr_QK), ("ndcg", hits.ndcg_QK))
        for at, k in enumerate(KS)
    ]
    if is_all and earned.valid_Q is not None:
        found.append(("valid_ids", earned.num_beams, earned.valid_Q))
    return found


def gained(one: Earned, other: Earned, user_Q: NDArray[np.int64], seed: int) -> dict[str, float]:
    """NDCG@10 of one arm less that of another on the same cases, with its interval."""
    column = KS.index(GATED_K)
    ours, theirs = (hits.of_items.ndcg_QK[:, [column]] for hits in (one, other))
    found = difference(ours, theirs, user_Q, seed=seed)
    ends = {"value": found.value_M, "low": found.low_M, "high": found.high_M}
    return {name: _rounded(float(value_M[0])) for name, value_M in ends.items()}


def said(figures: Sequence[Mapping[str, Any]], arm: str, metric: str, k: int) -> float | None:
    """One figure over all cases."""
    wanted = (arm, "all", metric, k)
    return next((f["value"] for f in figures if (f["arm"], f["slice"], f["metric"], f["k"]) == wanted), None)


def _rounded(value: float) -> float:
    """To 9 places: a sum's last bits are no figures."""
    return round(value, 9) + 0.0
