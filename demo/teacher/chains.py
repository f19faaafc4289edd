"""What a perfect teacher would reply: a note's truth as facts, a handbook page of the catalogue, and the chain between.

A fact's value stands in the note's language, and its evidence stands in the note: what the truth says and the text
does not (a typing slip in the very word, say) is no fact here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from demo.catalogue import CATEGORIES, COLOURS, FORMS, PATTERNS, PRICES, Word
from demo.interests import INTERESTS
from demo.wording import SLOTS
from models.tags.chain import PICTURE, folded
from models.tags.handbook import Dimension, Page, category_key
from models.tags.prompt import NoteText, Task

LOOKS: dict[str, tuple[Word, ...]] = {"colour": COLOURS, "pattern": PATTERNS, "form": FORMS}
ALL_SLOTS = ("product", *SLOTS, *LOOKS)  # the order in which a teacher without a page speaks of them
# What a page may call a slot (its own name first), and how it may define it: pages differ, so training pages do.
NAMES: dict[str, tuple[str, ...]] = {
    "product": ("product", "item", "kind"),
    "style": ("style", "look", "mood"),
    "material": ("material", "fabric", "made of"),
    "scene": ("scene", "occasion", "use"),
    "audience": ("audience", "people", "who it is for"),
    "price": ("price", "budget level", "price range"),
    "brand": ("brand", "maker", "label"),
    "colour": ("colour", "color", "shade"),
    "pattern": ("pattern", "print", "surface"),
    "form": ("form", "cut", "silhouette"),
}
DEFINITIONS: dict[str, tuple[str, ...]] = {
    "product": ("What the note is about.", "The thing itself, by its common name."),
    "style": ("The style that it follows.", "How it looks and feels as a whole."),
    "material": ("What it is made of.", "The material or ingredient that people name."),
    "scene": ("When and where it is used.", "The occasion it serves."),
    "audience": ("Whom it suits.", "The people it is meant for."),
    "price": ("How dear it is.", "The price range it belongs to."),
    "brand": ("Who makes it.", "The brand on the label."),
    "colour": ("Its main colour.", "The colour that the picture shows."),
    "pattern": ("The pattern of its surface.", "What is printed or woven on it."),
    "form": ("Its cut or outline.", "Whether it is drawn out or broad."),
}
VAGUE = ("What users of the category act on.", "Values that belong together.")


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


def slot_names(interest: int) -> dict[str, str]:
    """What the catalogue calls every slot in an interest's category, such as `finish` for style in Beauty."""
    dimensions = CATEGORIES[INTERESTS[interest].category].dimensions
    return {slot: slot for slot in ALL_SLOTS} | {
        slot: dimension.name for slot, dimension in zip(SLOTS, dimensions, strict=False)
    }


def true_page(interest: int, slots: Sequence[str] = ALL_SLOTS) -> tuple[Page, dict[str, str]]:
    """The whole page of an interest's category path, in English, and the name of every slot on it."""
    names = {slot: slot_names(interest)[slot] for slot in slots}
    dimensions = [
        Dimension(name, DEFINITIONS[slot][0], tuple(w[0] for w in _values(interest, slot)[:5]))
        for slot, name in names.items()
    ]
    return Page(category_key(INTERESTS[interest].path), tuple(dimensions)), names


def drawn_page(interest: int, rng: np.random.Generator) -> tuple[Page, dict[str, str]]:
    """A page for one lesson: some slots are missing, and order, names, definitions and values vary."""
    path = INTERESTS[interest].path
    slots = [slot for slot in rng.permutation(ALL_SLOTS).tolist() if rng.random() < 0.8]
    names = {slot: _name(interest, slot, rng) for slot in slots}
    dimensions = tuple(
        Dimension(names[slot], _definition(slot, rng), _examples(interest, slot, rng)) for slot in slots
    )
    return Page(category_key(path[: rng.integers(len(path) + 1)]), dimensions), names


def _values(interest: int, slot: str) -> list[Word]:
    if slot != "product":
        return list(words_of(interest, slot))
    path = INTERESTS[interest].path
    return [
        word
        for i in INTERESTS
        if i.path == path
        for word in zip(*i.names, strict=True)
    ]  # fmt: skip


def _name(interest: int, slot: str, rng: np.random.Generator) -> str:
    options = (slot_names(interest)[slot], *NAMES[slot])
    return options[0] if rng.random() < 0.6 else options[int(rng.integers(len(options)))]


def _definition(slot: str, rng: np.random.Generator) -> str:
    options = (*DEFINITIONS[slot], VAGUE[int(rng.integers(len(VAGUE)))])
    return options[int(rng.integers(len(options)))]


def _examples(interest: int, slot: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the values, in one language as a rule."""
    values = _values(interest, slot)
    language = int(rng.integers(2))
    shown = rng.permutation(len(values))[: int(rng.integers(1, 6))].tolist()
    return tuple(values[i][language if rng.random() < 0.9 else 1 - language] for i in shown)


def reply_text(facts: Sequence[Fact], names: Mapping[str, str] | None, task: Task) -> str:
    """The reply to a prompt: only what the page asks for, by its names; without a page all there is, by ours.

    The order is always that of the facts: a small network learns one order sooner than as many as there are pages.
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
