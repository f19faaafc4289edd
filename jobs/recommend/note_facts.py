"""What people read of a few notes: titles, and the first step of the category path."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.lake import Lake
from jobs.recommend.held_out import note_places
from schemas.tables import NOTES


class NoteFacts(NamedTuple):
    """Of notes by their places in the day's trie."""

    titles: dict[int, str]
    categories: dict[int, str]


def note_facts(lake: Lake, day: str, catalogue: CatalogueTrie, places: Collection[int]) -> NoteFacts:
    """Of these notes, as published for the day; of notes without a title the title is their id."""
    import pyarrow.compute as pc

    wanted = sorted(set(places))
    names = note_places(catalogue).take(pa.array(wanted, pa.int64()))
    rows = pq.read_table(
        lake.files(NOTES, day),
        columns=["note_id", "title", "category"],
        filters=pc.field("note_id").isin(names),
    )
    told = {row["note_id"]: row for row in rows.to_pylist()}
    titles, categories = dict[int, str](), dict[int, str]()
    for place, note_id in zip(wanted, names.to_pylist(), strict=True):
        row = told.get(note_id, {})
        titles[place] = " ".join((row.get("title") or f"({note_id})").split())
        categories[place] = (row.get("category") or [""])[0]
    return NoteFacts(titles, categories)
