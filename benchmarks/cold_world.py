"""The cold notes of a generated world, the users who clicked before, and what of the cold notes each of them wants.

A note is cold where it exists at the end of the last known day and nobody clicked it in the log up to then. What a user
wants is what the user clicks of these on the days after, or what the world's truth says of tastes. Robots, notes that no
file knows and the few ids with two contents are left out, as `clean_events` and `clean_notes` see to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from demo.catalogue import CATEGORIES
from demo.interests import INTERESTS
from demo.world import TIME_ZONE
from models.notes.text import language, note_text
from models.tags.chain import folded
from models.tags.prompt import NoteText

HISTORY = 20  # notes of a user, the last clicked
_CLICKS = f"""
with clicks as (
    select user_id, note_id, min(ts) as ts, min(ds) as arrived
    from read_parquet($events, hive_partitioning = true, hive_types = {{ds: date}})
    where event = 'click' and user_id not in (select user_id from read_parquet($users) where is_robot)
    group by all)
select user_id, note_id, arrived <= $day::date as is_known
from clicks
where (ts < ($day::date + 1)::timestamp at time zone '{TIME_ZONE}') = (arrived <= $day::date)
order by user_id, ts desc, note_id
"""


@dataclass(frozen=True)
class Note:
    """One note: what a model reads of it, and the truth."""

    note_id: str
    text: NoteText
    full_text: str
    is_english: bool
    interest: int
    picture: Path | None
    truth: Mapping[str, Any]


@dataclass(frozen=True)
class User:
    """Places of notes: the last clicked ones, and which of the cold ones are clicked later, or fit the tastes."""

    history: tuple[int, ...]
    clicked: frozenset[int]
    fitting: frozenset[int]


@dataclass(frozen=True)
class ColdWorld:
    """Notes that are cold or in a history; `cold` and the users' fields are places in `notes`."""

    notes: Sequence[Note]
    cold: tuple[int, ...]
    users: Sequence[User]


def cold_world(world: Path, day: str) -> ColdWorld:
    """What is cold at the end of a day, and the users with a click before and one on a cold note after it."""
    known, clicks = _notes(world, day), _clicks(world, day)
    clicked = {note for _, note, is_known in clicks if is_known}
    cold = [note_id for note_id in known if note_id not in clicked]
    is_cold = {*cold}
    history: dict[str, list[str]] = {}
    later: dict[str, list[str]] = {}
    for user, note, is_known in clicks:
        if is_known and note in known:
            history.setdefault(user, []).append(note)
        elif not is_known and note in is_cold:
            later.setdefault(user, []).append(note)
    tastes = {row["user_id"]: row for row in pq.read_table(world / "truth/user_truth.parquet").to_pylist()}
    chosen = sorted({*history} & {*later})
    needed = [*cold, *sorted({n for user in chosen for n in history[user][:HISTORY]})]
    place = {note_id: at for at, note_id in enumerate(needed)}
    users = [
        User(
            tuple(place[n] for n in history[user][:HISTORY]),
            frozenset(place[n] for n in later[user]),
            frozenset(place[n] for n in cold if fits(tastes[user], known[n].truth)),
        )
        for user in chosen
    ]
    return ColdWorld([known[n] for n in needed], tuple(range(len(cold))), users)


def fits(taste: Mapping[str, Any], note: Mapping[str, Any]) -> bool:
    """Whether a note is about an interest of the user and has two of the three tastes that move clicks most."""
    matches = sum(note[name] == taste[name] for name in ("colour", "pattern", "style_rank"))
    return note["interest"] in taste["interests"] and matches > 1


def own_words(note: Note) -> list[tuple[str, str]]:
    """The true tags of a note in its own language and words, as a perfect tagger without a dictionary would say them."""
    number = ("en", "zh").index(note.truth["language"])
    names = note.truth["tag_names_zh" if number else "tag_names_en"]
    text = folded(note.text.evidence_text())
    said = [name for name in INTERESTS[note.interest].names[number] if folded(name) in text]
    product = max(said, key=len, default=None)
    tags = dict(zip(note.truth["tag_dimensions"], names, strict=True))
    return [(slot, product or name) if slot == "product" else (slot, name) for slot, name in tags.items()]


def one_name(note: Note) -> list[tuple[str, str]]:
    """The true tags of a note, a thing by the same name whatever the note calls it: what no vocabulary can beat."""
    return list(zip(note.truth["tag_dimensions"], note.truth["tag_names_en"], strict=True))


def _clicks(world: Path, day: str) -> list[tuple[str, str, bool]]:
    """User, note, and whether the log of the day knows it; a user's last clicks first. What comes late is left out."""
    with duckdb.connect() as connection:
        asked = {
            "events": f"{world}/events/*/*.parquet",
            "users": f"{world}/truth/user_truth.parquet",
            "day": day,
        }
        return connection.execute(_CLICKS, asked).fetchall()


def _notes(world: Path, day: str) -> dict[str, Note]:
    """By id, the notes that exist at the end of the day."""
    with duckdb.connect() as connection:
        query = f"""
            select note_id from read_parquet($notes)
            where created_at < ($day::date + 1)::timestamp at time zone '{TIME_ZONE}'"""
        exist = {
            row[0]
            for row in connection.execute(query, {"notes": f"{world}/notes/*.parquet", "day": day}).fetchall()
        }
    rows = {row["note_id"]: row for row in pq.read_table(world / "notes").to_pylist()}
    keys = [interest.key for interest in INTERESTS]
    found = {}
    for truth in pq.read_table(world / "truth/note_truth.parquet").to_pylist():
        if truth["note_id"] not in exist or truth["is_conflicting"]:
            continue
        row = rows[truth["note_id"]]
        text = NoteText(
            row["title"] or "", row["body"] or "", tuple(row["category"]), tuple(row["hashtags"] or [])
        )
        full = note_text(text.title, text.body, text.category, text.hashtags)
        interest = keys.index(truth["interest"])
        picture = world / "images" / truth["picture"] if truth["picture"] else None
        found[truth["note_id"]] = Note(
            truth["note_id"], text, full, language(full) == "en", interest, picture,
            {**truth, "style_rank": _style_rank(interest, truth["style"])},
        )  # fmt: skip
    return found


def _style_rank(interest: int, style: str) -> int:
    styles = CATEGORIES[INTERESTS[interest].category].dimensions[0].values
    return [word[0] for word in styles].index(style)
