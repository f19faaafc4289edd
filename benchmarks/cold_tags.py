"""Tags of notes as the jobs make them, without the jobs' tables: asked of a teacher, made canonical, turned into postings.

What is here is only the way from one of the project's functions to the next: prompt, `LocalModel`, `parse_reply`, the
vocabulary's `grown` with the configuration's own bounds and encoder, `canonical`, and `tag_postings` on Spark.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from benchmarks.cold_world import Note
from demo.teacher.handbooks import slot_names, true_page
from jobs.config import Tags
from jobs.notes.encoders import Encoder, embed_texts
from jobs.tags.asking import Question
from jobs.tags.build_vocabulary import encoded_by
from jobs.tags.canonical_rows import postings
from jobs.tags.local_model import find_local_model
from jobs.tags.pictures import as_png
from jobs.tags.tag_rows import confidence
from models.tags.canonical import IN_USE, NoteTag, Vocabulary, canonical
from models.tags.chain import parse_reply
from models.tags.prompt import prompt_for
from models.tags.spelling import surface_of
from models.tags.vocabulary import Notes, Rules, grown

MAX_NEW_TOKENS = 200  # the longest right reply has about 140
Said = Sequence[Sequence[NoteTag]]  # one entry a note


class Told(NamedTuple):
    """What a model said of every note, and how many of its replies were of no use."""

    tags: list[list[NoteTag]]
    num_unread: int


def told_by(teacher: Path, notes: Sequence[Note]) -> Told:
    """The tags that a teacher in a folder gives, guided by the catalogue's page; one process a core."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as workers:
        shares = list(workers.map(_asked, [teacher] * cores, [notes[i::cores] for i in range(cores)]))
    found: list[list[NoteTag]] = [[] for _ in notes]
    for i, (tags, _) in enumerate(shares):
        found[i::cores] = tags
    return Told(found, sum(num for _, num in shares))


def _asked(teacher: Path, notes: Sequence[Note]) -> tuple[list[list[NoteTag]], int]:
    model = find_local_model(str(teacher.resolve()), Path(), MAX_NEW_TOKENS)
    pictures = [_picture(note) for note in notes]
    pages = [true_page(note.interest)[0] for note in notes]
    questions = [
        Question(prompt_for(note.text, page, "chain", has_picture=picture is not None), picture)
        for note, page, picture in zip(notes, pages, pictures, strict=True)
    ]
    replies: dict[int, Any] = {}
    model.ask(questions, replies.__setitem__)
    found, num_unread = list[list[NoteTag]](), 0
    for at, note in enumerate(notes):
        reply, has_picture = replies[at], pictures[at] is not None
        read = parse_reply(
            reply.text,
            note.text.evidence_text(),
            has_picture=has_picture,
            is_truncated=reply.outcome == "truncated",
        )
        num_unread += read.status not in ("ok", "empty")
        found.append(
            [NoteTag(t.dimension, t.value, t.evidence, confidence(t, reply.tokens)) for t in read.tags]
        )
    return found, num_unread


def _picture(note: Note) -> bytes | None:
    if note.picture is None or not note.picture.is_file():
        return None
    return as_png(note.picture.read_bytes())[0]


def true_tags(notes: Sequence[Note], words: Callable[[Note], Iterable[tuple[str, str]]]) -> Told:
    """The truth's tags in some words, by the names of dimensions that the catalogue's pages have."""
    found = [
        [NoteTag(slot_names(note.interest)[slot], value, "", 1.0) for slot, value in words(note)]
        for note in notes
    ]
    return Told(found, 0)


def vocabulary_of(said: Said, encoder: Encoder) -> dict[tuple[str, str], str]:
    """The canonical vocabulary that `build_vocabulary` grows from these notes on a first day."""
    tags = Tags()
    rules = Rules(tags.merge_similarity, tags.review_similarity, tags.min_notes)
    encoders = {"default": encoder}
    return {
        (dimension, row.surface): row.tag
        for dimension, seen in _seen(said).items()
        for row in grown([], seen, rules, lambda words: encoded_by(encoders, words), date(2026, 1, 1))
        if row.status in IN_USE
    }


def _seen(said: Said) -> dict[str, Notes]:
    numbers: dict[str, dict[str, set[int]]] = {}
    for at, tags in enumerate(said):
        for tag in tags:
            numbers.setdefault(surface_of(tag.dimension), {}).setdefault(surface_of(tag.tag), set()).add(at)
    return {d: {s: _array(found) for s, found in seen.items()} for d, seen in numbers.items()}


def _array(numbers: set[int]) -> NDArray[np.int32]:
    return np.array(sorted(numbers), np.int32)


def posting_rows(notes: Sequence[Note], said: Said, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Rows of `tag_postings` for these notes, as `tag_notes` computes them."""
    tags = [canonical(each, vocabulary).tags for each in said]
    rows = [
        (n.note_id, [t.dimension for t in ts], [t.tag for t in ts], [float(t.confidence) for t in ts])
        for n, ts in zip(notes, tags, strict=True)
    ]
    ddl = "note_id string, dimensions array<string>, tags array<string>, confidences array<float>"
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
    }
    spark = SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()
    return [row.asDict() for row in postings(spark.createDataFrame(rows, ddl)).collect()]


def vectors(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float64]:
    """vectors_ND of texts by an encoder, one process a core."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as workers:
        parts = list(
            workers.map(embed_texts, [encoder.folder] * cores, [list(texts[i::cores]) for i in range(cores)])
        )
    found = np.zeros((len(texts), parts[0].shape[1]))
    for i, part in enumerate(parts):
        found[i::cores] = part
    return found
