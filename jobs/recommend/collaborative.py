"""The counting scorer of a recommender: fitted on the histories that it learns from, and kept with it.

collaborative.safetensors     tensors of models/recommend/markov_knn.py
collaborative_notes.parquet   note_id; row i is the note of item i
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from jobs.lake import Lake, LakeError, write_atomically
from jobs.part_files import write_part
from jobs.recommend.instruction_rows import training_histories
from models.recommend import markov_knn
from models.recommend.markov_knn import MarkovKnn
from models.recommend.sequences import PAD, Items, padded, sequences_of
from schemas.tables import SEMANTIC_IDS

ARRAYS, NOTES_FILE = "collaborative.safetensors", "collaborative_notes.parquet"
SCHEMA = pa.schema([pa.field("note_id", pa.string(), nullable=False)])


class Collaborative(NamedTuple):
    """The scorer, and the notes that its items are, in order of note_id."""

    scorer: MarkovKnn
    note_ids: pa.Array

    def items(self, histories: Sequence[Sequence[str]], length: int) -> Items:
        """history_QT: the last `length` notes of each as items, padded on the left; notes it never met are left out."""
        return padded(items_of(histories, self.note_ids), length)


def fit_collaborative(lake: Lake, day: str, split: str) -> Collaborative:
    """The scorer of the training rows' histories, about all notes that have an ID on the day."""
    notes = pq.read_table(lake.files(SEMANTIC_IDS, day), columns=["note_id"]).column("note_id")
    note_ids = notes.combine_chunks().sort()
    known = items_of(list(training_histories(lake, day, split)), note_ids)
    scorer = markov_knn.fit(sequences_of(known), len(note_ids), markov_knn.Config())
    return Collaborative(scorer, note_ids)


def items_of(histories: Sequence[Sequence[str]], note_ids: pa.Array) -> list[list[int]]:
    """Every history as items; notes that are none are left out."""
    flat = pa.array([note_id for history in histories for note_id in history], pa.string())
    item_M = pc.fill_null(pc.index_in(flat, value_set=note_ids), PAD).to_pylist()
    found, at = list[list[int]](), 0
    for history in histories:
        found.append([item for item in item_M[at : at + len(history)] if item != PAD])
        at += len(history)
    return found


def save_collaborative(folder: Path, found: Collaborative) -> None:
    """Write the two files; equal scorers make equal bytes."""
    write_atomically(folder / ARRAYS, save(dict(sorted(found.scorer.tensors().items()))))
    rows = pa.table({"note_id": found.note_ids}, schema=SCHEMA)
    write_part(folder / NOTES_FILE, SCHEMA, rows.to_batches())


def open_collaborative(folder: Path) -> Collaborative:
    """The scorer in a recommender's folder. Raises `LakeError` where its files do not fit together."""
    try:
        scorer = markov_knn.from_tensors(load((folder / ARRAYS).read_bytes()))
    except (SafetensorError, ValueError) as error:
        raise LakeError(f"{folder / ARRAYS} holds no counting scorer: {error}") from None
    note_ids = pq.read_table(folder / NOTES_FILE).column("note_id").combine_chunks()
    if len(note_ids) != scorer.num_items:
        raise LakeError(
            f"{folder} holds a counting scorer of {scorer.num_items} notes and the ids of {len(note_ids)}"
        )
    return Collaborative(scorer, note_ids)
