"""The vectors of some of the day's notes, kept at hand while the collision rule weighs where they go."""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jobs.ids.encoding import row_groups_of, tasks_of, vectors_in
from jobs.ids.inputs import fused_vectors, pictures_of
from jobs.lake import Lake
from models.ids.possible import possible_costs

if TYPE_CHECKING:
    from models.ids.inputs import Fuse
    from models.ids.tokenizer import Codes, Tokenizer

IN_MEMORY = 256 << 20  # bytes of vectors; more of them lie in a file


class Shelf:
    """What each last code would cost notes of a day: `costs` is what `models.ids.collisions.place` asks.

    `at_N` says which row of the day's embeddings an arriving note is.
    """

    def __init__(
        self, lake: Lake, day: str, tokenizer: Tokenizer, fuse: Fuse | None, at_N: NDArray[np.int64]
    ) -> None:
        self.lake, self.day, self.tokenizer, self.fuse, self.at_N = lake, day, tokenizer, fuse, at_N
        self.pictures = pictures_of(lake, day, fuse) if fuse else None
        self.known = np.empty(0, dtype=np.int64)
        self.vectors_ND = np.empty((0, tokenizer.input_dim), dtype=np.float32)
        self.file: Any = None

    def costs(self, rows_R: NDArray[np.int64], codes_RL: Codes) -> NDArray[np.float32]:
        """cost_RK of these arriving notes with these codes before the last."""
        wanted = self.at_N[rows_R]
        self.fetch(np.setdiff1d(wanted, self.known))
        return possible_costs(self.tokenizer, self._vectors(np.searchsorted(self.known, wanted)), codes_RL)

    def _vectors(self, at_R: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.file is None:
            return self.vectors_ND[at_R]
        # Read, not mapped: the pages of a mapped file would count as this job's memory.
        vectors_RD = np.empty((len(at_R), self.tokenizer.input_dim), dtype=np.float32)
        for row, at in zip(vectors_RD, at_R.tolist(), strict=True):
            os.preadv(self.file.fileno(), [row.data], at * row.nbytes)
        return vectors_RD

    def fetch(self, wanted: NDArray[np.int64]) -> None:
        """Read these rows of the day, beside those that are here, in one pass over the row groups that hold any."""
        if not len(wanted):
            return
        groups = row_groups_of(self.lake, self.day)
        known = np.union1d(self.known, wanted)
        mask = np.zeros(sum(count for _, _, count in groups), dtype=np.bool_)
        mask[known] = True
        fits = len(known) * self.tokenizer.input_dim * 4 <= IN_MEMORY
        parts: list[NDArray[np.float32]] = []
        file = None if fits else TemporaryFile()  # noqa: SIM115 (it lives as long as the shelf)
        for task in tasks_of(groups, mask).to_pylist():
            for note_ids, vectors_ND in vectors_in(task["path"], task["group"], task["wanted"], set()):
                if self.fuse is not None:
                    vectors_ND = fused_vectors(vectors_ND, note_ids, self.fuse, self.pictures)
                if file is None:
                    parts.append(vectors_ND)
                else:
                    file.write(vectors_ND.tobytes())
        if file is None:
            self.vectors_ND = np.concatenate(parts)
        else:
            file.flush()
        self.known, self.file = known, file
