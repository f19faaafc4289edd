"""A person's decisions about tags, as lines of a file: `surface,dimension,decision`.

The decision is `canonical` (a tag of its own), `blocked` (never a tag), or `merge:TAG` (stands for TAG of the same
dimension). The file is read as a stranger's: whatever is wrong with it is said with the number of its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from models.tags.chain import MAX_CHARACTERS
from models.tags.spelling import surface_of

HEADER = ["surface", "dimension", "decision"]
MERGE = "merge"
VERDICTS = ("canonical", "blocked")
MAX_LINES = 1_000_000


class Decision(NamedTuple):
    """`canonical`, `blocked` or `merge`, then into `target`; `line` is where it stands."""

    verdict: str
    target: str
    line: int


class DecisionError(ValueError):
    """What is wrong, in which line."""


def parse_decisions(text: str) -> dict[str, dict[str, Decision]]:
    """Decisions by dimension and surface, both folded. Raises `DecisionError`."""
    found: dict[str, dict[str, Decision]] = {}
    for number, cells in numbered_lines(text, HEADER):
        surface, dimension, decision = _read_line(number, cells)
        of_dimension = found.setdefault(dimension, {})
        if surface in of_dimension and of_dimension[surface][:2] != decision[:2]:
            raise DecisionError(
                f"line {number}: {surface!r} of {dimension!r} was decided otherwise in line {of_dimension[surface].line}"
            )
        of_dimension.setdefault(surface, decision)
    for dimension, decisions in found.items():
        _require_no_circle(dimension, decisions)
    return found


def numbered_lines(text: str, header: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of a person's CSV file behind its header, each with its number; empty ones are left out.

    Raises `DecisionError` where it is no CSV, has another header, too many lines, or a line of another length.
    """
    try:
        lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise DecisionError(f"it is no CSV: {error}") from None
    if not lines or [cell.strip() for cell in lines[0]] != list(header):
        raise DecisionError(f"line 1: the first line must be {','.join(header)}")
    if len(lines) > MAX_LINES:
        raise DecisionError(f"it has more than {MAX_LINES:,} lines")
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DecisionError(
                f"line {number} has {len(cells)} fields, not {len(header)}: quote what has a comma in it"
            )
        yield number, cells


def _read_line(number: int, cells: list[str]) -> tuple[str, str, Decision]:
    surface, dimension = (_name(number, HEADER[i], cells[i]) for i in (0, 1))
    verdict, _, target = cells[2].strip().partition(":")
    if verdict == MERGE:
        into = _name(number, "the tag behind merge:", target)
        if into == surface:
            raise DecisionError(f"line {number}: {surface!r} cannot be merged into itself")
        return surface, dimension, Decision(MERGE, into, number)
    if verdict not in VERDICTS or target:
        raise DecisionError(
            f"line {number}: decision is {cells[2][:80]!r}, it may be canonical, blocked or merge:TAG"
        )
    return surface, dimension, Decision(verdict, surface, number)


def _name(number: int, what: str, text: str) -> str:
    name = surface_of(text)
    if not any(c.isalnum() for c in name) or len(name) > MAX_CHARACTERS or not name.isprintable():
        raise DecisionError(
            f"line {number}: {what} is {text[:80]!r}: write a tag or dimension of 1 to {MAX_CHARACTERS} characters"
        )
    return name


def _require_no_circle(dimension: str, decisions: Mapping[str, Decision]) -> None:
    for start in decisions:
        passed, at = {start}, start
        while at in decisions and decisions[at].verdict == MERGE:
            at = decisions[at].target
            if at in passed:
                raise DecisionError(
                    f"line {decisions[start].line}: {start!r} of {dimension!r} is merged in a circle: decide for one tag"
                )
            passed.add(at)


def settled_targets(decisions: Mapping[str, Decision], known: Collection[str]) -> dict[str, str]:
    """For every surface that is merged, the tag at the end of its chain of decisions, where that is known yet."""
    found = {}
    for start, decision in decisions.items():
        at = decision
        while at.verdict == MERGE and at.target in decisions:
            at = decisions[at.target]
        if decision.verdict == MERGE and at.target in known:
            found[start] = at.target
    return found
