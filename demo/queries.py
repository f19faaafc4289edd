"""The searches that users of a world make: a finite list, so that relevance can be graded for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.catalogue import CATEGORIES, COLOURS, LANGUAGES, NUM_VALUES
from demo.interests import INTERESTS
from demo.texts import value_word

ASPECTS = ("none", "style", "material", "scene", "audience", "brand", "colour")
_ASKED = ("style", "brand", "colour", "material", "scene", "audience")
_FORMS = {
    "style": ("{value} {name}", "{value}{name}"),
    "material": ("{name} {value}", "{value} {name}"),
    "scene": ("{name} for {value}", "{value}用的{name}"),
    "audience": ("best {name} for {value}", "{name} {value}推荐"),
    "brand": ("{value} {name}", "{value} {name}"),
    "colour": ("{value} {name}", "{value}{name}"),
}


@dataclass(frozen=True)
class Queries:
    """One entry a query: its text, what it is about, and the aspect and value that it asks for (-1: none)."""

    text: list[str]
    interest: npt.NDArray[np.int16]
    language: npt.NDArray[np.int8]
    aspect: npt.NDArray[np.int8]  # index into ASPECTS
    value: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float64]


def all_queries() -> Queries:
    """Every query that anyone makes, ordered by interest and language; plain names are asked most."""
    rows = [
        row for i in range(len(INTERESTS)) for language in range(len(LANGUAGES)) for row in _of(i, language)
    ]
    text, interest, language, aspect, value, weight = zip(*rows, strict=True)
    return Queries(
        list(text),
        np.array(interest, dtype=np.int16),
        np.array(language, dtype=np.int8),
        np.array(aspect, dtype=np.int8),
        np.array(value, dtype=np.int8),
        np.array(weight),
    )


def _of(interest: int, language: int) -> list[tuple[str, int, int, int, int, float]]:
    names = INTERESTS[interest].names[language]
    found = [(name, interest, language, 0, -1, 3.0 / (rank + 1)) for rank, name in enumerate(names)]
    for aspect in _ASKED:
        for value in range(_num_values(interest, aspect)):
            name = names[(value + ASPECTS.index(aspect)) % len(names)]
            text = _FORMS[aspect][language].format(name=name, value=_word(interest, aspect, value, language))
            found.append((text, interest, language, ASPECTS.index(aspect), value, 0.6 / (value + 1)))
    return found


def _num_values(interest: int, aspect: str) -> int:
    if aspect == "colour":
        return len(COLOURS)
    return len(CATEGORIES[INTERESTS[interest].category].brands) if aspect == "brand" else NUM_VALUES


def _word(interest: int, aspect: str, value: int, language: int) -> str:
    return COLOURS[value][language] if aspect == "colour" else value_word(interest, aspect, value, language)
