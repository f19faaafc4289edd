"""Writes the truth beside a world: what each note and user is, what belongs together, what was put wrong.

Values are in English, whatever the language of the note.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from demo.catalogue import COLOURS, FORMS, LANGUAGES, PATTERNS
from demo.cells import Ids
from demo.dirt import Record, broken_pictures
from demo.interests import INTERESTS, PATHS
from demo.notes import CHUNK, Notes, Small, note_id
from demo.texts import value_word
from demo.users import CHUNK as USERS_CHUNK
from demo.users import Users, user_id
from demo.wording import SLOTS
from demo.world import World

MOST_RELATED = 30  # pairs written for one note; where an interest has more notes, those that share most
_LOOKS = (("colour", COLOURS), ("pattern", PATTERNS), ("form", FORMS))
_NOTE = pa.schema(
    [(name, pa.string()) for name in ("note_id", "interest")]
    + [("category", pa.list_(pa.string()))]
    + [(name, pa.string()) for name in ("product", "shape", "language", *SLOTS, "colour", "pattern", "form")]
    + [(name, pa.list_(pa.string())) for name in ("picture_only", "text_only")]
    + [("text_group", pa.string()), ("picture", pa.string()), ("picture_state", pa.string())]
    + [(name, pa.list_(pa.string())) for name in ("tag_dimensions", "tag_names_en", "tag_names_zh")]
    + [("popularity", pa.float64()), ("is_near_empty", pa.bool_()), ("is_conflicting", pa.bool_())]
)
_USER = pa.schema(
    [("user_id", pa.string()), ("interests", pa.list_(pa.string())), ("weights", pa.list_(pa.float32()))]
    + [(name, pa.string()) for name in ("drift_ds", "colour", "pattern", "language")]
    + [("style_rank", pa.int8()), ("price_rank", pa.int8()), ("is_robot", pa.bool_())]
)
_PAIR = pa.schema(
    [(name, pa.string()) for name in ("note_id", "related_note_id", "interest")] + [("num_shared", pa.int8())]
)
_DIRT = pa.schema([(n, pa.string()) for n in ("kind", "place", "ds", "subject")] + [("num_rows", pa.int64())])


def write_note_truth(world: World, notes: Notes, path: Path) -> None:
    """One row a note, in the order of the notes."""
    broken = broken_pictures(world, notes)
    with pq.ParquetWriter(path, _NOTE, compression="zstd") as writer:
        for start in range(0, len(notes), CHUNK):
            which = range(start, min(start + CHUNK, len(notes)))
            writer.write_table(
                pa.Table.from_pylist([_note_row(notes, i, broken.get(i)) for i in which], _NOTE)
            )


def _note_row(notes: Notes, note: int, broken: str | None) -> dict[str, object]:
    facts, interest = notes.facts(note), INTERESTS[notes.interest[note]]
    slots = dict(zip(SLOTS, facts.values, strict=True))
    looks = {name: values[getattr(notes, name)[note]] for name, values in _LOOKS}
    state = broken or ("fine" if notes.has_picture[note] else "none")
    said = (
        {}
        if notes.is_near_empty[note]
        else {slot: _both(facts.interest, slot, slots[slot]) for slot in facts.stated}
    )
    shown = looks if state == "fine" else {}
    product = {} if notes.is_near_empty[note] else {"product": (interest.names[0][0], interest.names[1][0])}
    tags = product | said | shown
    return {
        "note_id": note_id(note),
        "interest": interest.key,
        "category": list(interest.path),
        "product": interest.names[0][0],
        "shape": interest.shape,
        "language": LANGUAGES[facts.language],
        **{slot: value_word(facts.interest, slot, value, 0) for slot, value in slots.items()},
        **{name: word[0] for name, word in looks.items()},
        "picture_only": list(shown),
        "text_only": list(said),
        "text_group": note_id(int(notes.text_of[note])),
        "picture": notes.picture_name(note) if notes.has_picture[note] else None,
        "picture_state": state,
        "tag_dimensions": list(tags),
        "tag_names_en": [word[0] for word in tags.values()],
        "tag_names_zh": [word[1] for word in tags.values()],
        "popularity": float(notes.popularity[note]),
        "is_near_empty": bool(notes.is_near_empty[note]),
        "is_conflicting": bool(notes.is_conflicting[note]),
    }


def _both(interest: int, slot: str, value: int) -> tuple[str, str]:
    return value_word(interest, slot, value, 0), value_word(interest, slot, value, 1)


def write_user_truth(world: World, users: Users, path: Path) -> None:
    """One row a user; robots have no tastes."""
    with pq.ParquetWriter(path, _USER, compression="zstd") as writer:
        for start in range(0, users.num_people, USERS_CHUNK):
            which = range(start, min(start + USERS_CHUNK, users.num_people))
            writer.write_table(pa.Table.from_pylist([_user_row(world, users, user) for user in which], _USER))
        robots = [
            {"user_id": user_id(user), "is_robot": True} for user in range(users.num_people, users.total)
        ]
        writer.write_table(pa.Table.from_pylist(robots, _USER))


def _user_row(world: World, users: Users, user: int) -> dict[str, object]:
    num_slots = int((users.interests[user] >= 0).sum())
    drift = int(users.drift_day[user])
    return {
        "user_id": user_id(user),
        "interests": [INTERESTS[i].key for i in users.interests[user, :num_slots].tolist()],
        "weights": users.weights[user, :num_slots].tolist(),
        "drift_ds": world.day(drift) if drift >= 0 else None,
        "colour": COLOURS[users.colour[user]][0],
        "pattern": PATTERNS[users.pattern[user]][0],
        "language": LANGUAGES[users.language[user]],
        "style_rank": int(users.style[user]),
        "price_rank": int(users.price[user]),
        "is_robot": False,
    }


def write_pair_truth(notes: Notes, path: Path) -> None:
    """Ordered pairs of notes that serve one interest, at most `MOST_RELATED` a note.

    In an interest with more notes a note is paired with its neighbours in the order of colour, style and
    pattern, so a missing pair is no proof against it there: compare the interests in `note_truth`. Notes that
    no user ever meets (near-empty, conflicting) are left out.
    """
    met = np.flatnonzero(notes.popularity > 0)
    order = met[
        np.lexsort((met, notes.pattern[met], notes.values[met, 0], notes.colour[met], notes.interest[met]))
    ]
    starts = np.searchsorted(notes.interest[order], np.arange(len(INTERESTS) + 1))
    keys = pa.array([interest.key for interest in INTERESTS])
    ids = pa.array([note_id(note) for note in range(len(notes))])
    with pq.ParquetWriter(path, _PAIR, compression="zstd") as writer:
        for start in range(0, len(order), 16 * CHUNK):
            left, right = _neighbours(
                notes, order, starts, np.arange(start, min(start + 16 * CHUNK, len(order)))
            )
            columns = [ids.take(pa.array(left)), ids.take(pa.array(right))]
            columns += [keys.take(pa.array(notes.interest[left])), pa.array(_num_shared(notes, left, right))]
            writer.write_table(pa.table(columns, schema=_PAIR))


def _neighbours(notes: Notes, order: Ids, starts: Ids, at: Ids) -> tuple[Ids, Ids]:
    """The notes at these places of the order, each with its neighbours within the interest, going round."""
    interest = notes.interest[order[at]]
    first, size = starts[interest], starts[interest + 1] - starts[interest]
    steps = np.arange(MOST_RELATED)
    steps = np.where(steps % 2, -(steps // 2) - 1, steps // 2 + 1)  # 1, -1, 2, -2, ...
    place = first[:, None] + (at[:, None] - first[:, None] + steps) % size[:, None]
    is_new = np.arange(MOST_RELATED) < (size - 1)[:, None]
    left = np.broadcast_to(order[at][:, None], place.shape)
    return left[is_new], order[place[is_new]]


def _num_shared(notes: Notes, left: Ids, right: Ids) -> Small:
    """How many attributes two notes share, of style, material, scene, audience, brand, colour and pattern."""
    shared = (notes.values[left] == notes.values[right]).sum(axis=1)
    for values in (notes.brand, notes.colour, notes.pattern):
        shared = shared + (values[left] == values[right])
    return np.asarray(shared, dtype=np.int8)


def write_dirt(record: Record, path: Path) -> None:
    """One line for everything that was put wrong."""
    rows = [dict(zip(_DIRT.names, line, strict=True)) for line in record.lines]
    pq.write_table(pa.Table.from_pylist(rows, _DIRT), path, compression="zstd")


def leaf_of() -> Ids:
    """The number of the category path of every interest."""
    return np.array([PATHS.index(interest.path) for interest in INTERESTS])
