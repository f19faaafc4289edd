"""The text of a note as an encoder reads it, and the language it is mostly written in."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
# A Chinese character says about as much as half an English word: a fifth of the letters is half of what is said.
_HAN_SHARE = 0.2


def note_text(title: str, body: str, category: Sequence[str], hashtags: Sequence[str]) -> str:
    """One text, what says most first, since an encoder cuts the end off."""
    lines = (title, " > ".join(category), " ".join(f"#{tag}" for tag in hashtags), body)
    return "\n".join(line for line in lines if line)


def language(text: str) -> str:
    """`zh` where Chinese characters carry the text, else `en`. No letters at all count as `en`."""
    han, letters = len(_HAN.findall(text)), len(_LETTER.findall(text))
    return "zh" if letters and han / letters >= _HAN_SHARE else "en"
