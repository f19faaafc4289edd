"""Pages of a handbook for lessons: as a teacher would name them, and as clusters name them.

Pages differ in which dimensions they have, in which order, by which names and with which values, so that the teacher
learns to read the page in front of it: what it does not ask for is left out of the reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from demo.catalogue import CATEGORIES, Word
from demo.interests import INTERESTS
from demo.teacher.chains import ALL_SLOTS, words_of
from demo.wording import SLOTS
from models.tags.chain import folded
from models.tags.handbook import Dimension, Page, category_key
from models.tags.mining import named_by_values

CLUSTERS_SHARE, SLOT_SHARE = 0.33, 0.75  # of lessons' pages; of slots on a page
_CHINESE = ["产品", "风格", "材质", "场景", "人群", "价格", "品牌", "颜色", "图案", "版型"]
CHINESE = dict(zip(ALL_SLOTS, _CHINESE, strict=True))
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


def drawn_page(interest: int, language: int, rng: np.random.Generator) -> tuple[Page, dict[str, str]]:
    """A page for one lesson: some slots are missing, and order, names, definitions and values vary.

    The names are those by which a note in `language` is to speak of the slots.
    """
    kind = rng.random()
    if kind < 2 * CLUSTERS_SHARE:
        return (clusters_page if kind < CLUSTERS_SHARE else named_page)(interest, language, rng)
    slots = _some_slots(rng)
    names = {slot: _name(interest, slot, rng) for slot in slots}
    dimensions = tuple(
        Dimension(names[slot], _definition(slot, rng), _examples(interest, slot, rng)) for slot in slots
    )
    return Page(_category(interest, rng), dimensions), names


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
    return options[0] if rng.random() < 0.6 else options[int(rng.integers(len(options)))]


def _definition(slot: str, rng: np.random.Generator) -> str:
    options = (*DEFINITIONS[slot], VAGUE[int(rng.integers(len(VAGUE)))])
    return options[int(rng.integers(len(options)))]


def _examples(interest: int, slot: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the values, in one language as a rule."""
    values = values_of(interest, slot)
    language = int(rng.integers(2))
    shown = rng.permutation(len(values))[: int(rng.integers(1, 6))].tolist()
    return tuple(values[i][language if rng.random() < 0.9 else 1 - language] for i in shown)


def clusters_page(interest: int, language: int, rng: np.random.Generator) -> tuple[Page, dict[str, str]]:
    """A page as `build_handbook` makes it without a teacher: a dimension is named after one of its values."""
    groups = _groups(interest, rng)
    clicks = {group.values[0]: 1 for group in groups}  # the first is clicked most, so it gives the name
    dimensions = named_by_values([group.values for group in groups], clicks, None)
    return Page(_category(interest, rng), dimensions), _names(groups, dimensions, language)


def named_page(interest: int, language: int, rng: np.random.Generator) -> tuple[Page, dict[str, str]]:
    """A page of the same groups as the teacher itself names them, see `demo.teacher.groupings`."""
    groups = _groups(interest, rng)
    dimensions = tuple(
        Dimension(name_of(group.slot, group.language), DEFINITIONS[group.slot][0], tuple(group.values))
        for group in groups
    )
    return Page(_category(interest, rng), dimensions), _names(groups, dimensions, language)


class Group(NamedTuple):
    """Values of one slot in one language, folded."""

    slot: str
    language: int
    values: list[str]


def _groups(interest: int, rng: np.random.Generator) -> list[Group]:
    """What clusters find: groups of one language, with strangers among them, in any order."""
    found = []
    for slot in _some_slots(rng):
        for language in rng.permutation(2)[: 1 + (rng.random() < 0.6)].tolist():
            values = [folded(word[language]) for word in values_of(interest, slot)]
            found.append(Group(slot, language, _with_strangers(_some(values, rng), slot, language, rng)))
    return [found[i] for i in rng.permutation(len(found)).tolist()]


def _names(groups: Sequence[Group], dimensions: Sequence[Dimension], language: int) -> dict[str, str]:
    """What slots are called: by the dimension of the note's own language where the page has one."""
    found: dict[str, str] = {}
    for group, dimension in zip(groups, dimensions, strict=True):
        if group.slot not in found or group.language == language:
            found[group.slot] = dimension.name
    return found


def name_of(slot: str, language: int) -> str:
    """What the teacher calls a slot whose values are in a language."""
    return CHINESE[slot] if language else slot


def _with_strangers(values: list[str], slot: str, language: int, rng: np.random.Generator) -> list[str]:
    """Values with some of the same slot from another category behind them."""
    if slot == "product" or rng.random() < 0.6:
        return values
    others = [folded(w[language]) for w in words_of(int(rng.integers(len(INTERESTS))), slot)]
    return list(dict.fromkeys([*values, *_some(others, rng)[:3]]))


def _some(values: list[str], rng: np.random.Generator) -> list[str]:
    """One to six of some values, in any order."""
    return [values[i] for i in rng.permutation(len(values))[: int(rng.integers(1, 7))]]


def _some_slots(rng: np.random.Generator) -> list[str]:
    return [slot for slot in rng.permutation(ALL_SLOTS).tolist() if rng.random() < SLOT_SHARE]


def _category(interest: int, rng: np.random.Generator) -> str:
    """The category path, or a wider one that lent its page."""
    path = INTERESTS[interest].path
    return category_key(path[: int(rng.integers(len(path) + 1))])
