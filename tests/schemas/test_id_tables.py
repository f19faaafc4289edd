"""The promises of the health of IDs, each broken once."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from schemas.id_tables import FIGURES, ID_HEALTH, UNITS
from schemas.tables import SEMANTIC_IDS

IDS = [{"note_id": n, "codes": [0, 1], "generation": "g1"} for n in ("n1", "n2")]
GOOD = [(0, "notes", 2.0), (0, "shared_share", 1.0), (0, "explained_share", -0.5)] + [
    (level, name, 1.0) for level in (1, 2) for name in ("codes_used", "perplexity")
]


def figures(rows: list[tuple[int, str, float]], generation: str = "g1") -> dict[str, float]:
    connection = duckdb.connect()
    values = [
        {"generation": generation, "level": level, "metric": name, "value": value, "unit": FIGURES[name].unit}
        for level, name, value in rows
    ]
    connection.register("this", pa.Table.from_pylist(values, schema=ID_HEALTH.arrow_schema()))
    connection.register("semantic_ids", pa.Table.from_pylist(IDS, schema=SEMANTIC_IDS.arrow_schema()))
    return {metric.name: connection.execute(metric.sql).fetchall()[0][0] for metric in ID_HEALTH.metrics}


def test_all_promises_hold_for_figures_that_fit_the_ids() -> None:
    assert set(figures(GOOD).values()) == {0}


@pytest.mark.parametrize(
    ("extra", "broken"),
    [
        ([(0, "ids", -1.0)], "impossible_values"),
        ([(0, "gini_of_ids", 1.1)], "impossible_values"),
        ([(0, "explained_share", float("nan"))], "impossible_values"),
        ([(1, "entropy", float("inf"))], "impossible_values"),
        ([(3, "perplexity", 1.0)], "levels_without_perplexity"),
        ([(3, "perplexity", 2.0), (3, "codes_used", 1.0)], "perplexity_above_codes"),
    ],
)
def test_figures_that_cannot_be_break_a_promise(extra: list[tuple[int, str, float]], broken: str) -> None:
    assert figures(GOOD + extra)[broken] != 0


def test_figures_of_other_notes_or_of_another_generation_break_a_promise() -> None:
    assert figures([(0, "notes", 1.0)])["notes_uncounted"] == 1
    assert figures(GOOD, "g2")["foreign_generations"] == len(GOOD)


def test_every_figure_says_what_it_means() -> None:
    assert [name for name, figure in FIGURES.items() if len(figure.meaning) < 10] == []
    assert {figure.unit for figure in FIGURES.values()} == set(UNITS)
