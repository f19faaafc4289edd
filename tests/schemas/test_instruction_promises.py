"""Each promise of `recommend_instructions` holds for rows as they should be, and breaks for the one that is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.recommend_tables import INSTRUCTIONS
from schemas.table import Metric
from schemas.tables import NOTES, SEMANTIC_IDS

IDS = {"a": "<a_0><b_0>", "b": "<a_0><b_1>", "c": "<a_1><b_0>", "d": "<a_1><b_1>"}
METRICS = {metric.name: metric for metric in INSTRUCTIONS.metrics}


def asked(
    position: int, note_id: str, history: str, splits: str, task: str = "next_item", **other: Any
) -> dict[str, Any]:
    """A row of u1, who acted on a, b, c, d, one a day."""
    leave_one_out, by_date = splits.split()
    ids = [IDS[n] for n in history]
    names_title = task in ("id_to_title", "ids_to_title")
    row = {
        "instruction_id": f"{position}{task}{note_id}",
        "task": task,
        "language": "en",
        "user_id": "u1",
        "note_id": note_id,
        "semantic_id": IDS[note_id],
        "ts": datetime(2026, 1, 1 + position, tzinfo=UTC),
        "position": position,
        "leave_one_out": leave_one_out,
        "by_date": by_date,
        "history_note_ids": list(history),
        "history_semantic_ids": ids,
        **dict.fromkeys(("gender", "age_band", "marital_status", "children"), "unknown"),
        "instruction": "What comes next?",
        "input": "".join(ids) if task in ("next_item", "ids_to_title") else "titles",
        "output": "A title" if names_title else IDS[note_id],
        "generation": "g0",
    }
    return {**row, **other}


def rows() -> list[dict[str, Any]]:
    """As they should be: three steps, the last in two tasks more, and a note by its two names."""
    return [
        asked(1, "b", "a", "train train"),
        asked(2, "c", "ab", "valid valid"),
        asked(3, "d", "bc", "test test"),
        asked(3, "d", "bc", "test test", "ids_to_title"),
        asked(3, "d", "bc", "test test", "titles_to_id"),
        asked(0, "a", "", "train train", "id_to_title", user_id=None, input=IDS["a"]),
        asked(0, "a", "", "train train", "title_to_id", user_id=None),
    ]


def figure(metric: Metric, found: list[dict[str, Any]]) -> float:
    """The metric of these rows, beside notes and IDs of the four."""
    with duckdb.connect() as connection:
        connection.register("this", pa.Table.from_pylist(found, schema=INSTRUCTIONS.arrow_schema()))
        ids = [{"note_id": n, "semantic_id": i, "generation": "g0"} for n, i in IDS.items()]
        connection.register("semantic_ids", pa.Table.from_pylist(ids, schema=SEMANTIC_IDS.arrow_schema()))
        notes = [{"note_id": n} for n in IDS]
        connection.register("notes", pa.Table.from_pylist(notes, schema=NOTES.arrow_schema()))
        row = connection.execute(metric.sql).fetchone()
    assert row is not None
    return float(row[0])


def holds(metric: Metric, found: list[dict[str, Any]]) -> bool:
    value = figure(metric, found)
    return (metric.at_least is None or value >= metric.at_least) and (
        metric.at_most is None or value <= metric.at_most
    )


@pytest.mark.parametrize("name", METRICS)
def test_rows_as_they_should_be_keep_every_promise(name: str) -> None:
    assert holds(METRICS[name], rows())


BREAKING: list[tuple[str, int, dict[str, Any]]] = [
    (
        "longer_than_what_came_before",
        0,
        {"history_note_ids": ["a", "d"], "history_semantic_ids": [IDS["a"], IDS["d"]]},
    ),
    ("longer_than_what_came_before", 0, {"history_note_ids": [], "history_semantic_ids": []}),
    ("broken_histories", 1, {"history_note_ids": ["b", "a"]}),  # ends with a, but b came before
    ("broken_histories", 1, {"history_note_ids": ["a", "c"]}),  # the answer itself
    (
        "broken_histories",
        1,
        {"ts": datetime(2026, 1, 2, tzinfo=UTC), "note_id": "a"},
    ),  # a tie of a smaller id
    ("uneven_histories", 1, {"history_semantic_ids": [IDS["a"]]}),
    ("without_asker", 0, {"user_id": None}),
    ("without_asker", 5, {"user_id": "u1"}),
    ("generations", 0, {"generation": "g1"}),
    ("foreign_ids", 0, {"semantic_id": IDS["c"]}),
    ("foreign_ids", 0, {"generation": "g1"}),
    ("foreign_histories", 0, {"history_semantic_ids": [IDS["b"]]}),
    ("foreign_histories", 0, {"history_note_ids": ["gone"]}),
    ("forged_ids", 0, {"input": IDS["a"] + "<a_9>"}),
    ("forged_ids", 0, {"output": IDS["b"] + IDS["c"]}),
    ("forged_ids", 3, {"output": "A title <a_1>"}),
    ("forged_ids", 4, {"input": "titles <a_1><b_1>"}),
    ("forged_ids", 5, {"input": "the ID is not there"}),
    ("forged_ids", 6, {"input": "</s>"}),
    ("broken_lines", 4, {"input": "one\ntwo"}),
    ("broken_lines", 3, {"output": ""}),
    ("users_of_other_splits", 0, {"leave_one_out": "valid"}),
    ("users_of_other_splits", 1, {"leave_one_out": "train"}),
    ("users_of_other_splits", 0, {"leave_one_out": "test"}),
    ("training_after_test", 0, {"ts": datetime(2026, 1, 3, tzinfo=UTC)}),  # as late as the first valid one
    ("training_after_test", 1, {"ts": datetime(2026, 1, 4, tzinfo=UTC)}),
    ("training_after_test", 6, {"ts": datetime(2026, 1, 5, tzinfo=UTC)}),
    ("known_in_notes", 0, {"note_id": "gone"}),
]


@pytest.mark.parametrize(("name", "row", "change"), BREAKING)
def test_one_row_that_is_not_as_it_should_be_breaks_its_promise(
    name: str, row: int, change: dict[str, Any]
) -> None:
    found = rows()
    found[row] = {**found[row], **change}
    assert not holds(METRICS[name], found)


def test_no_question_for_the_next_note_is_no_lesson() -> None:
    assert not holds(METRICS["next_items"], rows()[3:])
    assert {name for name, _, _ in BREAKING} | {"next_items"} == set(METRICS)


def test_a_user_without_a_test_step_is_found() -> None:
    assert not holds(METRICS["users_of_other_splits"], rows()[:2])
