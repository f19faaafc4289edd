"""Codes that the trie gives away: what they cost, and that they are no length (D3, arXiv 2406.14900, section 3)."""

from __future__ import annotations

from typing import Any

import torch

from models.recommend.decoding import Prompt, beam_search
from tests.models.recommend.tiny import Table, trie_of

# IDs 0-0-0 (after 0 only 0-0 may come: two forced codes) and 1-0-0, 1-1-1 (after 1 a choice, then forced).
FORCED_IDS = [(0, 0, 0), (1, 0, 0), (1, 1, 1)]
COSTS = [[3.25, 1.0], [1.0, 2.0], [0.5, 0.25]]


def by_hand(**how: Any) -> list[tuple[tuple[int, ...], float]]:
    prompt = Prompt(torch.ones(1, 1).long(), torch.ones(1, 1))
    beams = beam_search(Table(COSTS), prompt, trie_of(FORCED_IDS, (2, 2, 2)), num_beams=3, **how)
    return list(zip(map(tuple, beams.code_QBL[0].tolist()), beams.score_QB[0].tolist(), strict=True))


def test_without_a_length_penalty_scores_are_sums() -> None:
    assert by_hand() == [((1, 0, 0), -2.5), ((1, 1, 1), -3.25), ((0, 0, 0), -4.75)]


def test_forced_codes_are_no_length() -> None:
    """Divided by 2, 2 and 1 codes that were a choice; by 3 each, 0-0-0 would be as near as before."""
    assert by_hand(length_penalty=1.0) == [((1, 0, 0), -1.25), ((1, 1, 1), -1.625), ((0, 0, 0), -4.75)]
    assert by_hand(length_penalty=2.0)[1] == ((1, 1, 1), -3.25 / 4)


def test_forced_codes_may_be_free_of_charge() -> None:
    """0-0-0 pays its first code alone; the others pay two."""
    assert by_hand(score_forced=False) == [((1, 0, 0), -2.0), ((1, 1, 1), -3.0), ((0, 0, 0), -3.25)]
    halved = by_hand(score_forced=False, length_penalty=1.0)
    assert halved == [((1, 0, 0), -1.0), ((1, 1, 1), -1.5), ((0, 0, 0), -3.25)]
