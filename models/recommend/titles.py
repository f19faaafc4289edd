"""Titles of strangers as a prompt may show them: one line, of bounded length, without the signs that mean something there.

An ID is written `<a_99><b_225>`, a special token `</s>`, `<|im_end|>` or `[INST]`, and titles stand between `"` and `"` or
《 and 》. A title that holds such signs could forge an ID, end its own turn, or break out of its quotes. None of the signs
is let through, in any of the forms that a tokenizer's normaliser (NFKC, NFKD and dropped accents) folds into them. A title
that is learned as an answer is cleaned in the same way, so that both sides of a task agree.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TITLE = 100  # characters: what stands after them in a title says little, and a history holds many

# Look-alikes that no normal form folds back. Keys: the signs, and every character whose NFKD holds one of them.
_INSTEAD = {
    "‹": "<＜﹤≮",
    "›": ">＞﹥≯",
    "(": "[［﹇",
    ")": "]］﹈",
    "'": '"＂“”„‟〝〞〟',
    "〈": "《︽",
    "〉": "》︾",
}
_TABLE = str.maketrans({sign: other for other, signs in _INSTEAD.items() for sign in signs})
_SIGNS = re.compile(f"[{re.escape(''.join(_INSTEAD.values()))}]")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})  # controls, joiners and marks of direction, lone halves of a character


def clean_title(title: str, limit: int = MAX_TITLE) -> str:
    """At most `limit` characters of the title on one line, harmless in a prompt; may be empty."""
    seen = title if title.isprintable() else _printed(title)
    harmless = seen.translate(_TABLE) if _SIGNS.search(seen) else seen
    return " ".join(harmless.split())[:limit].rstrip()


def _printed(title: str) -> str:
    """Without what has no shape; breaks of a line and tabs become blanks."""
    return "".join(c for c in _BLANKS.sub(" ", title) if unicodedata.category(c) not in _UNSEEN)
