"""Pages of a handbook for lessons: mined ones as a person names them, and ones by other names.

Pages differ in which dimensions they have, in which order, by which names and with which values, so that the teacher
learns to read the page in front of it: what it does not ask for is left out of the reply.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demo.catalogue import CATEGORIES, Word
from demo.interests import INTERESTS
from demo.teacher.chains import ALL_SLOTS, words_of
from demo.wording import SLOTS
from models.tags.chain import folded
from models.tags.handbook import Dimension, Page, category_key
from models.tags.prompt import MAX_VALUES

MINED_SHARE, SLOT_SHARE, STRANGERS_SHARE = (
    0.5,
    0.75,
    0.3,
)  # of lessons' pages; of slots on a page; of mined dimensions
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
        Dimension(name, DEFINITIONS[slot][0], tuple(w[0] for w in values_of(interest, slot)[:5]))
        for slot, name in names.items()
    ]
    return Page(category_key(INTERESTS[interest].path), tuple(dimensions)), names


def drawn_page(interest: int, rng: np.random.Generator) -> tuple[Page, dict[str, str]]:
    """A page for one lesson and the name of every slot on it: some slots are missing, the rest varies."""
    slots = [slot for slot in rng.permutation(ALL_SLOTS).tolist() if rng.random() < SLOT_SHARE]
    if rng.random() < MINED_SHARE:
        names = {slot: slot for slot in slots}
        dimensions = tuple(Dimension(s, DEFINITIONS[s][0], _mined_values(interest, s, rng)) for s in slots)
    else:
        names = {slot: _name(interest, slot, rng) for slot in slots}
        dimensions = tuple(
            Dimension(names[s], _definition(s, rng), _examples(interest, s, rng)) for s in slots
        )
    return Page(_category(interest, rng), dimensions), names


def _mined_values(interest: int, slot: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Values as a mined page has them: folded, of one language or two by turns, at times with those of other categories."""
    values = _some(values_of(interest, slot), rng)
    if rng.random() < STRANGERS_SHARE:
        values += _some(values_of(int(rng.integers(len(INTERESTS))), slot), rng)
    languages = ((0, 1), (0, 1), (0,), (1,))[int(rng.integers(4))]
    told = (folded(word[language]) for word in values for language in languages)
    return tuple(dict.fromkeys(told))[:MAX_VALUES]


def _some(values: list[Word], rng: np.random.Generator) -> list[Word]:
    """One to six of some values, in any order."""
    return [values[i] for i in rng.permutation(len(values))[: int(rng.integers(1, 7))].tolist()]


def values_of(interest: int, slot: str) -> list[Word]:
    """The values of a slot on an interest's page: of a product, the names of all that shares its path."""
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
    return options[0] if rng.random() < 0.7 else options[int(rng.integers(len(options)))]


def _definition(slot: str, rng: np.random.Generator) -> str:
    options = (*DEFINITIONS[slot], VAGUE[int(rng.integers(len(VAGUE)))])
    return options[int(rng.integers(len(options)))]


def _examples(interest: int, slot: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the values, in one language as a rule."""
    values = values_of(interest, slot)
    language = int(rng.integers(2))
    shown = rng.permutation(len(values))[: int(rng.integers(1, 6))].tolist()
    return tuple(values[i][language if rng.random() < 0.9 else 1 - language] for i in shown)


def _category(interest: int, rng: np.random.Generator) -> str:
    """The category path, or a wider one that lent its page."""
    path = INTERESTS[interest].path
    return category_key(path[: int(rng.integers(len(path) + 1))])
