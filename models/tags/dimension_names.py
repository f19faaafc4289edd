"""A person's names for dimensions of the handbook, as lines of a file: `value,dimension,definition`.

    value,dimension,definition
    walnut,material,What it is made of.
    胡桃木,material,
    first,none,

A mined group gets the name that most of its named values have, whatever its language, and groups of one name become one
dimension; a value that is named otherwise than its group moves, and `none` leaves a value out. The definition may stand in
any line of a dimension, the first holds. The file is read as a stranger's: what is wrong is said with the line's number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from models.tags.chain import MAX_CHARACTERS, folded
from models.tags.decisions import DecisionError, numbered_lines
from models.tags.handbook import Dimension

HEADER = ["value", "dimension", "definition"]
NOTHING = "none"  # the name of what is no dimension
MAX_DEFINITION = 200


class Names(NamedTuple):
    """The dimension of every named value, folded, and the definition of a dimension where it has one."""

    dimension_of: Mapping[str, str]
    definitions: Mapping[str, str]


NO_NAMES = Names({}, {})


def parse_names(text: str) -> Names:
    """Read the file. Raises `DecisionError`."""
    dimension_of: dict[str, str] = {}
    definitions: dict[str, str] = {}
    for number, cells in numbered_lines(text, HEADER):
        value, name = (_fit(number, HEADER[at], cells[at], MAX_CHARACTERS) for at in (0, 1))
        if dimension_of.setdefault(folded(value), name) != name:
            raise DecisionError(f"line {number}: {value!r} was given to {dimension_of[folded(value)]!r} before")
        if cells[2].strip():
            definitions.setdefault(name, _fit(number, HEADER[2], cells[2], MAX_DEFINITION))
    return Names(dimension_of, definitions)


def _fit(number: int, what: str, text: str, longest: int) -> str:
    found = " ".join(text.split())
    if not (0 < len(found) <= longest and found.isprintable() and any(c.isalnum() for c in found)):
        raise DecisionError(f"line {number}: {what} is {text[:80]!r}: write 1 to {longest} characters in one line")
    return found


def settled(groups: Sequence[Sequence[str]], names: Names) -> tuple[tuple[Dimension, ...], list[list[str]]]:
    """The dimensions of the groups that have a named value, and the groups that have none, as they were."""
    found: dict[str, list[list[str]]] = {}
    rest: list[list[str]] = []
    for group in groups:
        named = {value: names.dimension_of.get(folded(value)) for value in group}
        votes = Counter(name for name in named.values() if name not in (None, NOTHING))
        own = votes.most_common(1)[0][0] if votes else None
        parts: dict[str, list[str]] = {}
        for value in group:
            name = named[value] or own
            if name is not None and name != NOTHING:
                parts.setdefault(name, []).append(value)
        for name, values in parts.items():
            found.setdefault(name, []).append(values)
        left = [value for value in group if named[value] is None] if own is None else []
        rest += [left] if left else []
    return tuple(
        Dimension(name, names.definitions.get(name) or f"What users call {name}.", in_turn(parts))
        for name, parts in found.items()
    ), rest


def joined(dimensions: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """Dimensions with those of one name made one, where the first stands; the first definition holds."""
    found: dict[str, list[Dimension]] = {}
    for dimension in dimensions:
        found.setdefault(folded(dimension.name), []).append(dimension)
    return tuple(
        Dimension(same[0].name, same[0].definition, in_turn([d.values for d in same])) for same in found.values()
    )


def in_turn(groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The values of groups by turns, so that each has a voice where only the first values of a dimension are shown."""
    turns = chain.from_iterable(zip_longest(*groups))
    return tuple(dict.fromkeys(value for value in turns if value is not None))
