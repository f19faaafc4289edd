"""Grades notes for every query by rule: the truth that a relevance model is measured on.

Sub-judgements: the category matches wholly (2, same interest), nearly (1, same category path) or not (0); the
asked attribute matches; the asked brand matches (null where none is asked). An attribute that the text leaves
out, or that a broken picture hides, does not match: no judge could see it. Grades:

| category | nothing asked, or all that is asked matches | attribute does not match | brand does not match |
|---|---|---|---|
| 2 | 3 | 2 | 1 |
| 1 | 1 | 0 | 0 |
| 0 | 0 | 0 | 0 |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from demo.catalogue import LANGUAGES
from demo.cells import Ids
from demo.dirt import broken_pictures
from demo.interests import INTERESTS
from demo.notes import Flags, Notes, note_id
from demo.queries import ASPECTS, Queries
from demo.truth import leaf_of
from demo.wording import SLOTS
from demo.world import World, rng_for

_SAME, _NEAR, _ANY = 12, 5, 4  # notes judged for a query: of the interest, of its category path, of all
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("query", "language", "interest", "asked", "note_id")]
    + [("grade", pa.int8()), ("category_match", pa.int8())]
    + [("attribute_match", pa.bool_()), ("brand_match", pa.bool_())]
)


def write_relevance_truth(world: World, notes: Notes, queries: Queries, path: Path) -> None:
    """Graded notes for every query, the query's own interest first."""
    rng, judged = rng_for(world.seed, "truth", 0), _Judged(world, notes)
    found = [judged.candidates(int(interest), rng) for interest in queries.interest]
    query = np.repeat(np.arange(len(found)), [len(notes) for notes in found])
    note = np.concatenate(found)
    category = judged.category_match(queries.interest[query].astype(np.int64), note)
    asked, fits = queries.aspect[query], judged.fits(queries, query, note)
    asks_brand = asked == ASPECTS.index("brand")
    asks_attribute = (asked > 0) & ~asks_brand
    grade = np.select([category == 2, category == 1], [3 - ~fits * (1 + asks_brand), fits * 1], 0)
    columns = [
        pa.array(queries.text).take(pa.array(query)),
        pa.array(LANGUAGES).take(pa.array(queries.language[query])),
        pa.array([interest.key for interest in INTERESTS]).take(pa.array(queries.interest[query])),
        pa.array(ASPECTS).take(pa.array(asked)),
        pa.array([note_id(i) for i in note.tolist()], pa.string()),
        pa.array(grade.astype(np.int8)),
        pa.array(category.astype(np.int8)),
        pa.array(fits, mask=~asks_attribute),
        pa.array(fits, mask=~asks_brand),
    ]
    pq.write_table(pa.table(columns, schema=_SCHEMA), path, compression="zstd")


class _Judged:
    """The notes that can be judged, grouped by interest."""

    def __init__(self, world: World, notes: Notes) -> None:
        self.notes, self.leaf = notes, leaf_of()
        self.met = np.flatnonzero(notes.popularity > 0)
        self.by_interest = [self.met[notes.interest[self.met] == i] for i in range(len(INTERESTS))]
        self.is_visible = notes.has_picture.copy()
        self.is_visible[list(broken_pictures(world, notes))] = False

    def candidates(self, interest: int, rng: np.random.Generator) -> Ids:
        """Notes to judge for a query about an interest, none twice."""
        near = [i for i in range(len(INTERESTS)) if self.leaf[i] == self.leaf[interest] and i != interest]
        parts = [
            _some(self.by_interest[interest], _SAME, rng),
            _some(np.concatenate([self.by_interest[i] for i in near]), _NEAR, rng),
            _some(self.met, _ANY, rng),
        ]
        return np.array(list(dict.fromkeys(np.concatenate(parts).tolist())), dtype=np.int64)

    def category_match(self, interest: Ids, note: Ids) -> Ids:
        """2 for the same interest, 1 for the same category path, else 0."""
        own = self.notes.interest[note]
        return np.asarray((self.leaf[own] == self.leaf[interest]) * 1 + (own == interest))

    def fits(self, queries: Queries, query: Ids, note: Ids) -> Flags:
        """Whether the note visibly has what the query asks for; true where it asks for nothing."""
        asked, value, notes = queries.aspect[query], queries.value[query], self.notes
        fits = asked == 0
        for slot, values in (
            *((s, notes.values[:, i]) for i, s in enumerate(SLOTS[:4])),
            ("brand", notes.brand),
        ):
            stated = notes.mentions[note, SLOTS.index(slot)]
            fits |= (asked == ASPECTS.index(slot)) & (values[note] == value) & stated
        shown = (notes.colour[note] == value) & self.is_visible[note]
        return np.asarray(fits | ((asked == ASPECTS.index("colour")) & shown))


def _some(notes: Ids, most: int, rng: np.random.Generator) -> Ids:
    """At most so many of these notes, none twice where there are few, and quickly where there are many."""
    if len(notes) <= most:
        return notes
    return notes[rng.choice(len(notes), most, replace=False, shuffle=False)]
