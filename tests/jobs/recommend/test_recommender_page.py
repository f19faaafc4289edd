"""The page of an evaluation: what stands out is told, what comes from others is text, and nothing is fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from jobs.recommend.recommender_page import recommender_page
from jobs.recommend.recommender_plots import Line, Ranged, grouped_bars, interval_bars, line_plot
from tests.jobs.recommend.judged import facts

HOSTILE = "</td><img src=x onerror=alert(1)>\u202e & more"
VOID = {"meta", "img", "li", "td", "th", "tr"}  # that may stay open


def test_every_arm_stands_with_its_figure_and_interval() -> None:
    text = recommender_page(facts())
    assert "generative, mixed: 0.1220, 95 % interval 0.1098 to 0.1342" in text
    for words in ("popularity", "item kNN", "Markov + kNN", "SASRec", "free, grounded"):
        assert f">{words}</text>" in text


def test_what_keeps_a_recommender_from_promotion_stands_at_the_top() -> None:
    text = recommender_page(facts(remarks=["NDCG@10 is below <markov_knn>"]))
    assert "<li>NDCG@10 is below &lt;markov_knn&gt;" in text
    assert "✓" not in text
    assert "✓ Above the floors" in recommender_page(facts())


def test_texts_of_strangers_are_text() -> None:
    shown = {
        "user_id": HOSTILE, "history": [HOSTILE], "recommended": [{"title": HOSTILE, "is_answer": True}],
        "answer": HOSTILE, "rank": None,
    }  # fmt: skip
    figures = [
        {**figure, "slice": f"category: {HOSTILE}"}
        for figure in facts()["figures"]
        if figure["slice"] == "warm"
    ]
    text = recommender_page(
        facts(examples=[shown], figures=facts()["figures"] + figures, recommender=HOSTILE)
    )
    assert "<img" not in text
    assert "onerror=alert(1)&gt;" in text
    assert "not in the list" in text


def test_nothing_is_fetched_and_no_script_runs() -> None:
    text = recommender_page(facts())
    assert not re.search(r"<script|javascript:|https?://|url\(|@import| on\w+=", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("missing", [("free_grounded",), ("sasrec", "free_grounded"), ("generative_mixed",)])
def test_an_arm_that_was_left_out_is_left_out(missing: tuple[str, ...]) -> None:
    kept = [figure for figure in facts()["figures"] if figure["arm"] not in missing]
    text = recommender_page(facts(figures=kept, deployed="generative", curve=[], examples=[]))
    assert "Loss by epoch" not in text
    assert "nan" not in text.lower().replace("finance", "")


def test_the_page_is_well_formed() -> None:
    class Parser(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
            if tag not in VOID:
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: list[Any]) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            if tag not in VOID:
                assert self.open.pop() == tag

    parser = Parser()
    parser.feed(recommender_page(facts()))
    assert parser.open == []


def test_a_bar_is_as_long_as_its_share_of_the_longest_whisker() -> None:
    text = interval_bars(
        [Ranged("one", 0.5, 0.4, 1.0, "free"), Ranged("two", 0.25, 0.2, 0.3, "free")], "two bars"
    )
    wide = [float(found) for found in re.findall(r'<rect[^>]* width="([\d.]+)"', text)]
    assert wide == [183.0, 91.5]  # the longest whisker takes 560 - 132 - 62


def test_lines_that_end_together_have_their_names_apart() -> None:
    lines = [Line("a", "free", [(0, 1.0), (1, 2.0)]), Line("b", "free", [(0, 1.0), (1, 2.0)])]
    text = line_plot(lines, {0: "@1", 1: "@3"}, "two lines")
    heights = [float(y) for y in re.findall(r'<text x="449.0" y="([\d.]+)" text-anchor="start">', text)]
    assert abs(heights[0] - heights[1]) == 12


def test_plots_of_nothing_and_of_zeros_are_drawn() -> None:
    assert line_plot([], {0: "@1"}, "none") == ""
    assert "NaN" not in interval_bars([Ranged("zero", 0, 0, 0, "free")], "zero")
    assert "<svg" in grouped_bars([], "none")


def test_names_that_crowd_at_the_floor_move_no_name_above_them() -> None:
    high = Line("high", "free", [(0, 1.0), (1, 2.0)])
    low = [Line(f"low {number}", "free", [(0, 0.0), (1, 0.0)]) for number in range(4)]
    text = line_plot([high, *low], {0: "@1", 1: "@3"}, "five lines")
    heights = [float(y) for y in re.findall(r'<text x="449.0" y="([\d.]+)" text-anchor="start">', text)]
    assert heights[0] == 18  # beside its own end, 14 from the top
    assert sorted(heights[1:]) == [176, 188, 200, 212]
