"""Published notes with embeddings that follow from their contents, as the chain before the quantizer leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs.lake import Lake
from jobs.publish_table import publish
from schemas.tables import NOTE_EMBEDDINGS, NOTE_PAIRS, PICTURE_EMBEDDINGS, SEMANTIC_IDS
from tests.jobs.lakes import note, publish_notes, stage_rows

ENCODER = "test-encoder-0"
DIMS = 8


def vector(content: str, dims: int = DIMS) -> list[float]:
    """A vector of length 1."""
    seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8])
    drawn = np.random.default_rng(seed).normal(size=dims)
    return [float(x) for x in drawn / np.linalg.norm(drawn)]


def publish_embeddings(
    lake: Lake, day: str, contents: Mapping[str, str], encoder: str = ENCODER, dims: int = DIMS
) -> dict[str, Any]:
    """Publish notes (id to content) and their embeddings."""
    notes = [note(note_id, content) for note_id, content in contents.items()]
    salt = f"{encoder} {dims} {sorted(contents.items())}"
    publish_notes(lake, day, notes, salt)
    rows = [
        {
            "note_id": row["note_id"],
            "content_hash": row["content_hash"],
            "encoder": encoder,
            "embedding": vector(row["title"], dims),
        }
        for row in notes
    ]
    stage_rows(lake, NOTE_EMBEDDINGS, day, rows, salt=salt)
    return publish(lake, NOTE_EMBEDDINGS, day)


def numbered(first: int, last: int) -> dict[str, str]:
    """Notes n0001, n0002, ... each with a content of its own."""
    return {f"n{i:04d}": f"text {i}" for i in range(first, last + 1)}


def publish_pictures(
    lake: Lake, day: str, shown: Mapping[str, str], encoder: str = "eyes@0", dims: int = 5
) -> None:
    """Publish vectors of the pictures that notes show (note to picture)."""
    hashes = {p: hashlib.sha256(p.encode()).hexdigest() for p in shown.values()}
    rows = [
        {"note_id": n, "picture_hash": hashes[p], "encoder": encoder, "embedding": vector(p, dims)} for n, p in shown.items()
    ]
    stage_rows(lake, PICTURE_EMBEDDINGS, day, rows, salt=f"{sorted(shown.items())} {encoder} {dims}")
    publish(lake, PICTURE_EMBEDDINGS, day)


def publish_pairs(lake: Lake, day: str, pairs: list[tuple[int, int]]) -> None:
    """Publish pairs of numbered notes, all of one score."""
    ranks: dict[int, int] = {}
    rows = []
    for a, b in pairs:
        ranks[a] = ranks.get(a, 0) + 1
        rows.append({"note_id": f"n{a:04d}", "related_note_id": f"n{b:04d}", "score": 1.0, "rank": ranks[a], "num_users": 1})
    stage_rows(lake, NOTE_PAIRS, day, rows, salt=str(pairs))
    publish(lake, NOTE_PAIRS, day)


def published_ids(lake: Lake, day: str) -> dict[str, tuple[Any, ...]]:
    """note_id to (codes, tie_break, generation, since) as published."""
    rows = pq.read_table(lake.files(SEMANTIC_IDS, day)).to_pylist()
    return {r["note_id"]: (tuple(r["codes"]), r["tie_break"], r["generation"], str(r["since"])) for r in rows}
