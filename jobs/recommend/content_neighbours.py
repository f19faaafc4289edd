"""Which notes of a day read alike: made once for a published partition of `note_embeddings`, and read by every worker.

<lake>/artifacts/content_neighbours/c{hash}/
    content.safetensors   tensors of models/recommend/content.py
    notes.parquet         note_id; row i is the note of item i

It belongs to a day and not to a recommender, so that notes which came after a training have neighbours, and what decoding
is mixed with can be chosen without training anew. Making it holds all vectors of the day (1.5 GB for a million notes of
384 dimensions); what workers read is at most 0.3 GB an encoder.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from jobs.artifact import Artifacts
from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.lake import Lake, LakeError, canonical_json, hold, write_atomically
from jobs.part_files import write_part
from jobs.recommend.settings import Recommend
from jobs.staging import code_hash, file_hash, published_reads
from models.recommend import content
from models.recommend.content import Content
from models.recommend.sequences import PAD
from schemas.tables import NOTE_EMBEDDINGS

KIND = "content_neighbours"
ARRAYS, NOTES_FILE = "content.safetensors", "notes.parquet"
SCHEMA = pa.schema([pa.field("note_id", pa.string(), nullable=False)])
log = logging.getLogger("notemill")


class ContentNotes(NamedTuple):
    """The scorer, and the notes that its items are, in order of note_id."""

    scorer: Content
    note_ids: pa.Array


def content_reads(lake: Lake, day: str, settings: Recommend) -> dict[str, str]:
    """The partition that neighbours by content are made of, for a plan's `reads`; nothing where they have no share.

    Raises `LakeError` where the day has none.
    """
    if not is_heard(settings):
        return {}
    if lake.partition(NOTE_EMBEDDINGS, day) is None:
        raise LakeError(
            f"note_embeddings ds={day} are not published, and recommend.content is {settings.content}: run embed_notes "
            f"--day {day} and publish_table, or set recommend.content: 0, which leaves neighbours by content out"
        )
    return published_reads(lake, [(NOTE_EMBEDDINGS, day)])


def is_heard(settings: Recommend) -> bool:
    """Whether neighbours by content take part in decoding."""
    return settings.content > 0 and settings.guidance < 1


def make_content(lake: Lake, day: str, reads: Mapping[str, str]) -> str:
    """The name of the day's neighbours, made where they are not there yet; empty where a plan reads no embeddings."""
    key, config = f"{NOTE_EMBEDDINGS.name}/ds={day}", content.Config()
    if key not in reads:
        return ""
    identity = {"reads": {key: reads[key]}, "config": asdict(config), "code": code_hash()}
    name = "c" + hashlib.sha256(canonical_json(identity)).hexdigest()[:16]

    def fill(folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        found = fit_content(lake, day, config)
        write_atomically(folder / ARRAYS, save(dict(sorted(found.scorer.tensors().items()))))
        rows = pa.table({"note_id": found.note_ids}, schema=SCHEMA)
        write_part(folder / NOTES_FILE, SCHEMA, rows.to_batches())
        num_notes, seconds = len(found.note_ids), time.monotonic() - started
        log.info("content neighbours %s: of %d notes, %.1f s", name, num_notes, seconds)
        return {"depends_on": identity, "num_notes": num_notes}

    with hold(lake.root / "locks" / f"artifacts.{KIND}"):
        Artifacts(lake, KIND).write(name, fill)
    return name


def fit_content(lake: Lake, day: str, config: content.Config) -> ContentNotes:
    """Neighbours of all the day's notes, within each encoder.

    Raises `LakeError` where an encoder has vectors of several lengths, or one that is no vector of length 1.
    """
    rows = pq.read_table(lake.files(NOTE_EMBEDDINGS, day), columns=["note_id", "encoder", "embedding"])
    note_ids = rows.column("note_id").combine_chunks().sort()
    parts = []
    for encoder in sorted(pc.unique(rows.column("encoder")).to_pylist()):
        of_one = rows.filter(pc.equal(rows.column("encoder"), encoder)).sort_by("note_id")
        item_N = np.asarray(pc.index_in(of_one.column("note_id"), value_set=note_ids)).astype(np.int64)
        try:
            parts.append((content.fit(_vectors(of_one.column("embedding")), config), item_N))
        except ValueError as error:
            raise LakeError(
                f"note_embeddings ds={day}, encoder {encoder}: {error}; embed the day again"
            ) from None
    return ContentNotes(content.joined(parts, len(note_ids), config.decay), note_ids)


def at_places(found: ContentNotes | None, catalogue: CatalogueTrie) -> Content | None:
    """The neighbours among the places of the day's trie."""
    if found is None:
        return None
    place_N = np.asarray(pc.index_in(found.note_ids, value_set=catalogue.note_ids).fill_null(PAD)).astype(
        np.int64
    )
    return content.renumbered(found.scorer, place_N, catalogue.trie.num_notes)


def _vectors(embedding: pa.ChunkedArray) -> content.Vectors:
    dims = pc.unique(pc.list_value_length(embedding)).to_pylist()
    if len(dims) != 1 or not dims[0]:
        raise ValueError(f"vectors have lengths {sorted(map(str, dims))}; those of one encoder have one")
    flat = [np.asarray(chunk.flatten(), dtype=np.float32) for chunk in embedding.chunks]
    return np.concatenate(flat).reshape(-1, dims[0])


def open_content(lake: Lake, name: str) -> ContentNotes | None:
    """The neighbours of that name, None for no name. Raises `LakeError` where a file is not the one that was written."""
    if not name:
        return None
    artifacts = Artifacts(lake, KIND)
    folder = artifacts.folder(name)
    for file, written in artifacts.manifest(name)["files"].items():
        if not (folder / file).exists() or file_hash(folder / file) != written:
            raise LakeError(
                f"{folder / file} is not the file that its manifest names: delete the folder, and run the job again"
            )
    try:
        scorer = content.from_tensors(load((folder / ARRAYS).read_bytes()))
    except (SafetensorError, ValueError) as error:
        raise LakeError(f"{folder / ARRAYS} holds no neighbours: {error}") from None
    return ContentNotes(scorer, pq.read_table(folder / NOTES_FILE).column("note_id").combine_chunks())
