"""A lake that recommendations can be made in: two days of IDs, tries, pairs and events, and a recommender of the first day.

Users act on notes in a ring (`taught.py`): after n01 and n02 comes n03. Vectors stand in the same ring. On
the second day n00 is withdrawn, n12 is new with an ID of its own, and n13 is new and shares the ID of n05.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.config import load_config
from jobs.ids import build_trie
from jobs.ids.quantizer import IDS_SCHEMA, save_quantizer
from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.recommend import train_recommender
from jobs.staging import Plan, stage_arrow
from models.ids.residual_codes import ResidualTokenizer
from models.ids.text import codes_to_text
from schemas.recommend_tables import RECOMMENDATIONS, USERS, USERS_QUARANTINE
from schemas.tables import EVENTS, EVENTS_QUARANTINE, NOTE_EMBEDDINGS, NOTE_PAIRS, SEMANTIC_IDS
from tests.jobs.lakes import note, publish_notes, stage_rows
from tests.jobs.recommend.taught import CODES, DAY, NOTES, publish_taught, rings, rows_of

D1, D2 = DAY, "2026-03-02"
IDS_2: dict[str, tuple[list[int], int]] = {name: (codes, 0) for name, codes in NOTES.items() if name != "n00"}
IDS_2 |= {"n12": ([3, 3, 3], 0), "n13": (NOTES["n05"], 1)}
SETTINGS = {
    "history": 5,
    "beams": 4,
    "top": 4,
    "epochs": 12,
    "batch_size": 8,
    "learning_rate": 0.003,
    "dropout": 0.1,
    "content": 0,
}
EVENTS_1 = [
    ("u1", "n01", "click", "2026-03-01 10:00:00"),
    ("u1", "n02", "click", "2026-03-01 11:00:00"),
    ("u1", "n02", "like", "2026-03-01 11:01:00"),
    ("u2", "n07", "impression", "2026-03-01 10:00:00"),
    ("u3", "n00", "click", "2026-03-01 10:00:00"),
]
EVENTS_2 = [
    ("u5", "n07", "click", "2026-03-02 10:00:00"),
    ("u5", "n06", "impression", "2026-03-02 10:30:00"),
    ("u5", "n08", "share", "2026-03-02 11:00:00"),
    ("u6", "n08", "click", "2026-03-02 09:00:00"),
]
PAIRS = [
    ("n01", "n03", 0.5),
    ("n02", "n03", 0.5),
    ("n02", "n01", 0.9),
    ("n07", "n09", 2.0),
    ("n08", "n10", 1.0),
]
Rows = list[tuple[str, str, str, str]]


def make_codebooks(lake: Lake) -> None:
    """A quantizer that reads vectors from any codes."""
    books_LKD = np.random.default_rng(0).normal(size=(3, CODES, 2)).astype(np.float32)

    def fill(folder: Path) -> dict[str, Any]:
        save_quantizer(
            folder, "residual_kmeans", ResidualTokenizer(books_LKD), None, IDS_SCHEMA.empty_table(), ""
        )
        return {"settings": {"codes": CODES, "levels": 3, "tokenizer": "residual_kmeans"}}

    Artifacts(lake, "quantizer").write("g1", fill)


def publish_events(lake: Lake, day: str, rows: Rows) -> None:
    """Publish events as `clean_events` would."""
    names = ("user_id", "note_id", "event")
    table = [
        {
            **dict(zip(names, row[:3], strict=True)),
            "ts": datetime.fromisoformat(row[3]).replace(tzinfo=UTC),
            "query": None,
            "is_late": False,
        }
        for row in rows
    ]
    counts = {"num_source": len(rows), "num_cleaned": 0, "num_quarantined": 0}
    stage_rows(lake, EVENTS_QUARANTINE, day, [], counts)
    stage_rows(lake, EVENTS, day, table, counts, salt=str(rows))
    publish(lake, EVENTS, day)


def publish_ids(lake: Lake, day: str, ids: dict[str, tuple[list[int], int]], generation: str = "g1") -> None:
    """Publish IDs as `assign_ids` would, and build their trie."""
    rows = [
        {
            "note_id": note_id,
            "codes": codes,
            "semantic_id": codes_to_text(codes),
            "tie_break": rank,
            "generation": generation,
            "since": date(2026, 3, 1),
        }
        for note_id, (codes, rank) in ids.items()
    ]
    plan = Plan("assign_ids", day, artifacts={"quantizer": generation}, params={"ids": sorted(ids)})
    stage_arrow(lake, SEMANTIC_IDS, plan, pa.Table.from_pylist(rows, schema=SEMANTIC_IDS.arrow_schema()))
    publish(lake, SEMANTIC_IDS, day)
    build_trie.main([f"--config={config_file(lake)}", f"--day={day}"])


def publish_pairs(lake: Lake, day: str, pairs: list[tuple[str, str, float]]) -> None:
    """Publish related notes, ranked as they stand."""
    rows, ranks = [], dict[str, int]()
    for first, second, score in pairs:
        ranks[first] = ranks.get(first, 0) + 1
        rows.append(
            {
                "note_id": first,
                "related_note_id": second,
                "score": score,
                "rank": ranks[first],
                "num_users": 1,
            }
        )
    stage_rows(lake, NOTE_PAIRS, day, rows, salt=str(pairs))
    publish(lake, NOTE_PAIRS, day)


def publish_users(lake: Lake, day: str, rows: list[dict[str, Any]]) -> None:
    """Publish profiles."""
    counts = {"num_source": len(rows), "num_cleaned": 0, "num_quarantined": 0}
    stage_rows(lake, USERS_QUARANTINE, day, [], counts)
    stage_rows(lake, USERS, day, rows, counts)
    publish(lake, USERS, day)


def config_file(lake: Lake, **settings: Any) -> Path:
    """The configuration's file beside the lake; without settings the one that the recommender was trained with."""
    chosen = "".join(f"  {name}: {str(value).lower()}\n" for name, value in {**SETTINGS, **settings}.items())
    file = lake.root.parent / "notemill.yaml"
    (lake.root.parent / "raw").mkdir(exist_ok=True)
    sources = "sources:\n  events: {path: raw}\n"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\n{sources}recommend:\n{chosen}")
    return file


def publish_vectors(lake: Lake, day: str, vectors: dict[str, tuple[list[float], str]], salt: str = "") -> None:
    """Publish embeddings: of every note its vector and the encoder that made it."""
    rows = [
        {"note_id": note_id, "content_hash": "0" * 64, "encoder": encoder, "embedding": vector}
        for note_id, (vector, encoder) in vectors.items()
    ]
    stage_rows(lake, NOTE_EMBEDDINGS, day, rows, salt=salt)
    publish(lake, NOTE_EMBEDDINGS, day)


def on_a_ring(note_ids: Iterable[str]) -> dict[str, tuple[list[float], str]]:
    """Vectors that stand in the ring as the notes do: the nearest of n03 by content are n02 and n04."""
    angles = {name: 2 * np.pi * int(name[1:]) / len(NOTES) for name in note_ids}
    return {name: ([float(np.cos(a)), float(np.sin(a))], "e1") for name, a in angles.items()}


def make_world(home: Path) -> None:
    """Everything, under `home`; nothing is promoted."""
    lake = Lake.open(home / "lake")
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
        make_codebooks(lake)
        publish_taught(lake, rows_of(rings(24, 9)))
        build_trie.main([f"--config={config_file(lake)}", f"--day={D1}"])
        publish_ids(lake, D2, IDS_2)
        for day, ids, events in ((D1, NOTES, EVENTS_1), (D2, IDS_2, EVENTS_2)):
            publish_notes(lake, day, [note(n, f"Title of {n}", category=[f"c{n[1]}"]) for n in ids])
            publish_vectors(lake, day, on_a_ring(ids))
            publish_pairs(lake, day, [pair for pair in PAIRS if pair[0] in ids])
            publish_events(lake, day, events)
        train_recommender.run(load_config(config_file(lake)), D1)


def make_recommender(lake: Lake, name: str, **other: Any) -> None:
    """The trained recommender once more under another name, its manifest otherwise."""
    artifacts = Artifacts(lake, "recommender")
    source = artifacts.folder(generation_of(lake))
    facts = {key: value for key, value in artifacts.manifest(source.name).items() if key != "files"}

    def fill(folder: Path) -> dict[str, Any]:
        for path in source.iterdir():
            if path.name != "manifest.json":
                shutil.copy(path, folder)
        return {**facts, **other}

    artifacts.write(name, fill)


def generation_of(lake: Lake) -> str:
    """The recommender that `make_world` trained."""
    return next(name for name in Artifacts(lake, "recommender").generations() if name.startswith("g"))


def lists_of(lake: Lake, day: str) -> dict[str, list[tuple[str, str]]]:
    """Notes and sources of every user's published list."""
    rows = pq.read_table(lake.files(RECOMMENDATIONS, day)).to_pylist()
    found: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(rows, key=lambda row: (row["user_id"], row["rank"])):
        found.setdefault(row["user_id"], []).append((row["note_id"], row["source"]))
    return found
