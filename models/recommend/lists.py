"""A user's list from several sources: the first source's notes first, no note twice, none that is masked.

In: candidates of every source, best first. Out: at most `top` of them. Python objects, for lists are short.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import NamedTuple


class Candidate(NamedTuple):
    """A note with its codes as text, the score it has from its source, and the source's name."""

    note_id: str
    semantic_id: str
    score: float
    source: str


def composed(sources: Sequence[Sequence[Candidate]], masked: Collection[str], top: int) -> list[Candidate]:
    """The list. Each source fills what those before it left; where every candidate is masked, masked notes are taken after
    all: a list is empty only where there are no candidates."""
    found = _filled(sources, frozenset(masked), top)
    return found or _filled(sources, frozenset(), top)


def _filled(sources: Sequence[Sequence[Candidate]], masked: frozenset[str], top: int) -> list[Candidate]:
    found = dict[str, Candidate]()
    for candidate in chain.from_iterable(sources):
        if len(found) == top:
            break
        if candidate.note_id not in masked:
            found.setdefault(candidate.note_id, candidate)
    return list(found.values())
