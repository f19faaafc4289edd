"""What a perfect teacher would reply: a note's truth as facts, and the chain from them to the tags that a page asks for.

A fact's value stands in the note's language, and its evidence stands in the note: what the truth says and the text
does not (a typing slip in the very word, say) is no fact here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from demo.catalogue import CATEGORIES, COLOURS, FORMS, PATTERNS, PRICES, Word
from demo.interests import INTERESTS
from demo.wording import SLOTS
from models.tags.chain import PICTURE, folded
from models.tags.prompt import NoteText, Task

LOOKS: dict[str, tuple[Word, ...]] = {"colour": COLOURS, "pattern": PATTERNS, "form": FORMS}
ALL_SLOTS = ("product", *SLOTS, *LOOKS)  # the order in which a teacher without a page speaks of them


class Fact(NamedTuple):
    """One thing that can be said of a note: the slot, its value, and where it is shown."""

    slot: str
    value: str
    evidence: str  # a phrase of the text, or `models.tags.chain.PICTURE`


def facts_of(
    note: NoteText, interest: int, language: int, said: Mapping[str, int], looks: Mapping[str, int]
) -> tuple[Fact, ...]:
    """The facts of a note in the order of `ALL_SLOTS`; `said` and `looks` map slots to indices of their values."""
    text = folded(note.evidence_text())
    words = {slot: words_of(interest, slot)[value][language] for slot, value in said.items()}
    names = sorted(INTERESTS[interest].names[language], key=len, reverse=True)
    words["product"] = next((name for name in names if folded(name) in text), "")
    stated = [
        Fact(s, words[s], words[s]) for s in ("product", *SLOTS) if words.get(s) and folded(words[s]) in text
    ]
    return (*stated, *(Fact(slot, LOOKS[slot][value][language], PICTURE) for slot, value in looks.items()))


def words_of(interest: int, slot: str) -> tuple[Word, ...]:
    """The values that a slot can have in an interest's category, each in English and in Chinese."""
    category = CATEGORIES[INTERESTS[interest].category]
    if slot in LOOKS:
        return LOOKS[slot]
    if slot == "price":
        return PRICES
    if slot == "brand":
        return category.brands
    return category.dimensions[SLOTS.index(slot)].values


def reply_text(facts: Sequence[Fact], names: Mapping[str, str] | None, task: Task) -> str:
    """The reply to a prompt: only what the page asks for, by its names; without a page all there is, by ours.

    All that is there is observed first, then the page chooses: taught to observe only what the page asks for, chains were
    3 points of F1 worse than direct answers on mined pages, and this way they are level. The order is always that of
    the facts: a small network learns one order sooner than as many as there are pages.
    """
    chosen = names if names is not None else {slot: slot for slot in ALL_SLOTS}
    told = [(chosen[fact.slot], fact) for fact in facts if fact.slot in chosen]
    values = [{"dimension": n, "value": f.value, "evidence": f.evidence} for n, f in told]
    if task == "tags":
        return _json({"values": values})
    return _json(
        {
            "text": [fact.value for fact in facts if fact.evidence != PICTURE],
            "picture": ", ".join(fact.value for fact in facts if fact.evidence == PICTURE),
            "dimensions": [name for name, _ in told],
            "values": values,
            "tags": [f"{name}: {fact.value}" for name, fact in told],
        }
    )


def _json(reply: Mapping[str, object]) -> str:
    return json.dumps(reply, ensure_ascii=False)
