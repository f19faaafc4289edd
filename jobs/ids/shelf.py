"""The vectors of some of the day's notes, kept at hand while the collision rule weighs where they go."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jobs.ids.encoding import row_groups_of, tasks_of, vectors_in
from jobs.lake import Lake

if TYPE_CHECKING:
    from models.ids.tokenizer import Codes, Tokenizer

IN_MEMORY = 256 << 20  # bytes of vectors; more of them lie in a file that the kernel may drop from memory


class Shelf:
    """What each last code would cost notes of a day: `costs` is what `models.ids.collisions.place` asks.

    `at_N` says which row of the day's embeddings an arriving note is.
    """

    def __init__(self, lake: Lake, day: str, tokenizer: Tokenizer, at_N: NDArray[np.int64]) -> None:
        self.lake, self.day, self.tokenizer, self.at_N = lake, day, tokenizer, at_N
        self.known = np.empty(0, dtype=np.int64)
        self.vectors_ND: Any = np.empty((0, tokenizer.input_dim), dtype=np.float32)

    def costs(self, rows_R: NDArray[np.int64], codes_RL: Codes) -> NDArray[np.float32]:
        """cost_RK of these arriving notes with these codes before the last."""
        wanted = self.at_N[rows_R]
        self.fetch(np.setdiff1d(wanted, self.known))
        return self.tokenizer.last_costs(self.vectors_ND[np.searchsorted(self.known, wanted)], codes_RL)

    def fetch(self, wanted: NDArray[np.int64]) -> None:
        """Read these rows of the day, beside those that are here, in one pass over the row groups that hold any."""
        if not len(wanted):
            return
        groups = row_groups_of(self.lake, self.day)
        known = np.union1d(self.known, wanted)
        mask = np.zeros(sum(count for _, _, count in groups), dtype=np.bool_)
        mask[known] = True
        room = _room(len(known), self.tokenizer.input_dim)
        at = 0
        for task in tasks_of(groups, mask).to_pylist():
            for _, vectors_ND in vectors_in(task["path"], task["group"], task["wanted"], set()):
                room[at : at + len(vectors_ND)] = vectors_ND
                at += len(vectors_ND)
        self.known, self.vectors_ND = known, room


def _room(count: int, dims: int) -> Any:
    if count * dims * 4 <= IN_MEMORY:
        return np.empty((count, dims), dtype=np.float32)
    file = TemporaryFile()  # noqa: SIM115 (lives as long as the array, and is nowhere to be found after it)
    file.truncate(count * dims * 4)
    return np.memmap(file, dtype=np.float32, mode="r+", shape=(count, dims))
