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
_BLANKS = re.compile(r"[\s\u2028\u2029\u0085\x00-\x1f\x7f-\x9f]+")
_UNSEEN = frozenset(
    {"Cc", "Cf", "Cs"}
)  # controls, joiners and marks of direction, lone halves of a character


def clean_title(title: str, limit: int = MAX_TITLE) -> str:
    """At most `limit` characters of the title on one line, harmless in a prompt; may be empty."""
    one_line = _BLANKS.sub(" ", title)
    seen = "".join(c for c in one_line if unicodedata.category(c) not in _UNSEEN)
    return " ".join(seen.translate(_TABLE).split())[:limit].rstrip()
