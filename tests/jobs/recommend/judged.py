"""Facts of an evaluation as `figures.json` holds them, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from schemas.recommend_tables import ARMS

ABOVE = {"value": 0.02, "low": 0.01, "high": 0.03}
VALUES = dict(zip(ARMS, (0.02, 0.04, 0.055, 0.047, 0.058, 0.05, 0.052, 0.061, 0.045, 0.048), strict=True))
SLICES = (
    "all", "warm", "cold", "popularity: Q1", "popularity: Q2", "popularity: Q3", "popularity: Q4", "category: outdoor",
    "category: food and drink",
)  # fmt: skip


def figure(arm: str, part: str, metric: str, k: int, value: float) -> dict[str, Any]:
    """A figure with an interval around it."""
    return {
        "arm": arm, "slice": part, "metric": metric, "k": k, "value": value,
        "low": value * 0.9, "high": value * 1.1, "num_cases": 200,
    }  # fmt: skip


def facts(**other: Any) -> dict[str, Any]:
    """Facts that nothing is wrong with: above the floors, and no recommender current before."""
    figures = [
        figure(
            arm,
            part,
            metric,
            k,
            VALUES[arm] * (1 + k / 10) * (2 if metric.startswith("hr") else 1) / (1 + number / 4),
        )
        for arm in ARMS
        for number, part in enumerate(SLICES)
        for metric in ("hr", "ndcg", "hr_of_ids", "ndcg_of_ids")
        for k in (1, 3, 5, 10, 20)
    ]
    figures += [figure(arm, "all", "valid_ids", 40, 1.0) for arm in ("generative", "generative_mixed")]
    found = {
        "recommender": "r1",
        "day": "2026-01-05",
        "split": "test",
        "num_cases": 200,
        "deployed": "generative_mixed",
        "exclude_seen": True,
        "valid_ids": 1.0,
        "deployed_less": {"popularity": ABOVE, "markov_knn": ABOVE},
        "current": None,
        "remarks": [],
        "figures": figures,
        "curve": [
            {"epoch": 1, "loss": 4.1, "valid_loss": 4.0},
            {"epoch": 2, "loss": 3.2, "valid_loss": 3.4},
            {"epoch": 3, "loss": 2.9, "valid_loss": 3.3},
        ],
        "examples": [
            {
                "user_id": "u1",
                "history": ["A tent for two", "露营灯"],
                "recommended": [
                    {"title": "A stove", "is_answer": False},
                    {"title": "A mat", "is_answer": True},
                ],
                "answer": "A mat",
                "rank": 2,
            }
        ],
    }
    return {**found, **other}
