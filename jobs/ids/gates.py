"""The health gates: what a trained quantizer must keep to before it gives IDs by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.ids.settings import Quantizer

NOTES_A_CODE = 4  # with fewer different vectors for each code how a level's codes are used says nothing
KEYS = ("min_separated_share", "min_used_share", "min_last_perplexity_share", "max_shared_share")


def weaknesses(facts: Mapping[str, Any], settings: Quantizer) -> list[str]:
    """Why a generation must not be promoted, in words; none where it is sound. `facts` is its manifest."""
    return [*_unused(facts, settings), *_uneven(facts, settings), *_shared(facts, settings)]


def _is_judged_by_level(facts: Mapping[str, Any]) -> bool:
    return bool(facts["num_contents"] >= NOTES_A_CODE * facts["settings"]["codes"])


def _unused(facts: Mapping[str, Any], settings: Quantizer) -> list[str]:
    codes = facts["settings"]["codes"]
    return [
        f"level {number} uses {level['codes_used']} of its {codes} codes, quantizer.min_used_share asks for "
        f"{settings.min_used_share:.0%}"
        for number, level in enumerate(facts["figures"]["levels"], start=1)
        if _is_judged_by_level(facts) and level["codes_used"] < settings.min_used_share * codes
    ]


def _uneven(facts: Mapping[str, Any], settings: Quantizer) -> list[str]:
    codes, last = facts["settings"]["codes"], facts["figures"]["levels"][-1]
    if not _is_judged_by_level(facts) or last["perplexity"] >= settings.min_last_perplexity_share * codes:
        return []
    return [
        f"the last level uses its {codes} codes as unevenly as {last['perplexity']:.1f} codes used alike (perplexity), "
        f"quantizer.min_last_perplexity_share asks for {settings.min_last_perplexity_share:.0%}"
    ]


def _shared(facts: Mapping[str, Any], settings: Quantizer) -> list[str]:
    figures, found = facts["figures"], []
    if figures["separable_unique_rate"] < settings.min_separated_share:
        found.append(
            f"{facts['num_contents']} different vectors get only {figures['num_ids']} different IDs "
            f"({figures['separable_unique_rate']:.1%}), quantizer.min_separated_share asks for "
            f"{settings.min_separated_share:.1%}"
        )
    avoidable = figures["shared_share"] - figures["irreducible_share"]
    if avoidable > settings.max_shared_share:
        found.append(
            f"{avoidable:.1%} of the notes have no ID of their own before equal codes are treated, though no other note has "
            f"their vector; quantizer.max_shared_share allows {settings.max_shared_share:.1%}"
        )
    return found
