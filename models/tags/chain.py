"""A reply to a prompt as data: the chain of thought and its tags, with every tag held against its evidence.

A chain is one JSON object:

    {"text": ["..."], "picture": "...", "dimensions": ["..."],
     "values": [{"dimension": "...", "value": "...", "evidence": "a span of the text" or "picture"}],
     "tags": ["dimension: value"]}

`text` and `picture` are the observations, `dimensions` the choice, `values` the values with their evidence, and `tags`
what is left after the self-check. A reply to the task `tags` has `values` alone. The steps are our reading of TagLLM
(arXiv 2603.21481), whose own prompt is not public.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Literal, NamedTuple

Status = Literal["ok", "empty", "invalid", "refused", "truncated", "failed", "skipped"]
STATUSES: tuple[Status, ...] = ("ok", "empty", "invalid", "refused", "truncated", "failed", "skipped")
PICTURE = "picture"
MAX_TAGS, MAX_CHARACTERS = 24, 64  # of one reply; of a dimension's name or a tag
MAX_OBJECTS = 20  # places where a reply may begin to be JSON
_VALUE = re.compile(r'"value"\s*:\s*("(?:[^"\\]|\\.)*")')
_REFUSAL = re.compile(
    r"\b(I can(?:no|')t|I am unable|I'm (?:sorry|unable)|as an AI)\b|无法(?:协助|提供|完成)|抱歉",
    re.IGNORECASE,
)

REPLY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "array", "items": {"type": "string"}},
        "picture": {"type": "string"},
        "dimensions": {"type": "array", "items": {"type": "string"}},
        "values": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("dimension", "value", "evidence")},
                "required": ["dimension", "value", "evidence"],
                "additionalProperties": False,
            },
        },
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["text", "picture", "dimensions", "values", "tags"],
    "additionalProperties": False,
}


class Tag(NamedTuple):
    """One tag as the model wrote it: `source` is `text` or `picture`; `start` to `end` is where its value stands in the
    reply, quotes left out (both 0 where it cannot be told)."""

    dimension: str
    value: str
    evidence: str
    source: str
    start: int
    end: int


class Parsed(NamedTuple):
    """What a reply holds: `tags` are grounded and unlike each other; the counts say what was left out."""

    status: Status
    tags: tuple[Tag, ...]
    observed_text: tuple[str, ...]
    observed_picture: str
    num_ungrounded: int
    num_repeated: int
    problem: str


def folded(text: str) -> str:
    """Text as it is compared: NFKC, case folded, white space made one blank."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def parse_reply(reply: str, evidence_text: str, *, has_picture: bool, is_truncated: bool = False) -> Parsed:
    """Read a reply; never raises, whatever it is.

    A tag whose evidence does not stand in `evidence_text` (or that names a picture where there is none) is left out and
    counted, and so is one that repeats another. A reply that was cut off is `truncated`, also where it could be mended:
    the tags that a model did not get to are as good as lost.
    """
    found, problem = _json_object(reply)
    if found is None:
        if is_truncated:
            return _nothing("truncated", "the reply was cut off")
        is_refusal = _REFUSAL.search(reply) is not None
        return _nothing(
            "refused" if is_refusal else "invalid", "the model refused" if is_refusal else problem
        )
    problem = _wrong_form(found)
    if problem:
        return _nothing("invalid", problem)
    kept, num_ungrounded, num_repeated = _grounded(found, reply, folded(evidence_text), has_picture)
    return Parsed(
        "ok" if kept else "empty",
        tuple(kept),
        tuple(_writable(t)[:MAX_CHARACTERS] for t in found.get("text", [])[:MAX_TAGS]),
        _writable(found.get("picture", ""))[:400],
        num_ungrounded,
        num_repeated,
        "",
    )


def _nothing(status: Status, problem: str) -> Parsed:
    return Parsed(status, (), (), "", 0, 0, problem)


def _json_object(reply: str) -> tuple[dict[str, Any] | None, str]:
    """The first JSON object of a reply that holds values, else the first; it may stand between words or in a fence."""
    begin = start = reply.find("{")
    first, problem = None, "there is no JSON object in the reply"
    for _ in range(MAX_OBJECTS):
        if start < 0:
            break
        try:
            found, end = json.JSONDecoder(parse_constant=_no_constant).raw_decode(reply, start)
        except (ValueError, RecursionError) as error:
            problem = f"the JSON object does not parse: {error}"[:200] if start == begin else problem
            end = start + 1
        else:
            if "values" in found:
                return found, ""
            first = found if start == begin else first
        start = reply.find("{", end)
    return first, problem


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _wrong_form(found: dict[str, Any]) -> str:
    """Why a JSON object is not a reply; empty where it is one."""
    values = found.get("values")
    if not isinstance(values, list):
        return "the key values is missing or no list"
    for item in values:
        if not isinstance(item, dict) or not all(
            isinstance(item.get(k), str) for k in ("dimension", "value", "evidence")
        ):
            return f"a value is not an object of dimension, value and evidence: {json.dumps(item)[:80]}"
    for name in ("text", "dimensions", "tags"):
        texts = found.get(name, [])
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            return f"the key {name} is no list of texts"
    return "" if isinstance(found.get("picture", ""), str) else "the key picture is no text"


def _grounded(found: dict[str, Any], reply: str, text: str, has_picture: bool) -> tuple[list[Tag], int, int]:
    """The tags whose evidence holds, how many did not, and how many repeat one before them."""
    chosen = {folded(t) for t in found["tags"]} if "tags" in found else None
    kept: list[Tag] = []
    seen: set[str] = set()
    num_ungrounded, num_repeated = 0, 0
    for item, (start, end) in zip(found["values"], _spans(found["values"], reply), strict=True):
        texts = (
            unicodedata.normalize("NFC", item[key]).strip() for key in ("dimension", "value", "evidence")
        )
        dimension, value, evidence = texts
        if chosen is not None and folded(f"{dimension}: {value}") not in chosen:
            continue  # the model's own self-check took it back
        source = PICTURE if folded(evidence) == PICTURE else "text"
        is_grounded = (
            has_picture if source == PICTURE else bool(folded(evidence)) and folded(evidence) in text
        )
        if not is_grounded or not _is_fit(dimension) or not _is_fit(value):
            num_ungrounded += 1
        elif folded(value) in seen:
            num_repeated += 1
        elif len(kept) < MAX_TAGS:
            seen.add(folded(value))
            kept.append(Tag(dimension, value, evidence, source, start, end))
    return kept, num_ungrounded, num_repeated


def _spans(values: list[dict[str, str]], reply: str) -> list[tuple[int, int]]:
    """Where the value of each item stands in the reply as it is written there, escapes and all."""
    written = _VALUE.finditer(reply)
    spans = []
    for item in values:
        span = (0, 0)
        for found in written:
            if _is_json_of(found[1], item["value"]):
                span = (found.start(1) + 1, found.end(1) - 1)
                break
        spans.append(span)
    return spans


def _is_json_of(literal: str, value: str) -> bool:
    try:
        return bool(json.loads(literal) == value)
    except ValueError:
        return False


def _writable(text: str) -> str:
    """Text without halves of characters, which JSON may escape and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _is_fit(name: str) -> bool:
    """Whether a name may become a tag or a dimension: short, one line, with a letter or digit in it."""
    return 0 < len(name) <= MAX_CHARACTERS and name.isprintable() and any(c.isalnum() for c in name)
