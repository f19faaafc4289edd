"""Which dimensions a page gets, whose page a thin category reads, and what changed, worked by hand."""

from __future__ import annotations

from models.tags.handbook import Dimension, Page
from models.tags.mining import (
    Config,
    Use,
    changes,
    drafts,
    lenders,
    lift,
    named_by_values,
    prefixes,
    rolled_up,
)

CONFIG = Config(max_dimensions=2, max_values=2, min_value_clicks=2, min_value_lift=0.5, min_share=0.1)


def test_lift_is_the_share_of_clicks_over_the_share_shown() -> None:
    assert (
        lift(Use(50, 9), Use(100, 39)) == 2.0
    )  # a half of the clicks, a quarter (10 / 40) of what was shown
    assert lift(Use(1, 0), Use(1, 0)) == 1.0


def test_a_wider_category_counts_what_lies_in_it() -> None:
    leaves = {("Home > Light", "oak"): Use(3, 5), ("Home", "oak"): Use(1, 1), ("Food", "oat"): Use(2, 2)}
    found = rolled_up(leaves)
    assert found["Home"]["oak"] == Use(4, 6)
    assert {p: u.num_clicks for p, u in found[""].items()} == {"oak": 4, "oat": 2}
    assert prefixes("Home > Light") == ["", "Home", "Home > Light"]


def test_a_category_with_fewer_clicks_than_asked_for_reads_the_nearest_wider_page() -> None:
    totals = {
        "": Use(3),
        "A": Use(20),
        "A > B": Use(19),
        "A > B > C": Use(1),
        "D": Use(0),
        "A > B > E": Use(20),
    }
    assert lenders(totals, 20) == {
        **{"": "", "A": "A", "A > B": "A", "A > B > C": "A", "D": ""},
        "A > B > E": "A > B > E",
    }


def test_a_page_has_the_dimensions_with_most_clicks_and_of_each_the_values_with_most() -> None:
    uses = {
        **{"oak": Use(30, 30), "ash": Use(30, 30), "elm": Use(31, 30)},
        **{"cosy": Use(20, 20), "bold": Use(1, 1)},  # bold: one click is too few, so one value is left
        **{"cheap": Use(5, 5), "dear": Use(5, 5)},
        **{"dull": Use(2, 90), "tame": Use(9, 9)},  # dull: shown far more than clicked
        **{"new": Use(2, 2), "old": Use(2, 2)},  # too few clicks of the page
    }
    groups = [["oak", "ash", "elm"], ["cosy", "bold"], ["cheap", "dear"], ["dull", "tame"], ["new", "old"]]
    assert drafts(uses, groups, Use(100, 200), CONFIG) == [("elm", "ash"), ("cheap", "dear")]


def test_a_dimension_keeps_the_name_it_had_while_half_of_its_values_stay() -> None:
    last = Page("", (Dimension("material", "d", ("oak", "ash")), Dimension("style", "d", ("bold", "cosy"))))
    values = [["elm", "oak"], ["calm", "zen", "cosy"], ["red", "blue"]]
    found = named_by_values(values, {"blue": 3, "red": 2}, last)
    assert [d.name for d in found] == ["material", "style", "blue"]
    assert found[2].definition == "What one note says where others say red or blue."


def test_one_name_is_not_given_twice() -> None:
    last = Page("", (Dimension("material", "d", ("oak", "tin")),))
    found = named_by_values([["oak", "ash"], ["tin", "zinc"]], {}, last)
    assert [d.name for d in found] == ["material", "tin"]


def test_a_name_that_the_last_version_gives_to_another_dimension_is_not_taken_from_a_value() -> None:
    last = Page("", (Dimension("oak", "d", ("elm", "tin")),))
    found = named_by_values([["oak", "ash"], ["elm", "tin"]], {"oak": 9}, last)
    assert [d.name for d in found] == ["ash", "oak"]


def test_a_dimension_is_new_changed_or_kept() -> None:
    last = Page("", (Dimension("a", "x", ("1", "2")), Dimension("b", "x", ("3",))))
    page = Page(
        "", (Dimension("b", "x", ("4",)), Dimension("a", "x", ("2", "1")), Dimension("c", "x", ("5",)))
    )
    assert changes(page, last) == {"b": "changed", "a": "kept", "c": "new"}
    assert set(changes(page, None).values()) == {"new"}
