"""A person's names for dimensions: how the file is read, and what it makes of mined groups."""

from __future__ import annotations

import pytest

from models.tags.decisions import DecisionError
from models.tags.dimension_names import Names, joined, parse_names, settled
from models.tags.handbook import Dimension

FILE = """value,dimension,definition
Walnut,material,What it is made of.
胡桃木,material,Another sentence.
night owls,audience,

first,none,
"""


def test_the_file_is_read_folded_and_the_first_definition_holds() -> None:
    assert parse_names("\ufeff" + FILE) == Names(
        {"walnut": "material", "胡桃木": "material", "night owls": "audience", "first": "none"},
        {"material": "What it is made of."},
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the first line must be value,dimension,definition"),
        ("value,dimension\n", "the first line"),
        ("value,dimension,definition\nwalnut,material\n", "line 2 has 2 fields"),
        ("value,dimension,definition\n,material,\n", "line 2: value is ''"),
        ("value,dimension,definition\nwalnut,???,\n", "line 2: dimension is"),
        (f"value,dimension,definition\nwalnut,material,{'x' * 201}\n", "line 2: definition is"),
        ("value,dimension,definition\noak,material,\nOak,wood,\n", "line 3: 'Oak' was given to 'material' before"),
        ('value,dimension,definition\n"oak,material,\n', "no CSV"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_its_line(text: str, why: str) -> None:
    with pytest.raises(DecisionError, match=why.replace("?", r"\?")):
        parse_names(text)


def test_groups_follow_their_named_values_and_those_of_one_name_are_one_dimension() -> None:
    groups = [["walnut", "rattan"], ["cosy"], ["胡桃木", "藤编"], ["first", "kids", "night owls"], ["first", "last"]]
    dimensions, rest = settled(groups, parse_names(FILE))
    assert dimensions == (
        Dimension("material", "What it is made of.", ("walnut", "胡桃木", "rattan", "藤编")),
        Dimension("audience", "What users call audience.", ("kids", "night owls")),
    )
    assert rest == [["cosy"], ["last"]]


def test_a_value_named_otherwise_than_its_group_moves() -> None:
    dimensions, rest = settled([["walnut", "胡桃木", "night owls", "oak"]], parse_names(FILE))
    assert [(d.name, d.values) for d in dimensions] == [
        ("material", ("walnut", "胡桃木", "oak")),
        ("audience", ("night owls",)),
    ]
    assert rest == []


def test_dimensions_of_one_name_are_joined_where_the_first_stands() -> None:
    found = joined([Dimension("a", "x", ("1",)), Dimension("b", "y", ("2",)), Dimension("A", "z", ("3", "1"))])
    assert found == (Dimension("a", "x", ("1", "3")), Dimension("b", "y", ("2",)))
