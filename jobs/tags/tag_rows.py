"""Rows of `teacher_tags`: what a reply says of a note, and rows for notes that nobody was asked about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jobs.tags.answers import Answered
from jobs.tags.asking import Token
from models.tags.chain import Parsed, Tag, parse_reply
from schemas.tag_tables import TEACHER_TAGS

DECIMALS = 4  # of a confidence: rounding noise of a batch's company stays behind it


def confidence(tag: Tag, tokens: Sequence[Token]) -> float:
    """The model's probability of a tag: the geometric mean over the tokens that its value stands in, 0 to 1.

    1 where the model does not say: taken at its word, a tag then weighs what its rarity gives it.
    """
    starts = [0, *(token.end for token in tokens)]
    covering = [
        token.logprob
        for token, start in zip(tokens, starts, strict=False)
        if start < tag.end and token.end > tag.start
    ]
    if not covering:
        return 1.0
    return round(min(math.exp(sum(covering) / len(covering)), 1.0), DECIMALS)


def parsed_answer(answered: Answered, evidence_text: str, *, has_picture: bool) -> Parsed:
    """What an answer says, by its text where it has one, by its outcome where not."""
    reply = answered.reply
    if reply.outcome in ("failed", "skipped", "refused"):
        problem = reply.problem or "the model refused"
        return Parsed(reply.outcome, (), (), "", 0, 0, problem)
    return parse_reply(
        reply.text, evidence_text, has_picture=has_picture, is_truncated=reply.outcome == "truncated"
    )


def answered_row(
    todo: dict[str, Any], answered: Answered, parsed: Parsed, *, teacher: str, cost: float
) -> dict[str, Any]:
    """The row of a note that was asked about; a `skipped` one names no teacher."""
    reply = answered.reply
    was_asked = reply.outcome != "skipped"
    return {
        **unasked_row(todo, parsed.problem or todo["picture_problem"]),
        "status": parsed.status,
        "dimensions": [tag.dimension for tag in parsed.tags],
        "tags": [tag.value for tag in parsed.tags],
        "evidence": [tag.evidence for tag in parsed.tags],
        "confidences": [confidence(tag, reply.tokens) for tag in parsed.tags],
        "observed_text": list(parsed.observed_text),
        "observed_picture": parsed.observed_picture,
        "num_ungrounded": parsed.num_ungrounded,
        "num_repeated": parsed.num_repeated,
        "num_pictures": int(todo["has_picture"] and was_asked),
        "reply": reply.text if reply.outcome in ("ok", "truncated", "refused") else None,
        "answer": answered.key if was_asked else None,
        "teacher": teacher if was_asked else None,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "num_calls": reply.num_calls,
        "latency_ms": round(reply.latency_ms, 1),
        "cost": cost,
    }


def unasked_row(todo: dict[str, Any], problem: str) -> dict[str, Any]:
    """The row of a note that nobody was asked about."""
    zero: dict[str, Any] = {"string": "", "int": 0, "bigint": 0, "double": 0.0}
    empty = {
        c.name: None if c.nullable else [] if c.is_list else zero[c.type] for c in TEACHER_TAGS.columns
    }
    known = {name: todo[name] for name in ("note_id", "content_hash", "picture", "prompt", "handbook")}
    return {**empty, **known, "status": "skipped", "problem": problem}
