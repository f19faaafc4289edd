"""The notes of a world: first as arrays of attributes, then as the file that a user would bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from demo.catalogue import COLOURS, FORMS, NUM_VALUES, PATTERNS, PRICES
from demo.interests import INTERESTS
from demo.texts import Facts, note_text
from demo.wording import SLOTS
from demo.world import DAY_US, World, log, rng_for
from schemas.tables import RAW_NOTES

Small = npt.NDArray[np.int8]
Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CHUNK = 4096  # notes written at a time; notes that share their text lie in one chunk
NUM_DRAWS = 32  # random numbers behind one text
_OLD_SHARE = 0.65  # of the notes exist before the first day
_DUPLICATE_SHARE, _EMPTY_SHARE, _CONFLICT_SHARE = 0.06, 0.01, 0.004
_ZIPF = 0.8  # popularity of the note at rank r is r ** -_ZIPF


@dataclass(frozen=True)
class Notes:
    """One entry a note in every array; attributes are indices into the values of `demo.catalogue`."""

    interest: npt.NDArray[np.int16]
    values: Small  # (notes, 4): style, material, scene, audience
    price: Small
    brand: Small
    colour: Small
    pattern: Small
    form: Small
    language: Small
    mentions: Flags  # (notes, len(SLOTS)): which attributes the text states
    created_us: Ids
    popularity: npt.NDArray[np.float64]  # 0 where no user ever meets the note
    text_of: Ids  # the note whose text it has, itself as a rule
    is_near_empty: Flags
    is_conflicting: Flags
    has_picture: Flags
    author: Ids

    def __len__(self) -> int:
        """How many notes there are."""
        return len(self.interest)

    def picture_name(self, note: int) -> str:
        """The file of a note's picture; one in three is a JPEG."""
        return f"{note_id(note)}.{'jpg' if note % 3 == 0 else 'png'}"

    def facts(self, note: int) -> Facts:
        """What the text of the note is made from."""
        values = (*self.values[note].tolist(), int(self.price[note]), int(self.brand[note]))
        stated = tuple(slot for slot, is_stated in zip(SLOTS, self.mentions[note], strict=True) if is_stated)
        return Facts(int(self.interest[note]), int(self.language[note]), values, stated)


def note_id(note: int) -> str:
    """The opaque id of a note."""
    return f"n{note:08d}"


def interest_weights(seed: int) -> npt.NDArray[np.float64]:
    """How much of the world is about each interest: Zipf with exponent 0.5 in a shuffled order; sums to 1."""
    ranks = rng_for(seed, "notes", 0).permutation(len(INTERESTS)) + 1
    weights = ranks**-0.5
    return np.asarray(weights / weights.sum())


def draw_notes(world: World) -> Notes:
    """All the attributes of all the notes; texts come later, chunk by chunk."""
    rng, count = rng_for(world.seed, "notes", 1), world.notes

    def pick(values: int, *more: int) -> Small:
        return rng.integers(0, values, (count, *more), dtype=np.int8)

    interest = rng.choice(len(INTERESTS), count, p=interest_weights(world.seed)).astype(np.int16)
    values, price, brand = pick(NUM_VALUES, 4), pick(len(PRICES)), pick(NUM_VALUES)
    colour, pattern, form = pick(len(COLOURS)), pick(len(PATTERNS)), pick(len(FORMS))
    language = (rng.random(count) < 0.55).astype(np.int8)
    # One author in four is brief and leaves most things unsaid.
    mentions = rng.random((count, len(SLOTS))) < np.where(rng.random((count, 1)) < 0.25, 0.4, 0.9)
    created = _created(world, rng)
    popularity = np.asarray((rng.permutation(count) + 1.0) ** -_ZIPF, dtype=np.float64)
    author = rng.integers(0, max(1, count // 6), count)
    is_near_empty, is_conflicting, text_of = _oddities(world)
    popularity[is_near_empty | is_conflicting] = 0.0
    mentions[is_near_empty] = False
    for told in (interest, values, price, brand, language, mentions):
        told[:] = told[text_of]
    return Notes(
        interest, values, price, brand, colour, pattern, form, language, mentions, created, popularity,
        text_of, is_near_empty, is_conflicting, np.arange(count) < world.pictures, author,
    )  # fmt: skip


def _created(world: World, rng: np.random.Generator) -> Ids:
    """When notes were published: most before the first day (exponential age), the others during the days."""
    age_days = np.minimum(rng.exponential(45.0, world.notes), 400.0) + 0.01
    during = rng.random(world.notes) * world.days
    offset_days = np.where(rng.random(world.notes) < _OLD_SHARE, -age_days, during)
    return world.start_us + (offset_days * DAY_US).astype(np.int64)


def _oddities(world: World) -> tuple[Flags, Flags, Ids]:
    """Which notes are near-empty, which come twice, whose text each has: the three exclude each other."""
    rng, count = rng_for(world.seed, "dirt", 0), world.notes
    roles = rng.permutation(count)
    num_empty, num_conflicting = max(1, int(count * _EMPTY_SHARE)), max(1, int(count * _CONFLICT_SHARE))
    empty, conflicting, copies = np.split(
        roles[: num_empty + num_conflicting + max(1, int(count * _DUPLICATE_SHARE))],
        [num_empty, num_empty + num_conflicting],
    )
    is_ordinary = np.ones(count, dtype=bool)
    is_ordinary[np.concatenate([empty, conflicting, copies])] = False
    text_of = np.arange(count)
    for start in range(0, count, CHUNK):
        sources = np.flatnonzero(is_ordinary[start : start + CHUNK]) + start
        here = np.sort(copies[(copies >= start) & (copies < start + CHUNK)])
        if len(sources):
            text_of[here] = rng.choice(sources, len(here))
    flags = np.zeros((2, count), dtype=bool)
    flags[0, empty], flags[1, conflicting] = True, True
    return flags[0], flags[1], text_of


def write_notes(world: World, notes: Notes, folder: Path) -> None:
    """Write the notes as one Parquet file; the second, differing copies of conflicting ids come last."""
    folder.mkdir(parents=True)
    with pq.ParquetWriter(
        folder / "part-00000.parquet", RAW_NOTES.arrow_schema(), compression="zstd"
    ) as writer:
        for start in range(0, len(notes), CHUNK):
            writer.write_table(
                _chunk(world, notes, np.arange(start, min(start + CHUNK, len(notes))), version=0)
            )
            if start and start % (25 * CHUNK) == 0:
                log(f"notes: {start:,} of {len(notes):,}")
        writer.write_table(_chunk(world, notes, np.flatnonzero(notes.is_conflicting), version=1))


def _chunk(world: World, notes: Notes, which: Ids, version: int) -> pa.Table:
    """The rows of these notes; another `version` says the same things in other words."""
    number = int(which[0]) // CHUNK
    rng = rng_for(world.seed, "texts", version, number)
    rows = notes.text_of[which] if version else notes.text_of[which] - number * CHUNK
    draws = rng.integers(0, 2**30, (CHUNK if not version else len(which), NUM_DRAWS))
    draws = draws[rows] if not version else draws
    texts = [
        note_text(notes.facts(note), drawn, is_near_empty=bool(notes.is_near_empty[note]))
        for note, drawn in zip(which.tolist(), draws.tolist(), strict=True)
    ]
    columns = [
        [note_id(note) for note in which.tolist()],
        [text.title for text in texts],
        [text.body for text in texts],
        [list(INTERESTS[i].path) for i in notes.interest[which].tolist()],
        [text.hashtags for text in texts],
        [[notes.picture_name(note)] if notes.has_picture[note] else [] for note in which.tolist()],
        [f"a{author:07d}" for author in notes.author[which].tolist()],
        notes.created_us[which],
    ]
    schema = RAW_NOTES.arrow_schema()
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)
