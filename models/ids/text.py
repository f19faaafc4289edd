"""Codes as readable text and back: [99, 225, 67] is `<a_99><b_225><c_67>`; the letter tells the level, coarsest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_lowercase

_TOKEN = re.compile(r"<([a-z])_(0|[1-9]\d*)>")
MAX_LEVELS = len(ascii_lowercase)


def codes_to_text(codes: Sequence[int]) -> str:
    """The readable form. Raises `ValueError` for no codes, negative ones, or more levels than letters."""
    if not 1 <= len(codes) <= MAX_LEVELS:
        raise ValueError(f"a semantic ID has 1 to {MAX_LEVELS} codes, one letter a level; here are {len(codes)}")
    if min(codes) < 0:
        raise ValueError(f"codes are 0 or above; here is {min(codes)} in {list(codes)}")
    return "".join(f"<{letter}_{code}>" for letter, code in zip(ascii_lowercase, codes, strict=False))


def text_to_codes(text: str) -> list[int]:
    """The codes of a readable semantic ID.

    Raises `ValueError` that quotes the text from the first character that does not fit.
    """
    codes: list[int] = []
    at = 0
    while at < len(text) or not codes:
        token = _TOKEN.match(text, at)
        due = ascii_lowercase[len(codes)] if len(codes) < MAX_LEVELS else None
        if token is None or token.group(1) != due:
            wanted = f"<{due}_NUMBER> is due there" if due else f"there are at most {MAX_LEVELS} levels"
            raise ValueError(f"{text!r} is no semantic ID such as '<a_99><b_225><c_67>': {wanted}, found {text[at:]!r}")
        codes.append(int(token.group(2)))
        at = token.end()
    return codes
