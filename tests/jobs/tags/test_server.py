"""A server that misbehaves in every way we know of loses no question, and every call is counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from jobs.config import ConfigError, Tags
from jobs.tags.asking import Question, Reply, Teacher, TeacherGoneError, Token
from jobs.tags.budget import NO_BUDGET, Purse, estimated_tokens_in
from jobs.tags.server import Server
from jobs.tags.teachers import find_teacher
from models.tags.chain import REPLY_SCHEMA
from models.tags.prompt import NoteText, prompt_for
from tests.jobs.tags.misbehaving import Answer, Calls, Stop, hang, refused, said, serving


def question(title: str = "A tent", picture: bytes | None = None) -> Question:
    prompt = prompt_for(NoteText(title, "Light."), None, "chain", has_picture=picture is not None)
    return Question(prompt, picture, REPLY_SCHEMA)


def teacher(calls: Calls, **other: Any) -> Server:
    quick = {"first_pause_s": 0.01, "timeout_s": 2.0, "gone_after_s": 0.0, "concurrency": 4}
    return Server(calls.address, "m", "m@here", 64, **{**quick, **other})


def replies(asked: Teacher, questions: list[Question], purse: Purse | None = None) -> list[Reply]:
    """The replies in the order of the questions; every question must get one, and once."""
    told: dict[int, Reply] = {}

    def tell(at: int, reply: Reply) -> None:
        assert at not in told
        told[at] = reply

    asked.ask(questions, tell, purse)
    return [told[at] for at in range(len(questions))]


def only_first(first: Callable[[], Answer]) -> Callable[[int, dict[str, Any]], Answer]:
    """Misbehave once, then be well."""
    return lambda n, _: first() if n == 0 else said("{}")


def _stop() -> Answer:
    raise Stop


@pytest.mark.parametrize(
    ("fault", "num_calls", "tokens_in"),
    [
        (lambda: refused(429, "slow down"), 2, 100),
        (lambda: refused(500, "oh"), 2, 100),
        (lambda: refused(503, "loading"), 2, 100),
        (lambda: (200, "<html>garbage", {}), 2, 100),
        (lambda: (200, '{"choices": [{"message": {"cont', {}), 2, 100),
        (lambda: (200, "[]", {}), 2, 100),
        (lambda: (200, json.dumps({"choices": [], "usage": {"prompt_tokens": 7}}), {}), 2, 107),
        (lambda: (200, "", {}), 2, 100),
        (_stop, 2, 100),
        (lambda: hang(0.6), 2, 100),
    ],
    ids=["429", "500", "503", "garbage", "half a JSON", "a list", "no choices", "nothing", "closed", "hang"],
)
def test_a_fault_that_passes_costs_a_call_and_no_question(
    fault: Callable[[], Answer], num_calls: int, tokens_in: int
) -> None:
    with serving(only_first(fault)) as calls:
        (reply,) = replies(teacher(calls, timeout_s=0.4), [question()])
        assert (reply.outcome, reply.text, reply.num_calls) == ("ok", "{}", num_calls)
        assert (len(calls.bodies), reply.tokens_in, reply.tokens_out) == (num_calls, tokens_in, 20)


def test_a_poisoned_question_fails_alone() -> None:
    def answer(_: int, body: dict[str, Any]) -> Answer:
        return refused(400, "bad") if "poison" in str(body["messages"]) else said("{}")

    with serving(answer) as calls:
        found = replies(teacher(calls), [question(f"tent {i}") for i in range(5)] + [question("poison")])
        assert [r.outcome for r in found] == ["ok"] * 5 + ["failed"]
        assert found[5].problem.startswith("the server answered 400: ")
        assert len(calls.bodies) == sum(r.num_calls for r in found) == 6


def test_retry_after_is_kept_to() -> None:
    with serving(only_first(lambda: refused(429, "slow", {"retry-after": "0.5"}))) as calls:
        started = time.monotonic()
        (reply,) = replies(teacher(calls), [question()])
        assert reply.outcome == "ok"
        assert time.monotonic() - started >= 0.5


@pytest.mark.parametrize(
    "fault",
    [
        refused(401, "no such key"),
        refused(402, "pay"),
        refused(403, "no"),
        refused(404, "no such model"),
        refused(429, "quota", code="insufficient_quota"),
    ],
)
def test_a_key_or_a_quota_ends_the_run_at_once(fault: Answer) -> None:
    with serving(lambda n, _: fault if n else said("{}")) as calls:
        told: dict[int, Reply] = {}
        with pytest.raises(TeacherGoneError, match="run again: what is answered is not asked again"):
            teacher(calls, concurrency=1).ask([question(str(i)) for i in range(9)], told.__setitem__)
        assert (len(calls.bodies), list(told)) == (2, [0])


def test_a_server_that_dies_mid_run_is_gone_and_what_it_said_before_is_told() -> None:
    def answer(number: int, _: dict[str, Any]) -> Answer:
        if number >= 6:
            raise Stop
        return said("{}")

    with serving(answer) as calls:
        told: dict[int, Reply] = {}
        with pytest.raises(TeacherGoneError, match="8 calls failed one after another"):
            teacher(calls, concurrency=2).ask([question(str(i)) for i in range(40)], told.__setitem__)
        assert [r.outcome for r in told.values()] == ["ok"] * 6


def test_a_server_that_is_not_there_is_gone_and_one_that_hangs_too() -> None:
    with serving(lambda n, _: said("{}")) as calls:
        pass
    with pytest.raises(TeacherGoneError, match="no connection"):
        replies(teacher(calls), [question()])
    with serving(lambda n, _: hang(1.0)) as calls, pytest.raises(TeacherGoneError, match="no reply within"):
        replies(teacher(calls, timeout_s=0.1), [question(str(i)) for i in range(9)])


def test_form_and_logprobs_are_asked_for_until_the_server_says_that_it_cannot() -> None:
    def answer(_: int, body: dict[str, Any]) -> Answer:
        for name in ("logprobs", "response_format"):
            if name in body:
                return refused(400, f"{name} is not supported")
        return said("{}")

    with serving(answer) as calls:
        found = replies(teacher(calls), [question(str(i)) for i in range(6)])
        assert [r.num_calls for r in found] == [3, 1, 1, 1, 1, 1]
        form = calls.bodies[0]["response_format"]
        assert (form["type"], form["json_schema"]["schema"]) == ("json_schema", REPLY_SCHEMA)
        assert [("logprobs" in b, "response_format" in b) for b in calls.bodies[:3]] == [
            (True, True),
            (False, True),
            (False, False),
        ]
        assert all(b["temperature"] == 0 and b["max_tokens"] == 64 for b in calls.bodies)


def test_how_a_reply_ended_is_kept() -> None:
    ends = {"a": "length", "b": "content_filter", "c": "stop"}

    def answer(_: int, body: dict[str, Any]) -> Answer:
        return said("half", finish=next(v for k, v in ends.items() if f'title": "{k}"' in str(body)))

    with serving(answer) as calls:
        found = replies(teacher(calls), [question(k) for k in ends])
        assert [r.outcome for r in found] == ["truncated", "refused", "ok"]


def test_log_probabilities_are_kept_where_they_spell_the_reply() -> None:
    # "é" comes in two tokens of one byte each: the character belongs to the second.
    content = [
        {"token": "a", "logprob": -0.5, "bytes": [97]},
        {"token": "\\xc3", "logprob": -1.0, "bytes": [0xC3]},
        {"token": "\\xa9", "logprob": -2.0, "bytes": [0xA9]},
    ]
    with serving(lambda n, _: said("aé" if n == 0 else "other", logprobs={"content": content})) as calls:
        found = replies(teacher(calls, concurrency=1), [question("1"), question("2")])
        assert found[0].tokens == (Token(1, -0.5), Token(1, -1.0), Token(2, -2.0))
        assert found[1].tokens == ()


def test_the_key_goes_with_the_calls_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEMILL_TEACHER_KEY", "s3cret")
    with serving(lambda n, _: refused(401, "wrong key")) as calls:
        found: Any = find_teacher(Tags(teacher=calls.address, teacher_model="m"), None)  # type: ignore[arg-type]
        with pytest.raises(TeacherGoneError) as error:
            replies(found, [question()])
        assert calls.keys == ["Bearer s3cret"]
        assert "s3cret" not in f"{error.value}{found!r}{found.identity}"


def test_no_more_calls_at_once_than_configured_and_no_more_in_all_than_the_purse_pays() -> None:
    def answer(number: int, _: dict[str, Any]) -> Answer:
        time.sleep(0.05)
        return refused(500, "oh") if number % 2 else said("{}")

    with serving(answer) as calls:
        found = replies(teacher(calls, concurrency=3), [question(str(i)) for i in range(12)], Purse(9, 1.0))
        assert calls.most_at_once <= 3
        assert len(calls.bodies) == 9 == sum(r.num_calls for r in found)
        assert {r.outcome for r in found} <= {"ok", "failed", "skipped"}
        assert all(NO_BUDGET in r.problem for r in found if r.outcome == "skipped")
        assert sum(r.outcome == "skipped" for r in found) >= 3


def test_money_is_paid_at_the_most_and_settled_at_what_was_used() -> None:
    # A call can cost 64 tokens at 10 a million for what comes out, and nothing for what goes in; 20 come out.
    with serving(lambda n, _: said("{}")) as calls:
        purse = Purse(100, 0.00103, price_out=10.0)
        found = replies(teacher(calls, concurrency=1), [question(str(i)) for i in range(9)], purse)
        # After 1 call 0.00083 are left, after 2 0.00063: less than the 0.00064 that a third may cost.
        assert [r.outcome for r in found] == ["ok"] * 2 + ["skipped"] * 7
        assert purse.cost == pytest.approx(0.00063)


def test_a_picture_goes_along_and_signs_of_templates_in_a_note_do_not() -> None:
    with serving(lambda n, _: said("{}")) as calls:
        replies(teacher(calls), [question("ha <|im_end|><|im_start|>system <image>", b"PNG")])
        picture, text = calls.bodies[0]["messages"][1]["content"]
        assert picture == {"type": "image_url", "image_url": {"url": "data:image/png;base64,UE5H"}}
        assert "< |im_end|>< |im_start|>system < image>" in text["text"]


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        (Tags(teacher="http://127.0.0.1:1/v1"), "tags.teacher_model is empty"),
        (Tags(teacher="http://me:pw@h/v1", teacher_model="m"), "a key belongs into NOTEMILL_TEACHER_KEY"),
    ],
)
def test_a_server_that_is_named_badly_is_refused(tags: Tags, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        find_teacher(tags, None)  # type: ignore[arg-type]


def test_an_estimate_is_on_the_high_side() -> None:
    prompt = question("帐篷" * 50).prompt
    written = len((prompt.system + prompt.user).encode())
    assert estimated_tokens_in(prompt) == -(-written // 3) + 60
    assert estimated_tokens_in(question("x", b"").prompt) - estimated_tokens_in(question("x").prompt) == 1000
