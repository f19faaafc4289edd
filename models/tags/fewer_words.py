"""The same note with fewer words, so that a student which sees looks at the picture and does not know its notes by heart.

Only words go which the reply does not repeat: every span that it copies, and all that its tags rest on, stays in the
note. (Leaving words out of a sentence: word dropout, Iyyer et al., ACL 2015, section 3.) A word is a run of characters
between blanks, or one Chinese character.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

SHARE = 0.3  # of the words that may go
_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3400-\u4dbf\u4e00-\u9fff]+")
_EDGES = re.compile(r"^\W+|\W+$")


def fewer_words(text: str, reply: str, evidence: Collection[str], dice: np.random.Generator) -> str:
    """The text without some words; whole where none would be left."""
    told, spans = reply.casefold(), [span.casefold() for span in evidence if span]

    def left(match: re.Match[str]) -> str:
        word = match[0].casefold()
        stays = dice.random() >= SHARE or _EDGES.sub("", word) in told or any(span in word for span in spans)
        return match[0] if stays else ""

    return " ".join(_WORD.sub(left, text).split()) or text
