"""Rows of a published partition of `recommend_instructions`, in the order that lessons are made in, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobs.lake import Lake
from jobs.recommend.examples import Row
from jobs.recommend.settings import SPLIT_NAMES
from models.recommend.prompts import Instruction, Profile
from schemas.recommend_tables import INSTRUCTIONS, SPLITS

COLUMNS = (
    "task", "user_id", "semantic_id", "position", "history_semantic_ids",
    "gender", "age_band", "marital_status", "children", "instruction", "input", "output",
)  # fmt: skip
ROWS_A_BATCH = 8192
ONE_LANGUAGE = (
    "qualify row_number() over (partition by task, user_id, note_id, position order by language) = 1"
)


def instruction_rows(
    lake: Lake, day: str, split: str, part: str, tasks: tuple[str, ...], languages: tuple[str, ...] = ()
) -> Iterator[Row]:
    """The rows of one part (train, valid or test) of a split, by user and position; without users by note.

    Of a row that stands there in several languages one is taken where no `languages` are named.
    """
    if part not in SPLITS:
        raise ValueError(f"there is no part {part!r}: parts are {', '.join(SPLITS)}")
    one = "" if languages else ONE_LANGUAGE
    query = (
        f"select {', '.join(COLUMNS)} from read_parquet($files) where {_split(split)} = $part "
        f"and list_contains($tasks, task) and (len($languages) = 0 or list_contains($languages, language)) {one} "
        "order by task, user_id, position, note_id, language, instruction_id"
    )
    values = {
        "files": lake.files(INSTRUCTIONS, day),
        "part": part,
        "tasks": list(tasks),
        "languages": list(languages),
    }
    for batch in _queried(query, values):
        for found in batch:
            yield Row(
                found["task"],
                found["user_id"],
                found["semantic_id"],
                found["position"],
                found["history_semantic_ids"],
                Profile(found["gender"], found["age_band"], found["marital_status"], found["children"]),
                Instruction(found["instruction"], found["input"], found["output"]),
            )


def training_histories(lake: Lake, day: str, split: str) -> Iterator[list[str]]:
    """The notes of every user up to the last training row, oldest first."""
    query = (
        "select user_id, history_note_ids, note_id from read_parquet($files) "
        f"where {_split(split)} = 'train' and task = 'next_item' {ONE_LANGUAGE} order by user_id, position"
    )
    user, notes = None, list[str]()
    for batch in _queried(query, {"files": lake.files(INSTRUCTIONS, day)}):
        for row in batch:
            if row["user_id"] != user:
                if notes:
                    yield notes
                user, notes = row["user_id"], list(row["history_note_ids"])
            notes.append(row["note_id"])
    if notes:
        yield notes


def training_profiles(lake: Lake, day: str) -> list[Profile]:
    """All profiles that rows have, in order."""
    fields = ", ".join(Profile._fields)
    query = f"select distinct {fields} from read_parquet($files) order by all"
    values = {"files": lake.files(INSTRUCTIONS, day)}
    return [Profile(**found) for batch in _queried(query, values) for found in batch]


def _split(name: str) -> str:
    if name not in SPLIT_NAMES:
        raise ValueError(f"there is no split {name!r}: splits are {', '.join(SPLIT_NAMES)}")
    return name


def _queried(query: str, values: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    import duckdb

    with duckdb.connect() as connection:
        for batch in connection.sql(query, params=values).to_arrow_reader(ROWS_A_BATCH):
            yield batch.to_pylist()
