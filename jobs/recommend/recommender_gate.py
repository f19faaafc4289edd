"""Whether a recommender may be promoted, from the figures of its evaluation, in words for people.

The rule: every ID of the constrained beams is in the catalogue; NDCG@10 of the deployed way of decoding is above that of
popularity, and not below that of the Markov chain beyond noise; and, where the current recommender could be judged on the
same held-out answers, it is not worse than the current one beyond noise. Noise is the 95 % interval of the paired
difference over users: "below beyond noise" means that the whole interval is below zero.

The collaborative scorer alone, counts and content, is no bar but is told: where it is better than the deployed way beyond
noise, the model beside it costs accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

POPULARITY, MARKOV, SCORER = "popularity", "markov_knn", "counts_content"


def shortfalls(figures: Mapping[str, Any]) -> list[str]:
    """What bars a recommender misses, the current one aside; none where it may be promoted."""
    found, deployed = [], figures["deployed"]
    if figures["valid_ids"] != 1:
        found.append(
            f"{figures['valid_ids']:.6f} of the IDs in the constrained beams of {deployed} are in the catalogue: it must "
            "be 1, whatever the model"
        )
    over = figures["deployed_less"]
    if not over[POPULARITY]["value"] > 0:
        found.append(f"NDCG@10 of {deployed} is not above {POPULARITY}: {difference_words(over[POPULARITY])}")
    if not over[MARKOV]["high"] >= 0:
        found.append(
            f"NDCG@10 of {deployed} is below {MARKOV} beyond noise: {difference_words(over[MARKOV])}"
        )
    return found


def scorer_alone(figures: Mapping[str, Any]) -> str:
    """That the collaborative scorer does better without the model; empty where it does not, or was not judged."""
    over = figures["deployed_less"].get(SCORER)
    if over is None or over["high"] >= 0:
        return ""
    return (
        f"NDCG@10 of {figures['deployed']} is below {SCORER}, the collaborative scorer alone, beyond noise: "
        f"{difference_words(over)}. The model beside it costs accuracy: lower recommend.guidance (0 is the scorer alone), "
        "or train longer; this does not hinder a promotion"
    )


def worse_than_current(figures: Mapping[str, Any]) -> list[str]:
    """Why the current recommender is the better one; none where it is not, or cannot be compared (`not_compared`)."""
    current = figures["current"]
    if not current or "difference" not in current or current["difference"]["high"] >= 0:
        return []
    return [
        f"NDCG@10 is below that of the current {current['recommender']} beyond noise on the same "
        f"{figures['num_cases']} held-out answers: {difference_words(current['difference'])}"
    ]


def not_compared(figures: Mapping[str, Any]) -> str:
    """Why the current recommender was not judged on the same answers; empty where it was, or there is none."""
    current = figures["current"]
    return current.get("why", "") if current else ""


def difference_words(difference: Mapping[str, float]) -> str:
    """A paired difference with its interval."""
    return f"{difference['value']:+.4f}, 95 % interval {difference['low']:+.4f} to {difference['high']:+.4f}"
