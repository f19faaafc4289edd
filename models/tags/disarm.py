"""Text of strangers without the signs by which a model tells turns, roles and pictures apart.

A tokenizer turns `<|im_end|>` in a note into the very token that ends the user's turn, and `<image>` into a picture that
nobody gave. A blank behind the first character makes plain text of such a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# What common chat templates use, for a server whose tokenizer is not known.
_COMMON = re.compile(
    r"<(?=\|[^|<>\s]{1,40}\|>|(?:image|video|audio|s|/s|pad|unk|bos|eos|start_of_turn|end_of_turn|end_of_utterance)>"
    r"|fake_token_around_image>|global-img>|row_\d)|\[(?=/?(?:INST|SYS|IMG|SYSTEM_PROMPT)\])",
    re.IGNORECASE,
)


def disarmed(text: str, signs: Iterable[str] = ()) -> str:
    """`text` with a blank put into every one of `signs`, and into those that common chat templates use."""
    text = _COMMON.sub(lambda found: found.group() + " ", text)
    for sign in sorted({s for s in signs if len(s) > 1 and not s.isspace()}, key=lambda s: (-len(s), s)):
        text = text.replace(sign, f"{sign[0]} {sign[1:]}")
    return text
