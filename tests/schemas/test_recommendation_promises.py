"""Each promise of `recommender_metrics` and `recommendations` holds for rows as they should be, and breaks for the one that
is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.recommend_tables import RECOMMENDATIONS, RECOMMENDER_METRICS
from schemas.table import Metric, Table
from schemas.tables import NOTES, SEMANTIC_IDS

Rows = list[dict[str, Any]]
IDS = {"a": "<a_0>", "b": "<a_1>", "c": "<a_2>", "d": "<a_3>"}
COUNTS = {"num_active_users": 2, "num_top": 3, "num_masked": 1}


def listed(
    user_id: str, rank: int, note_id: str, score: float, source: str = "generative", **other: Any
) -> dict[str, Any]:
    row = {
        "user_id": user_id, "rank": rank, "note_id": note_id, "semantic_id": IDS[note_id], "score": score,
        "source": source, "num_history": 1, "recommender": "g1",
    }  # fmt: skip
    return {**row, **other}


def lists() -> Rows:
    """Three notes of four for u1, who has seen one, filled up; popular ones for u2."""
    return [
        listed("u1", 1, "a", -0.5),
        listed("u1", 2, "b", -0.5),
        listed("u1", 3, "c", 9.0, "popular"),
        listed("u2", 1, "a", 9.0, "popular"),
        listed("u2", 2, "b", 9.0, "popular"),
        listed("u2", 3, "c", 0.0, "popular"),
    ]


def figure_row(arm: str, k: int, value: float, metric: str = "hr", **other: Any) -> dict[str, Any]:
    row = {
        "recommender": "g1", "arm": arm, "slice": "all", "metric": metric, "k": k, "value": value,
        "low": value - 0.1, "high": value + 0.1, "num_cases": 10,
    }  # fmt: skip
    return {**row, **other}


def figures() -> Rows:
    """Two floors and a recommender at two lengths."""
    return [
        figure_row(arm, k, value * scale, metric)
        for arm, scale in (("popularity", 0.5), ("markov_knn", 0.8), ("generative", 1.0))
        for metric, values in (("hr", (0.2, 0.4)), ("ndcg", (0.2, 0.3)))
        for k, value in zip((1, 10), values, strict=True)
    ] + [
        figure_row("generative", 1, 1.0, "valid_ids", high=1.0),
        figure_row("generative", 10, 0.5, "valid_ids"),
    ]


def holds(table: Table, name: str, found: Rows, previous: Rows | None = None) -> bool:
    """Whether the promise of that name holds for these rows, beside notes and IDs of the four."""
    metric: Metric = {metric.name: metric for metric in table.metrics}[name]
    with duckdb.connect() as connection:
        for view, rows in (("this", found), ("previous", previous or found)):
            connection.register(view, pa.Table.from_pylist(rows, schema=table.arrow_schema()))
        ids = [{"note_id": n, "semantic_id": i} for n, i in IDS.items()]
        connection.register("semantic_ids", pa.Table.from_pylist(ids, schema=SEMANTIC_IDS.arrow_schema()))
        connection.register("notes", pa.Table.from_pylist(ids[:3], schema=NOTES.arrow_schema()))
        connection.register("counts", pa.Table.from_pylist([COUNTS]))
        row = connection.execute(metric.sql).fetchone()
    assert row is not None
    value = float(row[0])
    return (metric.at_least is None or value >= metric.at_least) and (
        metric.at_most is None or value <= metric.at_most
    )


def changed(rows: Rows, at: int, **other: Any) -> Rows:
    """The rows with one of them otherwise."""
    return [{**row, **other} if number == at else row for number, row in enumerate(rows)]


BROKEN_LISTS = {
    "known_in_notes": changed(lists(), 0, note_id="d", semantic_id=IDS["d"]),
    "known_in_semantic_ids": changed(lists(), 0, note_id="e"),
    "users_without_list": lists()[:3],
    "repeated_notes": changed(lists(), 1, note_id="a"),
    "rank_gaps": changed(lists(), 2, rank=4),
    "unordered_scores": changed(lists(), 1, score=-0.4),
    "scores_not_finite": changed(lists(), 0, score=float("-inf")),
    "short_lists": lists()[:5],
    "other_ids": changed(lists(), 0, semantic_id="<a_1>"),
    "worse_source_first": changed(lists(), 0, source="popular"),
    "sources_without_recommender": changed(lists(), 0, recommender=""),
    "recommenders": changed(lists(), 0, recommender="g2"),
    "users_against_last": [],
}
BROKEN_FIGURES = {
    "figures_without_floor": [row for row in figures() if row["arm"] != "markov_knn"],
    "outside_interval": changed(figures(), 0, low=0.15, value=0.1),
    "falling_figures": changed(figures(), 1, value=0.05),
    "ndcg_above_hit_rate": changed(figures(), 3, value=0.21),
    "uneven_arms": changed(figures(), 0, num_cases=9),
}


def test_every_promise_has_rows_that_break_it() -> None:
    assert set(BROKEN_LISTS) == {metric.name for metric in RECOMMENDATIONS.metrics}
    assert set(BROKEN_FIGURES) == {metric.name for metric in RECOMMENDER_METRICS.metrics}


@pytest.mark.parametrize("name", BROKEN_LISTS)
def test_lists_as_they_should_be_hold_and_others_break(name: str) -> None:
    assert holds(RECOMMENDATIONS, name, lists())
    assert not holds(RECOMMENDATIONS, name, BROKEN_LISTS[name], previous=lists())


@pytest.mark.parametrize("name", BROKEN_FIGURES)
def test_figures_as_they_should_be_hold_and_others_break(name: str) -> None:
    assert holds(RECOMMENDER_METRICS, name, figures())
    assert not holds(RECOMMENDER_METRICS, name, BROKEN_FIGURES[name])


def test_neighbours_beside_a_recommender_break_their_promise() -> None:
    beside = changed(lists(), 0, source="neighbours")
    assert not holds(RECOMMENDATIONS, "sources_without_recommender", beside)
    alone = [{**row, "recommender": "", "source": "neighbours"} for row in lists()]
    assert holds(RECOMMENDATIONS, "sources_without_recommender", alone)


def test_a_list_may_be_as_short_as_the_catalogue_less_what_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "num_top", 20)
    assert holds(RECOMMENDATIONS, "short_lists", lists())  # four notes, one masked
    assert not holds(RECOMMENDATIONS, "short_lists", lists()[:5])


def test_five_times_the_users_of_the_last_partition_hold_and_more_break() -> None:
    def users(count: int) -> Rows:
        return [listed(f"u{number}", 1, "a", 1.0) for number in range(count)]

    assert holds(RECOMMENDATIONS, "users_against_last", users(5), previous=users(1))
    assert not holds(RECOMMENDATIONS, "users_against_last", users(6), previous=users(1))
    assert holds(RECOMMENDATIONS, "users_against_last", users(1), previous=users(5))
    assert not holds(RECOMMENDATIONS, "users_against_last", users(1), previous=users(6))
