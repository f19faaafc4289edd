"""An answer is filed under all that produced it, as soon as it is told, and never asked for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jobs.tags.answers import Answers, answer_key, asked
from jobs.tags.asking import Question, Reply, TeacherGoneError, Token
from jobs.tags.budget import Purse
from models.tags.prompt import Prompt

QUESTION = Question(Prompt("system", "user", True), b"picture", {"type": "object"})


@dataclass
class Scripted:
    """A teacher that says what it is told to, and remembers what it was asked."""

    replies: dict[str, Reply]
    identity: str = "scripted@1"
    seen: list[str] = field(default_factory=list)

    def ask(
        self, questions: Sequence[Question], tell: Callable[[int, Reply], None], purse: Purse | None = None
    ) -> None:
        for at, question in enumerate(questions):
            self.seen.append(question.prompt.user)
            if question.prompt.user not in self.replies:
                raise TeacherGoneError("gone")
            tell(at, self.replies[question.prompt.user])


def _asking(*users: str) -> list[Question]:
    return [Question(Prompt("system", user, False)) for user in users]


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, prompt=Prompt("system!", "user", True)),
        replace(QUESTION, prompt=Prompt("system", "user!", True)),
        replace(QUESTION, picture=b"picture!"),
        replace(QUESTION, picture=None),
        replace(QUESTION, reply_schema=None),
    ],
)
def test_whatever_changes_the_answer_changes_its_key(other: Question) -> None:
    assert answer_key("a@1", other) != answer_key("a@1", QUESTION)
    assert answer_key("a@2", QUESTION) != answer_key("a@1", QUESTION)
    assert answer_key("a@1", replace(QUESTION)) == answer_key("a@1", QUESTION)


def test_answers_are_kept_and_failures_are_not(tmp_path: Path) -> None:
    whole = Reply("ok", "yes", "", (Token(3, -0.25),), 10, 2, 1, 5.5)
    failed, cut = Reply("failed", "", "oh"), Reply("truncated", "ha")
    teacher = Scripted({"a": whole, "b": failed, "c": cut, "d": Reply("refused", "")})
    first = asked(teacher, _asking("a", "b", "c", "d"), Answers(tmp_path))
    again = asked(teacher, _asking("a", "b", "c", "d"), Answers(tmp_path))
    assert [answered.reply for answered in again] == [answered.reply for answered in first]
    assert again[0].reply == whole
    assert [answered.is_new for answered in again] == [False, True, False, False]
    assert teacher.seen == ["a", "b", "c", "d", "b"]
    path = Answers(tmp_path).place(first[0].key)
    assert (path.parent.name, path.parent.parent.name) == (first[0].key[2:4], first[0].key[:2])


def test_what_was_told_before_the_teacher_was_gone_is_not_asked_again(tmp_path: Path) -> None:
    teacher = Scripted({"a": Reply("ok", "1"), "b": Reply("ok", "2")})
    with pytest.raises(TeacherGoneError):
        asked(teacher, _asking("a", "b", "c", "d"), Answers(tmp_path))
    teacher.replies.update(c=Reply("ok", "3"), d=Reply("ok", "4"))
    found = asked(teacher, _asking("a", "b", "c", "d"), Answers(tmp_path))
    assert [answered.reply.text for answered in found] == ["1", "2", "3", "4"]
    assert teacher.seen == ["a", "b", "c", "c", "d"]


def test_of_equal_questions_one_is_asked(tmp_path: Path) -> None:
    teacher = Scripted({"a": Reply("ok", "1"), "b": Reply("ok", "2")})
    found = asked(teacher, _asking("a", "b", "a", "a"), Answers(tmp_path))
    assert [(x.reply.text, x.is_new) for x in found] == [("1", True), ("2", True), ("1", False), ("1", False)]
    assert teacher.seen == ["a", "b"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"outcome": "ok"}', b'{"outcome": "failed", "text": "", "tokens": []}'],
)
def test_a_file_that_is_no_answer_is_asked_again_and_replaced(tmp_path: Path, content: bytes) -> None:
    teacher: Any = Scripted({"a": Reply("ok", "1")})
    answers = Answers(tmp_path)
    key = answer_key(teacher.identity, _asking("a")[0])
    answers.place(key).parent.mkdir(parents=True)
    answers.place(key).write_bytes(content)
    assert asked(teacher, _asking("a"), answers)[0].reply.text == "1"
    assert answers.find(key) == Reply("ok", "1")
