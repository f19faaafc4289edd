"""Codes as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ids.text import codes_to_text, text_to_codes


def test_the_letter_tells_the_level() -> None:
    assert codes_to_text([99, 225, 67]) == "<a_99><b_225><c_67>"
    assert text_to_codes("<a_99><b_225><c_67>") == [99, 225, 67]


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=26))
def test_text_and_back_is_the_same(codes: list[int]) -> None:
    assert text_to_codes(codes_to_text(codes)) == codes


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", ""),
        ("<b_1>", "<b_1>"),
        ("<a_1><c_2>", "<c_2>"),
        ("<a_1> <b_2>", " <b_2>"),
        ("<a_01>", "<a_01>"),
        ("<a_1><b_-2>", "<b_-2>"),
        ("<a_1>\n", "\n"),
    ],
)
def test_what_is_no_semantic_id_is_quoted_from_where_it_goes_wrong(text: str, rest: str) -> None:
    with pytest.raises(ValueError, match="no semantic ID such as '<a_99><b_225><c_67>'") as error:
        text_to_codes(text)
    assert str(error.value).endswith(f"found {rest!r}")


@pytest.mark.parametrize("codes", [[], [0] * 27, [3, -1]])
def test_codes_that_have_no_text_are_an_error(codes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"1 to 26 codes|0 or above"):
        codes_to_text(codes)
