"""What a server said to one call, as data: an answer, or what went wrong and whether to try again. Nothing is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from jobs.tags.asking import Outcome, Token

ENDS = (401, 402, 403, 404)  # a key, a bill, a name: no call will do better
# Words by which servers name what they do not know, and what is left out of the call then.
_NAMES = {
    "logprobs": ("logprob",),
    "response_format": ("response_format", "json_schema", "guided", "structured", "grammar", "schema"),
    "max_tokens": ("max_completion_tokens",),  # by which they say what to call it instead
    "temperature": ("temperature",),
}
UNKNOWN_UNSAID = ("response_format", "logprobs")  # left out where a server only says that the request is bad


class Heard(NamedTuple):
    """One call. `outcome` is None where it failed; `is_settled`: whether its tokens are known."""

    outcome: Outcome | None = None
    text: str = ""
    tokens: tuple[Token, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    problem: str = ""
    status: int = 0  # of HTTP; 0 where there was no reply at all
    is_final: bool = False  # the question is at fault: the same call would fail again
    is_end: bool = False  # no call will succeed
    is_settled: bool = True
    num_tries: int = 1  # a time-out counts for two
    wait_s: float | None = None
    unknown: tuple[str, ...] = ()


def heard_reply(body: str) -> Heard:
    """The reply in the body of a call that succeeded, or in what way it is broken."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Heard(problem="the server's reply is no JSON", status=200, is_settled=False)
    usage = found.get("usage") if isinstance(found, dict) else None
    tokens_in, tokens_out = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    is_settled = tokens_in + tokens_out > 0
    choice = _choice(found)
    if choice is None:
        problem = "the server's reply holds no message"
        return Heard(None, "", (), tokens_in, tokens_out, problem, 200, is_settled=is_settled)
    text, refusal = (_text(choice["message"].get(name)) for name in ("content", "refusal"))
    reason = choice.get("finish_reason")
    outcome: Outcome = "truncated" if reason == "length" else "ok"
    if refusal or reason == "content_filter":
        outcome, text = "refused", text or refusal
    tokens = _tokens(choice.get("logprobs"), text)
    return Heard(outcome, text, tokens, tokens_in, tokens_out, status=200, is_settled=is_settled)


def heard_error(status: int, body: str, headers: Mapping[str, str]) -> Heard:
    """What a status other than success means: wait, leave something out, give the question up, or end the run."""
    said = " ".join(body.split())[:300]
    problem = f"the server answered {status}: {said}"
    if status in ENDS or (status == 429 and "insufficient_quota" in body):
        return Heard(problem=problem, status=status, is_end=True)
    if status == 429 or status >= 500 or status in (408, 409, 425):
        return Heard(problem=problem, status=status, wait_s=_wait(headers.get("retry-after", "")))
    lower = body.lower()
    unknown = tuple(name for name, words in _NAMES.items() if any(word in lower for word in words))
    return Heard(problem=problem, status=status, is_final=True, unknown=unknown)


def _choice(found: Any) -> dict[str, Any] | None:
    choices = found.get("choices") if isinstance(found, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) and isinstance(choice.get("message"), dict) else None


def _text(value: Any) -> str:
    """Text that can be written as UTF-8; JSON may hold halves of characters."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and 0 <= value < 1 << 40 else 0


def _wait(value: str) -> float | None:
    """Seconds that Retry-After asks for, written as seconds or as a date; None where it does not say."""
    try:
        return max(float(value), 0.0) if float(value) < 1e9 else None
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
        return max((date - date.now(date.tzinfo)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _tokens(logprobs: Any, text: str) -> tuple[Token, ...]:
    """Ends and log-probabilities of the tokens; none where they do not spell the text."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list):
        return ()
    try:
        pieces = [bytes(t["bytes"]) if t.get("bytes") is not None else t["token"].encode() for t in content]
        values = [float(t["logprob"]) for t in content]
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()
    if b"".join(pieces).decode("utf-8", "replace") != text:
        return ()
    return tuple(Token(end, min(value, 0.0)) for end, value in zip(_ends(pieces), values, strict=True))


def _ends(pieces: Sequence[bytes]) -> list[int]:
    """Characters after each piece; a character belongs to the piece with its last byte."""
    ends, num_starts, rest = [], 0, 0
    for piece in pieces:
        for byte in piece:
            rest = rest - 1 if rest else (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)
            num_starts += rest == 0
        ends.append(num_starts)
    return ends
