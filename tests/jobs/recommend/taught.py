"""Published instructions and IDs of a few notes that users act on in a ring, as the chain before training leaves them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.artifact import Artifacts
from jobs.config import Config, load_config
from jobs.lake import Lake, write_atomically
from jobs.publish_table import publish
from jobs.staging import Plan, stage_arrow
from models.ids.text import codes_to_text
from models.recommend.prompts import Profile, id_to_title, ids_to_title, next_item, title_to_id, titles_to_id
from schemas.recommend_tables import INSTRUCTIONS
from schemas.tables import SEMANTIC_IDS

DAY = "2026-03-01"
CODES = 4
NOTES = {f"n{i:02d}": [i // 4, i % 4, (i * 3) % 4] for i in range(12)}
PROFILES = (Profile("female", "25-34", "married", "yes"), Profile())
Rows = list[dict[str, Any]]


def semantic_id(note_id: str) -> str:
    """Its codes as text."""
    return codes_to_text(NOTES[note_id])


def title(note_id: str) -> str:
    """Its title."""
    return f"note {note_id[1:]} of a tent"


def make_quantizer(lake: Lake, generation: str = "g1", salt: str = "") -> None:
    """A quantizer of which nothing but the manifest is read."""

    def fill(folder: Path) -> dict[str, Any]:
        write_atomically(folder / "config.json", (generation + salt).encode())
        return {"settings": {"codes": CODES, "levels": 3}}

    Artifacts(lake, "quantizer").write(generation, fill)


def rings(num_users: int, length: int) -> dict[str, list[str]]:
    """Users who act on notes in a ring, each from another one on."""
    names = sorted(NOTES)
    return {f"u{u:03d}": [names[(u + step) % len(names)] for step in range(length)] for u in range(num_users)}


def rows_of(histories: dict[str, list[str]], history: int = 5, mixed: bool = False) -> Rows:
    """The rows that `build_instructions` makes of these histories: steps after a first one, one left out, in English."""
    found: Rows = []
    for number, (user, notes) in enumerate(sorted(histories.items())):
        for position, note_id in list(enumerate(notes))[1:]:
            before = notes[max(0, position - history) : position]
            last = len(notes) - 1
            split = "test" if position == last else "valid" if position == last - 1 else "train"
            profile = PROFILES[number % 2]
            ids = [semantic_id(known) for known in before]
            asked = [("next_item", next_item(profile, ids, semantic_id(note_id), "en"))]
            if mixed and split == "train":
                titles = [title(known) for known in before]
                asked.append(("ids_to_title", ids_to_title(profile, ids, title(note_id), "en")))
                asked.append(("titles_to_id", titles_to_id(profile, titles, semantic_id(note_id), "en")))
            found += [
                row_of(task, user, note_id, position, before, split, profile, said) for task, said in asked
            ]
    if mixed:
        for note_id in NOTES:
            told = id_to_title(semantic_id(note_id), title(note_id), "en")
            asked_of = title_to_id(title(note_id), semantic_id(note_id), "en")
            found.append(row_of("id_to_title", None, note_id, 0, [], "train", Profile(), told))
            found.append(row_of("title_to_id", None, note_id, 0, [], "train", Profile(), asked_of))
    return found


def row_of(
    task: str,
    user: str | None,
    note_id: str,
    position: int,
    before: list[str],
    split: str,
    profile: Profile,
    said: Any,
) -> dict[str, Any]:
    """One row of the table."""
    name = f"{task} {user} {note_id} {position}"
    return {
        "instruction_id": hashlib.sha256(name.encode()).hexdigest()[:32],
        "task": task,
        "language": "en",
        "user_id": user,
        "note_id": note_id,
        "semantic_id": semantic_id(note_id),
        "ts": datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=position),
        "position": position,
        "leave_one_out": split,
        "by_date": split,
        "history_note_ids": before,
        "history_semantic_ids": [semantic_id(known) for known in before],
        **profile._asdict(),
        **said._asdict(),
        "generation": "g1",
    }


def publish_taught(lake: Lake, rows: Rows, day: str = DAY) -> None:
    """Publish the notes' IDs and the rows."""
    ids = [
        {
            "note_id": note_id,
            "codes": codes,
            "semantic_id": codes_to_text(codes),
            "tie_break": 0,
            "generation": "g1",
            "since": date(2026, 3, 1),
        }
        for note_id, codes in NOTES.items()
    ]
    for table, content in ((SEMANTIC_IDS, ids), (INSTRUCTIONS, rows)):
        plan = Plan("test", day, artifacts={"quantizer": "g1"})
        stage_arrow(lake, table, plan, pa.Table.from_pylist(content, schema=table.arrow_schema()))
        publish(lake, table, day)


def configured(lake: Lake, **settings: Any) -> Config:
    """A configuration beside the lake; small and quick unless `settings` say otherwise."""
    quick = {"epochs": 2, "batch_size": 8, "learning_rate": 0.003, "dropout": 0.1}
    chosen = {"model": "causal", "history": 5, **quick, **settings}
    lines = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in chosen.items())
    file = lake.root.parent / "notemill.yaml"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\nsources: {{}}\nrecommend:\n{lines}")
    return load_config(file)
