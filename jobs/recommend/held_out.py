"""What a recommender is judged on: held-out answers of a published `recommend_instructions`, and the training before them.

Notes are numbered by their places in the day's trie, so that those that share an ID stand in a row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.lake import Lake, LakeError
from jobs.recommend.instruction_rows import training_histories
from jobs.recommend.settings import SPLIT_NAMES
from models.recommend.prompts import Profile
from models.recommend.sequences import PAD, Cases, Items, Sequences
from schemas.recommend_tables import INSTRUCTIONS, SPLITS


class HeldOut(NamedTuple):
    """Q answers of users in order of the hash of their id. `histories` are IDs as text, `user_Q` says whose case it is."""

    cases: Cases
    user_Q: Items
    user_ids: list[str]
    profiles: list[Profile]
    histories: list[list[str]]


def held_out(
    lake: Lake, day: str, catalogue: CatalogueTrie, *, split: str, part: str, max_users: int, length: int
) -> HeldOut:
    """The answers of at most `max_users` users, a language each, with the `length` latest notes before them.

    Raises `LakeError` where a split has no such answers, or histories name notes without an ID.
    """
    _require_split(split, part)
    profile = ", ".join(Profile._fields)
    query = f"""
        with cases as (
            select user_id, position, note_id, history_note_ids, history_semantic_ids, {profile} from read_parquet($files)
            where task = 'next_item' and {split} = $part
            qualify row_number() over (partition by user_id, position order by language) = 1),
        chosen as (select user_id from cases group by user_id order by md5(user_id), user_id limit $users)
        select * from cases semi join chosen using (user_id) order by md5(user_id), user_id, position"""
    rows = _queried(query, {"files": lake.files(INSTRUCTIONS, day), "part": part, "users": max_users})
    if not len(rows):
        raise LakeError(
            f"recommend_instructions ds={day} hold no {part} answers of split {split}: a user needs three notes (leave one "
            "out), or the window days enough (recommend.holdout_days)"
        )
    places = note_places(catalogue)
    lists = rows.column("history_note_ids").combine_chunks()
    cases = Cases(_padded(lists, places, length, day), _items(rows.column("note_id"), places))
    user_ids = rows.column("user_id").to_pylist()
    profiles = [Profile(**found) for found in rows.select(list(Profile._fields)).to_pylist()]
    histories = [
        found[-length:] if length else [] for found in rows.column("history_semantic_ids").to_pylist()
    ]
    return HeldOut(cases, _numbered(user_ids), user_ids, profiles, histories)


def training_sequences(lake: Lake, day: str, catalogue: CatalogueTrie, split: str) -> Sequences:
    """What users did before all that is held out: the same that the recommender's collaborative scorer counts."""
    told = list(training_histories(lake, day, split))
    lengths_U = np.array([len(notes) for notes in told], dtype=np.int64)
    item_M = _items(pa.array([note for notes in told for note in notes], pa.string()), note_places(catalogue))
    user_M = np.repeat(np.arange(len(told)), lengths_U)[item_M != PAD]
    indptr_U1 = np.concatenate([[0], np.cumsum(np.bincount(user_M, minlength=len(told)))])
    return Sequences(indptr_U1.astype(np.int64), item_M[item_M != PAD])


def note_places(catalogue: CatalogueTrie) -> pa.Array:
    """The note at every place of the trie: what `_items` looks notes up in."""
    return pa.concat_arrays(catalogue.note_ids.chunks or [pa.array([], pa.string())])


def _items(note_ids: pa.ChunkedArray | pa.Array, places: pa.Array) -> Items:
    found = pc.index_in(note_ids, value_set=places).fill_null(PAD)
    return np.asarray(found).astype(np.int64)


def _padded(lists: pa.ListArray, places: pa.Array, length: int, day: str) -> Items:
    """history_QT: the last `length` items of each list, -1 before them."""
    item_M, stop_Q = _items(lists.flatten(), places), np.cumsum(np.asarray(pc.list_value_length(lists)))
    if (item_M == PAD).any():
        raise LakeError(
            f"recommend_instructions ds={day} name notes that semantic_ids of the day have not: run build_instructions again"
        )
    from_Q = np.maximum(stop_Q - length, np.concatenate([[0], stop_Q[:-1]]))
    at_QT = stop_Q[:, None] - length + np.arange(length)
    known_M1 = np.append(item_M, PAD)
    return np.where(at_QT >= from_Q[:, None], known_M1[at_QT.clip(min=0)], PAD)


def _numbered(user_ids: list[str]) -> Items:
    return np.unique(np.array(user_ids, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def _require_split(split: str, part: str) -> None:
    if split not in SPLIT_NAMES or part not in SPLITS:
        raise ValueError(f"there is no split {split!r} with a part {part!r}")


def _queried(query: str, values: dict[str, Any]) -> pa.Table:
    import duckdb

    with duckdb.connect() as connection:
        return connection.sql(query, params=values).to_arrow_table()
