"""The answers of teachers, filed under the hash of all that produced them: nothing is asked twice, a kill loses little.

    <lake>/answers/ab/cd/abcd....json     one reply: its text, tokens with log-probabilities, what it cost

The key is SHA-256 over the teacher's identity (weights or server, and decoding options), the prompt word by word, the
bytes of the picture and the form that was asked for. Failures are not filed: they are asked again. A file holds nothing
of the note but what the model said of it. The folder may be deleted at any time; that costs the calls again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jobs.lake import Lake, canonical_json, write_atomically
from jobs.tags.asking import Outcome, Question, Reply, Teacher, Token
from jobs.tags.budget import Purse

FILED: tuple[Outcome, ...] = ("ok", "truncated", "refused")


class Answered(NamedTuple):
    """A reply, the key it is filed under, and whether it was asked for just now."""

    reply: Reply
    key: str
    is_new: bool


def answer_key(identity: str, question: Question) -> str:
    """The SHA-256 that a question's answer is filed under."""
    picture = hashlib.sha256(question.picture).hexdigest() if question.picture is not None else None
    produced_by = {
        "teacher": identity,
        "messages": question.prompt.messages(),
        "picture": picture,
        "reply_schema": question.reply_schema,
    }
    return hashlib.sha256(canonical_json(produced_by)).hexdigest()


@dataclass(frozen=True)
class Answers:
    """The filed answers of a lake."""

    folder: Path

    @classmethod
    def of(cls, lake: Lake) -> Answers:
        """Those of `lake`."""
        return cls(lake.root / "answers")

    def place(self, key: str) -> Path:
        """The file of an answer."""
        return self.folder / key[:2] / key[2:4] / f"{key}.json"

    def find(self, key: str) -> Reply | None:
        """The answer, or None; a file that is not ours to read is no answer."""
        try:
            return _reply(json.loads(self.place(key).read_bytes()))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def file(self, key: str, reply: Reply) -> None:
        """Keep an answer, on the disk when this returns; a failure is not kept."""
        if reply.outcome in FILED:
            write_atomically(self.place(key), canonical_json(reply._asdict()))


def _reply(found: Mapping[str, Any]) -> Reply:
    tokens = tuple(Token(int(end), float(logprob)) for end, logprob in found["tokens"])
    reply = Reply(**{**found, "tokens": tokens})
    if reply.outcome not in FILED or not isinstance(reply.text, str):
        raise ValueError("no answer")
    return reply


def asked(
    teacher: Teacher, questions: Sequence[Question], answers: Answers, purse: Purse | None = None
) -> list[Answered]:
    """The answers to `questions`, in order: looked up, and the rest asked, each filed as soon as it is told.

    Of equal questions one is asked. Without a purse nothing is counted against a budget. Raises `TeacherGoneError`;
    what was told until then is filed.
    """
    keys = [answer_key(teacher.identity, question) for question in questions]
    known = {key: reply for key in dict.fromkeys(keys) if (reply := answers.find(key)) is not None}
    first_of = {key: at for at, key in reversed(list(enumerate(keys))) if key not in known}
    to_ask = sorted(first_of.values())
    told: dict[str, Reply] = {}

    def tell(position: int, reply: Reply) -> None:
        key = keys[to_ask[position]]
        told[key] = reply
        answers.file(key, reply)

    if to_ask:
        chosen = [questions[at] for at in to_ask]
        if purse is None:
            teacher.ask(chosen, tell)
        else:
            teacher.ask(chosen, tell, purse)
    lost = Reply("failed", "", "the teacher did not answer this question")
    return [
        Answered(known.get(key) or told.get(key, lost), key, first_of.get(key) == at)
        for at, key in enumerate(keys)
    ]
