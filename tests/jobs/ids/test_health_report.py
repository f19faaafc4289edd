"""What the report says in words, and how its plots are drawn."""

from __future__ import annotations

import re

import numpy as np

from jobs.ids.health_groups import Card, Collision
from jobs.ids.health_plots import Bar, grouped_bars, meter, usage_curve
from jobs.ids.health_report import Report, Since, figures_of, remarks, rows_of
from models.ids.churn import Churn
from models.ids.health import health
from models.ids.prefixes import Sharing
from schemas.id_tables import FIGURES


def report(codes: list[list[int]], num_codes: int = 2) -> Report:
    rows = np.array(codes)
    return Report("mine", "g-one", [num_codes] * rows.shape[1], health(rows, num_codes))


EVEN = [[a, b] for a in (0, 1) for b in (0, 1)] * 2  # 8 notes, every ID twice


def test_even_ids_of_their_own_leave_nothing_to_remark() -> None:
    assert remarks(report([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])) == []


def test_dead_and_crowded_codes_are_remarked_where_there_are_notes_enough() -> None:
    said = remarks(report([[0, code] for code in (0, 1)] * 4))
    assert said[0] == "Level a: 1 of 2 codes have no note."
    assert said[1] == "Level a: notes crowd in few codes; perplexity 1 of 2."


def test_a_level_that_follows_from_those_before_it_is_remarked() -> None:
    said = remarks(report([[0, 1], [1, 0]] * 2))
    assert said[0] == "Level b adds 0.0 bits where 1.0 were to be had: the codes before it say most of it already."


def test_what_shares_its_id_for_want_of_a_finer_quantizer_is_remarked() -> None:
    assert remarks(report(EVEN)) == ["100.0% of notes share their codes with other texts: a finer quantizer separates them."]


def test_a_category_that_joins_more_than_the_codes_is_remarked_with_both_lifts() -> None:
    own = report([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    found = own._replace(prefixes=(Sharing(0.1, 0.01),), categories=(Sharing(0.3, 0.1),))
    assert remarks(found) == [
        "The category path joins more of what is clicked together than the codes do: 30.0% against 10.0% at depth 1 "
        "(3.0 times chance against 10.0 times)."
    ]
    assert remarks(own._replace(prefixes=(Sharing(0.3, 0.1),), categories=(Sharing(0.3, 0.1),))) == []


def test_codes_that_explain_less_than_the_mean_are_remarked() -> None:
    own = report([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    assert remarks(own._replace(explained=-0.2)) == [
        "The codes explain less of the vectors than their mean does: is this the tokenizer of these vectors?"
    ]


def test_every_figure_is_declared_and_each_declared_one_is_made() -> None:
    sharing, since = (Sharing(0.5, 0.1),), Since("2026-03-01", "g-old", Churn(1, 1, 1, 0.0, (0.0,)))
    whole = report(EVEN)._replace(
        prefixes=sharing, categories=sharing, clicked_cap=0.5, explained=0.5, since=since
    )
    assert {name for _, name, _ in figures_of(whole)} == set(FIGURES)
    assert len(rows_of(whole)) == len({(level, name) for level, name, _ in figures_of(whole)})


def test_why_notes_share_an_id_is_told_from_their_texts_and_vectors() -> None:
    def why(num_texts: int, closeness: float | None) -> str:
        return Collision("<a_1>", 2, num_texts, closeness, [Card("n1", "", "", "")]).why

    assert "the same text word for word" in why(1, 1.0)
    assert why(2, None) == "2 different texts"
    assert "variants of one thing" in why(2, 0.95)
    assert "a finer quantizer separates them" in why(2, 0.8)
    assert "far too coarse" in why(2, 0.79)


def test_bars_are_as_high_as_their_values_and_names_are_escaped() -> None:
    svg = grouped_bars([("<i>", [Bar(1.0, "1", "ours", "a & b"), Bar(0.5, "½", "faint", "")])])
    high = [float(h) for h in re.findall(r'height="([\d.]+)" rx', svg)]
    assert high[0] == 2 * high[1]
    assert "&lt;i&gt;" in svg
    assert "a &amp; b" in svg
    assert grouped_bars([]).startswith("<svg")
    assert 'height="0.6"' in grouped_bars([("none", [Bar(0.0, "0", "ours", "")])])


def test_a_curve_of_many_codes_is_no_wider_than_its_plot() -> None:
    assert usage_curve(np.arange(5000), "many").count("h0.") + usage_curve(np.arange(5000), "many").count("h1.") <= 400
    assert "fullest" in usage_curve(np.zeros(4, dtype=np.int64), "no notes")


def test_a_meter_stacks_its_pieces() -> None:
    svg = meter([(1.0, "ours", "one"), (1.0, "control", "two")], 4.0)
    assert re.findall(r'x="([\d.]+)" y="0" width="([\d.]+)"', svg) == [("0.00", "25.00"), ("25.00", "25.00")]
    assert meter([(0.0, "ours", "")], 0.0).startswith("<svg")
