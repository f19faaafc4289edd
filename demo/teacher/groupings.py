"""Lessons in naming: the groups of phrases that clusters find, and what a perfect teacher calls them.

A group is called by the slot that most of its values belong to, in English, whatever their language; phrases of it that
are no value of that slot (pieces of names, mostly) are left out, and a group without a value is no dimension. The prompt
and the form of the reply are those of `models.tags.grouping`.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from demo.interests import INTERESTS
from demo.teacher.chains import ALL_SLOTS
from demo.teacher.handbooks import DEFINITIONS, values_of
from models.tags.chain import folded
from models.tags.grouping import NOTHING, grouping_prompt
from models.tags.handbook import category_key
from models.tags.prompt import Prompt

_SLOT_SHARE, _AGAIN_SHARE, _HOME_SHARE, _PIECE_SHARE = 0.5, 0.05, 0.6, 0.25
_NOTHING_SHARE = 0.05  # of groups: pieces alone
_MOST = 10  # values of a group


def draw_grouping(rng: np.random.Generator) -> tuple[Prompt, str]:
    """One question about a page, and its answer."""
    interest = int(rng.integers(len(INTERESTS)))
    groups = [
        _group(interest, slot, language, rng)
        for slot in ALL_SLOTS
        for language in range(2)
        for _ in range(int(rng.random() < _SLOT_SHARE) + int(rng.random() < _AGAIN_SHARE))
    ]
    groups = [groups[i] for i in rng.permutation(len(groups)).tolist()]
    groups = _without_repeats(groups)
    path = INTERESTS[interest].path
    names = [slot for slot in ALL_SLOTS if rng.random() < 0.3]
    prompt = grouping_prompt(category_key(path[: int(rng.integers(len(path) + 1))]), groups, names)
    return prompt, _reply(groups)


def _group(interest: int, slot: str, language: int, rng: np.random.Generator) -> list[str]:
    """Values of a slot, from one category as a rule, and at times a piece of a phrase among them."""
    if rng.random() >= _HOME_SHARE:
        interest = int(rng.integers(len(INTERESTS)))
    pieces = _pieces()[language]
    if rng.random() < _NOTHING_SHARE:
        return [pieces[i] for i in rng.integers(len(pieces), size=int(rng.integers(1, 3))).tolist()]
    values = [folded(word[language]) for word in values_of(interest, slot)]
    found = [values[i] for i in rng.permutation(len(values))[: int(rng.integers(1, _MOST + 1))]]
    if rng.random() < _PIECE_SHARE:
        found.insert(int(rng.integers(len(found) + 1)), pieces[int(rng.integers(len(pieces)))])
    return list(dict.fromkeys(found))


def _without_repeats(groups: list[list[str]]) -> list[list[str]]:
    """The groups with every phrase where it stands first."""
    seen: set[str] = set()
    found = []
    for group in groups:
        found.append([phrase for phrase in group if phrase not in seen])
        seen |= {*group}
    return [group for group in found if group]


def _reply(groups: list[list[str]]) -> str:
    owner = _slot_of()
    found: list[dict[str, object]] = []
    for number, group in enumerate(groups, 1):
        slots = [owner[phrase] for phrase in group if phrase in owner]
        slot = max(dict.fromkeys(slots), key=slots.count) if slots else NOTHING
        found.append(
            {
                "group": number,
                "name": slot,
                "definition": DEFINITIONS[slot][0] if slots else "",
                "leave_out": [phrase for phrase in group if owner.get(phrase) != slot] if slots else [],
            }
        )
    return json.dumps({"groups": found}, ensure_ascii=False)


@cache
def _slot_of() -> dict[str, str]:
    """The slot of every value, folded; a few are values of two slots, which the first then has."""
    found: dict[str, str] = {}
    for slot in ALL_SLOTS:
        for interest in range(len(INTERESTS)):
            for word in values_of(interest, slot):
                for text in word:
                    found.setdefault(folded(text), slot)
    return found


@cache
def _pieces() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words of English phrases and halves of Chinese ones that are no values themselves."""
    texts = sorted(_slot_of())
    english = {piece for text in texts if text.isascii() for piece in text.split()}
    chinese = {text[:2] for text in texts if not text.isascii() and len(text) > 3}
    return tuple(sorted(english - {*texts})), tuple(sorted(chinese - {*texts}))
