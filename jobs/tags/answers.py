"""The answers of teachers, filed under the hash of all that produced them: nothing is asked twice, a kill loses little.

    <lake>/answers/ab/cd/abcd....json     one reply: its text, tokens with log-probabilities, what it cost

The key is SHA-256 over the teacher's identity (weights or server, and decoding options), the prompt word by word, the
bytes of the picture and the form that was asked for. Failures are not filed: they are asked again. A file holds nothing
of the note but what the model said of it. The folder may be deleted at any time; that costs the calls again.
What a local teacher's best tokens were is stored apart, for those that one call asked: see `teacher_top_k.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jobs.lake import Lake, canonical_json, write_atomically
from jobs.tags.asking import Outcome, Question, Reply, Teacher, Token
from jobs.tags.budget import Purse
from jobs.tags.teacher_top_k import ToldTopK, top_k_room, write_top_k

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
    """The filed answers of a lake, and where the best tokens of a local teacher are stored (nowhere where it is None)."""

    folder: Path
    top_k_room: Path | None = None

    @classmethod
    def of(cls, lake: Lake) -> Answers:
        """Those of `lake`."""
        return cls(lake.root / "answers", top_k_room(lake))

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
            said = {name: value for name, value in reply._asdict().items() if name != "top_k"}
            write_atomically(self.place(key), canonical_json(said))

    def file_top_k(self, told: Mapping[str, ToldTopK]) -> None:
        """Keep the best tokens of some answers, by their keys, in one shard of their tokenizer."""
        if self.top_k_room is not None and told:
            write_top_k(self.top_k_room, told)


def _reply(found: Mapping[str, Any]) -> Reply:
    tokens = tuple(Token(int(end), float(logprob)) for end, logprob in found["tokens"])
    reply = Reply(**{**found, "tokens": tokens})
    if reply.outcome not in FILED or not isinstance(reply.text, str):
        raise ValueError("no answer")
    return reply


@dataclass(frozen=True)
class Filing:
    """A teacher whose answers are filed, to whoever asks it: what it answered before it is not asked again."""

    teacher: Teacher
    answers: Answers

    @property
    def identity(self) -> str:
        """The teacher's."""
        return self.teacher.identity

    def ask(
        self, questions: Sequence[Question], tell: Callable[[int, Reply], None], purse: Purse | None = None
    ) -> None:
        """As `Teacher.ask`. Raises `TeacherGoneError`; what was told until then is filed."""
        self.answer(questions, lambda at, answered: tell(at, answered.reply), purse)

    def answer(
        self, questions: Sequence[Question], tell: Callable[[int, Answered], None], purse: Purse | None = None
    ) -> None:
        """The same, saying of every answer what it is filed under. Of equal questions the first is asked."""
        places: dict[str, list[int]] = {}
        for at, question in enumerate(questions):
            places.setdefault(answer_key(self.identity, question), []).append(at)
        to_ask: list[str] = []
        for key, same in places.items():
            known = self.answers.find(key)
            if known is None:
                to_ask.append(key)
                continue
            for at in same:
                tell(at, Answered(known, key, is_new=False))
        if to_ask:
            self._answer_new(questions, [(key, places[key]) for key in to_ask], tell, purse)

    def _answer_new(
        self,
        questions: Sequence[Question],
        to_ask: Sequence[tuple[str, list[int]]],
        tell: Callable[[int, Answered], None],
        purse: Purse | None,
    ) -> None:
        top_k: dict[str, ToldTopK] = {}

        def tell_and_file(position: int, reply: Reply) -> None:
            key, same = to_ask[position]
            if reply.top_k is not None:
                top_k[key] = reply.top_k
            told = reply._replace(top_k=None)
            self.answers.file(key, told)
            for at in same:
                tell(at, Answered(told, key, is_new=at == same[0]))

        try:
            self.teacher.ask([questions[same[0]] for _, same in to_ask], tell_and_file, purse)
        finally:
            self.answers.file_top_k(top_k)


def asked(
    teacher: Teacher, questions: Sequence[Question], answers: Answers, purse: Purse | None = None
) -> list[Answered]:
    """The answers to `questions`, in order: looked up, and the rest asked, each filed as soon as it is told.

    Of equal questions one is asked. Without a purse nothing is counted against a budget. Raises `TeacherGoneError`;
    what was told until then is filed.
    """
    told: dict[int, Answered] = {}
    Filing(teacher, answers).answer(questions, told.__setitem__, purse)
    lost = Reply("failed", "", "the teacher did not answer this question")
    return [
        told[at] if at in told else Answered(lost, answer_key(teacher.identity, question), is_new=False)
        for at, question in enumerate(questions)
    ]
