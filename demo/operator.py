"""What a content operator of the generated world has decided: what dimensions of the handbook are called.

Two values of every dimension of a category are named in each language, as somebody does who looks through the first
handbook; the others follow by the groups that they were mined in.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from demo.interests import INTERESTS
from demo.teacher.chains import ALL_SLOTS
from demo.teacher.handbooks import DEFINITIONS, values_of
from models.tags.chain import folded
from models.tags.dimension_names import HEADER, NOTHING

NAMED = 2  # values of a dimension and category, in each language
NOISE = ("first",)  # "First the short version: ..."


def write_names(path: Path) -> None:
    """Write the file that `build_handbook` reads, see `models.tags.dimension_names`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *_lines()])


def _lines() -> Iterator[tuple[str, str, str]]:
    seen: set[str] = {*NOISE}
    yield from ((word, NOTHING, "") for word in NOISE)
    for slot in ALL_SLOTS:
        definition = DEFINITIONS[slot][0]
        for interest in range(len(INTERESTS)):
            for value in values_of(interest, slot)[:NAMED]:
                for word in map(folded, value):
                    if word not in seen:
                        seen.add(word)
                        yield word, slot, definition
                        definition = ""
