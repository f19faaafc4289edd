"""An OpenAI-compatible server (vLLM and the like) as a teacher: many calls at once, patience with limits, none with loss.

What may pass (429, 5xx, time-outs, broken replies) is tried again after a pause that doubles, with full jitter, or that
the server names (Retry-After). What will not pass (a key, a quota) ends the run. Form and log-probabilities are asked for
until the server says that it cannot. The key comes from NOTEMILL_TEACHER_KEY and is never written anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.tags.asking import Question, Reply, TeacherGoneError
from jobs.tags.budget import NO_BUDGET, Purse, estimated_tokens_in
from jobs.tags.server_replies import UNKNOWN_UNSAID, Heard, heard_error, heard_reply
from models.tags.disarm import disarmed

KEY_VARIABLE = "NOTEMILL_TEACHER_KEY"
GONE_AFTER_FAILURES = 8  # calls that failed one after another ...


@dataclass(frozen=True)
class Server:
    """A server and one of its models. `identity` holds neither the key nor how the calls are made."""

    address: str
    model: str
    identity: str
    max_new_tokens: int
    concurrency: int = 8
    timeout_s: float = 120.0
    key: str = field(default="", repr=False)
    tries: int = 6
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    gone_after_s: float = 60.0  # ... and time since one succeeded: more than a hiccup, less than a restart of vLLM

    def ask(
        self, questions: Sequence[Question], tell: Callable[[int, Reply], None], purse: Purse | None = None
    ) -> None:
        """As `Teacher.ask`, `concurrency` calls at once; the first alone, to learn what the server knows."""
        if questions:
            asyncio.run(_Asking(self, tell, purse).all(questions))


@dataclass
class _Asking:
    """One `ask`: what the server was found not to know, and how it has been doing."""

    server: Server
    tell: Callable[[int, Reply], None]
    purse: Purse | None
    unknown: set[str] = field(default_factory=set)
    has_heard: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    has_succeeded: bool = False
    last_success: float = field(default_factory=time.monotonic)

    async def all(self, questions: Sequence[Question]) -> None:
        """Ask everything; what ends the run ends the calls under way."""
        import openai

        places = iter(range(len(questions)))
        async with openai.AsyncOpenAI(
            base_url=self.server.address,
            api_key=self.server.key or "none",
            max_retries=0,  # calls are counted here
            timeout=self.server.timeout_s,
        ) as client:

            async def work(is_first: bool) -> None:
                if not is_first:
                    await self.has_heard.wait()
                for at in places:
                    self.tell(at, await self._answer(client, questions[at]))

            gone: TeacherGoneError | None = None
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(min(self.server.concurrency, len(questions))):
                        group.create_task(work(number == 0))
            except* TeacherGoneError as several:
                gone = TeacherGoneError(str(several.exceptions[0]))
            # Raised here: early releases of Python 3.11 wrap what is raised in the block above in a group.
            if gone is not None:
                raise gone

    async def _answer(self, client: Any, question: Question) -> Reply:
        """One question until it is answered, given up, or the server is."""
        total, tries, most = Reply("failed", ""), 0, self._most(question)
        while tries < self.server.tries:
            if self.purse is not None and not self.purse.take(*most):
                problem = f"{total.problem}; {NO_BUDGET}" if total.num_calls else NO_BUDGET
                return total._replace(outcome="failed" if total.num_calls else "skipped", problem=problem)
            started = time.monotonic()
            heard = await self._call(client, question)
            total = _with_call(total, heard, time.monotonic() - started)
            if self.purse is not None and heard.is_settled:
                self.purse.give_back(most[0] - heard.tokens_in, most[1] - heard.tokens_out)
            if heard.outcome is not None:
                self.failures, self.has_succeeded, self.last_success = 0, True, time.monotonic()
                self.has_heard.set()
                return total
            if self._leave_out(heard):
                continue
            self.has_heard.set()
            self._count_failure(heard)
            tries = self.server.tries if heard.is_final else tries + heard.num_tries
            if tries < self.server.tries:
                await asyncio.sleep(self._pause(tries, heard.wait_s))
        if heard.status == 0 and heard.is_settled and not self.has_succeeded:
            raise TeacherGoneError(self._gone(heard.problem))
        return total

    def _most(self, question: Question) -> tuple[int, int]:
        return estimated_tokens_in(question.prompt), self.server.max_new_tokens

    async def _call(self, client: Any, question: Question) -> Heard:
        """One HTTP request."""
        import openai

        late = Heard(
            problem=f"no reply within {self.server.timeout_s:g} s", is_settled=False, num_tries=2
        )
        try:
            async with asyncio.timeout(self.server.timeout_s):  # also for a server that trickles
                raw = await client.chat.completions.with_raw_response.create(**self._request(question))
                return heard_reply(raw.text)
        except (TimeoutError, openai.APITimeoutError):
            return late
        except openai.APIStatusError as error:
            return heard_error(error.status_code, error.response.text, error.response.headers)
        except openai.APIConnectionError as error:
            is_cut = "disconnected" in str(error.__cause__) or "peer closed" in str(error.__cause__)
            return Heard(problem=f"no connection: {error.__cause__ or error}"[:300], is_settled=not is_cut)
        except (openai.APIError, UnicodeError) as error:
            return Heard(problem=f"the server's reply is broken: {error}"[:300], status=200, is_settled=False)

    def _request(self, question: Question) -> dict[str, Any]:
        wanted: dict[str, Any] = {
            "model": self.server.model,
            "messages": messages_of(question),
            "max_tokens": self.server.max_new_tokens,
            "temperature": 0.0,
            "logprobs": True,
        }
        if question.reply_schema is not None:
            form = {"name": "reply", "schema": question.reply_schema, "strict": True}
            wanted["response_format"] = {"type": "json_schema", "json_schema": form}
        if "max_tokens" in self.unknown:
            wanted["max_completion_tokens"] = self.server.max_new_tokens
        return {name: value for name, value in wanted.items() if name not in self.unknown}

    def _leave_out(self, heard: Heard) -> bool:
        """Whether there is something more to leave out of the calls of this run after what the server said."""
        if not heard.is_final:
            return False
        said = set(heard.unknown) or (set() if self.has_succeeded else set(UNKNOWN_UNSAID))
        is_more = not said <= self.unknown
        self.unknown |= said
        return is_more

    def _count_failure(self, heard: Heard) -> None:
        """Raises `TeacherGoneError` where the server as a whole is gone; one that says when to come back is not."""
        if heard.is_end:
            raise TeacherGoneError(self._gone(heard.problem))
        self.failures += heard.status != 429
        is_long = time.monotonic() - self.last_success >= self.server.gone_after_s
        if self.failures >= GONE_AFTER_FAILURES and (is_long or (heard.is_final and not self.has_succeeded)):
            raise TeacherGoneError(self._gone(f"{self.failures} calls failed one after another: {heard.problem}"))

    def _gone(self, problem: str) -> str:
        return (
            f"teacher {self.server.model} at {self.server.address} does not answer: {problem}. Look after the server "
            f"(tags.teacher, tags.teacher_model, {KEY_VARIABLE}) and run again: what is answered is not asked again"
        )

    def _pause(self, tries: int, wait_s: float | None) -> float:
        """Seconds until the next try: what the server asks for and a little, else 2^n with full jitter."""
        longest = self.server.longest_pause_s
        if wait_s is not None:
            return min(wait_s, longest) + random.random() * self.server.first_pause_s
        return random.random() * min(self.server.first_pause_s * 2**tries, longest)


def messages_of(question: Question) -> list[dict[str, Any]]:
    """The chat as the protocol has it: the picture as a data URL, and no sign of a template's turns in what notes say."""
    messages: list[dict[str, Any]] = []
    for message in question.prompt.messages():
        parts: Any = message["content"]
        messages.append({"role": message["role"], "content": [_part(p, question.picture) for p in parts]})
    system = messages[0]["content"][0]["text"]
    return [{"role": "system", "content": system}, *messages[1:]]


def _part(part: dict[str, Any], picture: bytes | None) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "text", "text": disarmed(part["text"]).encode("utf-8", "replace").decode()}
    url = "data:image/png;base64," + base64.b64encode(picture or b"").decode()
    return {"type": "image_url", "image_url": {"url": url}}


def _with_call(total: Reply, heard: Heard, seconds: float) -> Reply:
    """What is known after one more call."""
    return Reply(
        heard.outcome or "failed",
        heard.text,
        heard.problem,
        heard.tokens,
        total.tokens_in + heard.tokens_in,
        total.tokens_out + heard.tokens_out,
        total.num_calls + 1,
        total.latency_ms + seconds * 1000,
    )
