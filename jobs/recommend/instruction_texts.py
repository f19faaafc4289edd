"""What workers make of targets and notes: the rows of `recommend_instructions`, text and all, a batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from models.recommend.prompts import (
    Instruction,
    Profile,
    id_to_title,
    ids_to_title,
    next_item,
    title_to_id,
    titles_to_id,
)
from models.recommend.titles import clean_title
from schemas.recommend_tables import INSTRUCTIONS, PROFILE

Batches = Iterator[pa.RecordBatch]
ROWS_A_PIECE = 2000  # of 20 titles in words some 10 MB
ALIGNMENT = ("id_to_title", "title_to_id")
FUSED = ("ids_to_title", "titles_to_id")
MADE = ("instruction_id", "task", "language", "instruction", "input", "output")
GIVEN = tuple(name for name in INSTRUCTIONS.column_names if name not in MADE)


def instructing(tasks: Sequence[str], languages: Sequence[str]) -> Callable[[Batches], Batches]:
    """Batches of the columns `GIVEN`, and title and history_titles where a task needs them, to rows of the table.

    Every task in every language; a note without a title is not asked for it, nor known by it.
    """

    def instruct(batches: Batches) -> Batches:
        for batch in batches:
            for first in range(0, len(batch), ROWS_A_PIECE):
                piece = batch.slice(first, ROWS_A_PIECE)
                yield from (_asked(piece, task, language) for task in tasks for language in languages)

    return instruct


def _asked(piece: pa.RecordBatch, task: str, language: str) -> pa.RecordBatch:
    ids = _instruction_ids(piece, task, language)
    texts = [
        _text(row, task, language, int(i[:8], 16)) for row, i in zip(_rows(piece, task), ids, strict=True)
    ]
    is_asked = pa.array([text is not None for text in texts])
    kept = pa.RecordBatch.from_arrays(
        [*piece.select(list(GIVEN)).columns, pa.array(ids)], names=[*GIVEN, "instruction_id"]
    ).filter(is_asked)
    said = [text for text in texts if text is not None]
    columns: dict[str, Any] = {name: kept.column(name) for name in (*GIVEN, "instruction_id")}
    columns |= {"task": [task] * len(said), "language": [language] * len(said)}
    columns |= {name: [getattr(text, name) for text in said] for name in Instruction._fields}
    return pa.RecordBatch.from_pydict(columns, schema=INSTRUCTIONS.arrow_schema())


def _instruction_ids(piece: pa.RecordBatch, task: str, language: str) -> list[str]:
    keys = zip(*(piece.column(name).to_pylist() for name in ("user_id", "note_id", "position")), strict=True)
    return [
        hashlib.blake2b(json.dumps([task, language, *key]).encode(), digest_size=16).hexdigest()
        for key in keys
    ]


def _rows(piece: pa.RecordBatch, task: str) -> Iterator[tuple[Any, ...]]:
    """Profile, the note's ID, its title, and the history in the form that the task shows."""
    nothing = [None] * len(piece)
    shown = "history_titles" if task == "titles_to_id" else "history_semantic_ids"
    named = "title" in piece.schema.names
    profiles = zip(*(piece.column(column.name).to_pylist() for column in PROFILE), strict=True)
    return zip(
        (Profile(*values) for values in profiles),
        piece.column("semantic_id").to_pylist(),
        piece.column("title").to_pylist() if named else nothing,
        nothing if task in ALIGNMENT else piece.column(shown).to_pylist(),
        strict=True,
    )


def _text(row: tuple[Any, ...], task: str, language: str, wording: int) -> Instruction | None:
    """The words of one row; None where there is nothing to ask by."""
    profile, semantic_id, title, history = row
    if task == "next_item":
        return next_item(profile, history, semantic_id, language, wording)
    if task == "titles_to_id":
        titles = [found for found in map(clean_title, history) if found]
        return titles_to_id(profile, titles, semantic_id, language, wording) if titles else None
    if not clean_title(title):
        return None
    if task == "ids_to_title":
        return ids_to_title(profile, history, title, language, wording)
    if task == "id_to_title":
        return id_to_title(semantic_id, title, language, wording)
    return title_to_id(title, semantic_id, language, wording)
