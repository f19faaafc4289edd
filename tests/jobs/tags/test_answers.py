"""An answer is filed under all that produced it, as soon as it is told, and never asked for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from jobs.tags.answers import Answers, Filing, answer_key, asked
from jobs.tags.asking import Question, Reply, TeacherGoneError, Token
from jobs.tags.budget import Purse
from jobs.tags.teacher_top_k import ToldTopK, TopK
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


def test_the_best_tokens_of_what_was_told_are_stored_once_also_where_the_teacher_goes(tmp_path: Path) -> None:
    top = TopK(np.array([7, 2]), np.array([[7, 8], [2, 7]]), np.float32([[-0.25, -2.0], [-0.5, -1.5]]))
    with_top = Reply("ok", "1", top_k=ToldTopK("t1", top))
    teacher = Scripted({"a": with_top, "b": with_top, "c": Reply("ok", "3")})
    answers = Answers(tmp_path / "answers", tmp_path / "best")
    with pytest.raises(TeacherGoneError):
        asked(teacher, _asking("a", "b", "gone"), answers)
    keys = [answer_key(teacher.identity, question) for question in _asking("a", "b", "c")]
    (shard,) = (tmp_path / "best").iterdir()
    assert {name.partition(".")[0] for name in load_file(shard)} == set(keys[:2])
    found = asked(teacher, _asking("a", "b", "c"), answers)
    assert [answered.reply for answered in found] == [Reply("ok", "1"), Reply("ok", "1"), Reply("ok", "3")]
    assert list((tmp_path / "best").iterdir()) == [shard]
    asked(teacher, _asking("a"), Answers(tmp_path / "other"))  # where nobody stores them
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers", "best", "other"]


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


def test_a_filing_teacher_asks_only_what_is_not_filed_and_keeps_what_was_told_before_it_was_gone(tmp_path: Path) -> None:
    teacher = Scripted({"a": Reply("ok", "A"), "c": Reply("ok", "C")})
    filing, told = Filing(teacher, Answers(tmp_path)), dict[int, Reply]()
    with pytest.raises(TeacherGoneError):
        filing.ask(_asking("a", "b"), told.__setitem__)
    assert told == {0: Reply("ok", "A")}
    filing.ask(_asking("c", "a"), told.__setitem__)
    assert told == {0: Reply("ok", "C"), 1: Reply("ok", "A")}
    assert teacher.seen == ["a", "b", "c"]
