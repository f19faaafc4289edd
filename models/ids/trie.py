"""The catalogue trie: every semantic ID of a catalogue as a few flat arrays, after STATIC (arXiv 2602.22647).

`trie_build.build` makes it, `trie_torch` decodes with it on any device.

Shapes: L levels, K codes of a level, S states (prefixes of one length), C their children, M rows asked about, P codes of
a prefix. States are numbered by length and in order of their codes, so that the children of one state stand
in a row: the place of a child is its number, and no pointer is stored. State 0 of length 0 is the root, a state of
length L a leaf. A negative state, -1 - p, is of a prefix that left the catalogue at its code p (see `left_at`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ids.text import codes_to_text

Codes = NDArray[np.integer[Any]]
States = NDArray[np.int64]


class DeadPrefixError(ValueError):
    """Which prefix leads to no note of the catalogue, and whose it is."""


class DenseLevel(NamedTuple):
    """next_SK: the child of each state by each code, -1 where there is none."""

    next_SK: NDArray[np.int32]


class PackedLevel(NamedTuple):
    """Children of state s are the states indptr_S1[s] to indptr_S1[s + 1], reached by code_C of the same places."""

    indptr_S1: NDArray[np.int32]
    code_C: Codes

    @property
    def width(self) -> int:
        """The most children that a state has."""
        return int(np.diff(self.indptr_S1).max())


Level = DenseLevel | PackedLevel


@dataclass(frozen=True, eq=False)
class Trie:
    """All IDs of a catalogue. Notes of leaf s have the places note_indptr_S1[s] to note_indptr_S1[s + 1], by rank."""

    sizes: tuple[int, ...]
    levels: tuple[Level, ...]
    note_indptr_S1: NDArray[np.int32]

    @property
    def num_leaves(self) -> int:
        """How many different IDs there are."""
        return len(self.note_indptr_S1) - 1

    @property
    def num_notes(self) -> int:
        """How many notes have them."""
        return int(self.note_indptr_S1[-1])

    def states(self, codes_MP: Codes) -> States:
        """state_M of prefixes of one length, negative where the catalogue has none. Raises `ValueError` for no matrix."""
        if codes_MP.ndim != 2 or codes_MP.shape[1] > len(self.levels):
            raise ValueError(
                f"prefixes must be rows x codes, with at most {len(self.levels)} codes; their shape is {codes_MP.shape}"
            )
        state_M = np.zeros(len(codes_MP), dtype=np.int64)
        for depth in range(codes_MP.shape[1]):
            next_M = self._children(depth, state_M, codes_MP[:, depth].astype(np.int64))
            state_M = np.where((state_M < 0) | (next_M >= 0), np.where(state_M < 0, state_M, next_M), -1 - depth)
        return state_M

    def walk(self, codes_MP: Codes) -> States:
        """The same. Raises `DeadPrefixError`, which names the first row that leaves the catalogue, and where."""
        state_M = self.states(codes_MP)
        for row in np.flatnonzero(state_M < 0)[:1]:
            raise DeadPrefixError(f"row {row}: {self._dead_end(codes_MP[row].tolist(), left_at(int(state_M[row])))}")
        return state_M

    def validate(self, codes_ML: Codes) -> NDArray[np.bool_]:
        """For each row whether it is the ID of a note. Raises `ValueError` where the rows are not whole IDs."""
        if codes_ML.ndim != 2 or codes_ML.shape[1] != len(self.levels):
            raise ValueError(f"IDs of this catalogue have {len(self.levels)} codes; the shape of these is {codes_ML.shape}")
        return np.asarray(self.states(codes_ML) >= 0)

    def contains(self, codes: Sequence[int]) -> bool:
        """Whether these codes are the ID of a note."""
        return len(codes) == len(self.levels) and bool(self.validate(np.array([codes], dtype=np.int64))[0])

    def allowed(self, codes: Sequence[int]) -> list[int]:
        """The codes that may follow a prefix. Raises `DeadPrefixError`, and `ValueError` for a whole ID."""
        if len(codes) >= len(self.levels):
            raise ValueError(f"nothing follows {list(codes)}: an ID of this catalogue has {len(self.levels)} codes")
        state = int(self.walk(np.array([codes], dtype=np.int64).reshape(1, -1))[0])
        level = self.levels[len(codes)]
        if isinstance(level, DenseLevel):
            return [int(code) for code in np.flatnonzero(level.next_SK[state] >= 0)]
        return [int(code) for code in level.code_C[level.indptr_S1[state] : level.indptr_S1[state + 1]]]

    def notes_of(self, leaf: int) -> range:
        """The places of a leaf's notes, in order of their rank. Raises `ValueError` for a state that is no leaf."""
        if not 0 <= leaf < self.num_leaves:
            raise ValueError(f"{leaf} is no leaf of this catalogue: they are 0 to {self.num_leaves - 1}")
        return range(int(self.note_indptr_S1[leaf]), int(self.note_indptr_S1[leaf + 1]))

    def ids(self) -> NDArray[np.int32]:
        """codes_SL of every leaf, in order."""
        parent_S = np.arange(self.num_leaves)
        columns = []
        for level in reversed(self.levels):
            parent_C, code_C = _edges(level)
            columns.append(code_C[parent_S])
            parent_S = parent_C[parent_S]
        return np.stack(columns[::-1], axis=1).astype(np.int32)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, for a safetensors file; `from_tensors` is the way back."""
        found: dict[str, NDArray[Any]] = {"sizes": np.array(self.sizes), "note_indptr": self.note_indptr_S1}
        for depth, level in enumerate(self.levels):
            if isinstance(level, DenseLevel):
                found[f"level_{depth}_next"] = level.next_SK
            else:
                found |= {f"level_{depth}_indptr": level.indptr_S1, f"level_{depth}_codes": level.code_C}
        return found

    def _children(self, depth: int, state_M: States, code_M: States) -> States:
        """The children by these codes, -1 where there is none; of a negative state there is none."""
        level = self.levels[depth]
        is_asked_M = (state_M >= 0) & (code_M >= 0) & (code_M < self.sizes[depth])
        state_M, code_M = np.where(is_asked_M, state_M, 0), np.where(is_asked_M, code_M, 0)
        found_M = level.next_SK[state_M, code_M] if isinstance(level, DenseLevel) else _searched(level, state_M, code_M)
        return np.where(is_asked_M, found_M, -1)

    def _dead_end(self, codes: list[int], depth: int) -> str:
        known = codes[:depth]
        allowed = self.allowed(known)
        shown = ", ".join(map(str, allowed[:8])) + (", ..." if len(allowed) > 8 else "")
        after = codes_to_text(known) if known else "the root"
        return (
            f"code {codes[depth]} after {after} is in no ID of this catalogue, so the prefix {codes[: depth + 1]} is dead: "
            f"{len(allowed)} of {self.sizes[depth]} codes may stand there ({shown})"
        )


def left_at(state: int) -> int:
    """The number of the code at which the prefix of a negative state left the catalogue."""
    return -1 - state


def from_tensors(tensors: Mapping[str, NDArray[Any]]) -> Trie:
    """The trie of `Trie.tensors`. Raises `ValueError` where an array is missing or does not fit the others."""
    try:
        sizes = tuple(int(size) for size in tensors["sizes"])
        levels = tuple(_level(tensors, depth) for depth in range(len(sizes)))
        found = Trie(sizes, levels, tensors["note_indptr"])
    except KeyError as error:
        raise ValueError(f"the trie has no array {error}") from None
    num_states = 1
    for depth, level in enumerate(levels):
        rows = len(level.next_SK) if isinstance(level, DenseLevel) else len(level.indptr_S1) - 1
        if rows != num_states:
            raise ValueError(f"level {depth} of the trie has {rows} states, the one before it leads to {num_states}")
        num_states = len(_edges(level)[0])
    if found.num_leaves != num_states:
        raise ValueError(f"the trie lists notes of {found.num_leaves} IDs, its levels lead to {num_states}")
    return found


def _level(tensors: Mapping[str, NDArray[Any]], depth: int) -> Level:
    if f"level_{depth}_next" in tensors:
        return DenseLevel(tensors[f"level_{depth}_next"])
    return PackedLevel(tensors[f"level_{depth}_indptr"], tensors[f"level_{depth}_codes"])


def _edges(level: Level) -> tuple[NDArray[np.int64], Codes]:
    """parent_C and code_C of all children, in order."""
    if isinstance(level, DenseLevel):
        parent_C, code_C = np.nonzero(level.next_SK >= 0)
        return parent_C, code_C
    return np.repeat(np.arange(len(level.indptr_S1) - 1), np.diff(level.indptr_S1)), level.code_C


def _searched(level: PackedLevel, state_M: States, code_M: States) -> States:
    """The children by these codes, or -1: a binary search among each state's children, all rows at once."""
    low_M, stop_M = level.indptr_S1[state_M].astype(np.int64), level.indptr_S1[state_M + 1].astype(np.int64)
    high_M, last = stop_M, len(level.code_C) - 1
    for _ in range(level.width.bit_length()):
        middle_M = (low_M + high_M) // 2
        is_open_M = low_M < high_M
        is_below_M = is_open_M & (level.code_C[np.minimum(middle_M, last)] < code_M)
        low_M, high_M = np.where(is_below_M, middle_M + 1, low_M), np.where(is_open_M & ~is_below_M, middle_M, high_M)
    is_there_M = (low_M < stop_M) & (level.code_C[np.minimum(low_M, last)] == code_M)
    return np.where(is_there_M, low_M, -1)
