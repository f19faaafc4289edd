"""An OpenAI-compatible server (vLLM and the like) as a teacher: many calls at once, patience with limits, none with loss.

What may pass (429, 5xx, time-outs, broken replies) is tried again after a pause that doubles, with full jitter, or that
the server names (Retry-After). What will not pass (a key, a quota) ends the run. Form and log-probabilities are asked for
until the server says that it cannot. The key comes from NOTEMILL_TEACHER_KEY and is never written anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.tags.asking import Question, Reply, TeacherGoneError
from jobs.tags.budget import NO_BUDGET, Purse, estimated_tokens_in
from jobs.tags.server_replies import Broken, Heard, Refused, read_error, read_reply
from models.tags.disarm import disarmed

KEY_VARIABLE = "NOTEMILL_TEACHER_KEY"
GONE_AFTER_FAILURES = 8  # calls that failed one after another, and ...
GONE_AFTER_S = 60.0  # ... time since one succeeded: more than a hiccup, less than the restart of a server


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
    gone_after_s: float = GONE_AFTER_S

    def ask(
        self, questions: Sequence[Question], tell: Callable[[int, Reply], None], purse: Purse | None = None
    ) -> None:
        """As `Teacher.ask`, `concurrency` calls at once; the first alone, so that little is lost on a server that is gone."""
        if questions:
            asyncio.run(_Asking(self, tell, purse).all(questions))


@dataclass
class _Asking:
    """One `ask`: what the server was found to offer, and how it has been doing."""

    server: Server
    tell: Callable[[int, Reply], None]
    purse: Purse | None
    offers: dict[str, bool] = field(default_factory=lambda: {"response_format": True, "logprobs": True})
    failures: int = 0
    succeeded: bool = False
    last_success: float = field(default_factory=time.monotonic)
    last_problem: str = ""

    async def all(self, questions: Sequence[Question]) -> None:
        """Ask everything; the first error that ends the run stops the calls that are under way."""
        import openai

        places = iter(range(len(questions)))
        async with openai.AsyncOpenAI(
            base_url=self.server.address,
            api_key=self.server.key or "none",
            max_retries=0,  # calls are counted here
            timeout=self.server.timeout_s,
        ) as client:

            async def work(limit: int | None = None) -> None:
                for at in places:
                    self.tell(at, await self._answer(client, questions[at]))
                    if limit:
                        return

            try:
                await work(limit=1)
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.server.concurrency, len(questions) - 1)):
                        group.create_task(work())
            except* TeacherGoneError as gone:
                raise gone.exceptions[0] from None
        if self.failures and not self.succeeded:
            raise TeacherGoneError(self._gone("answered no question at all"))

    async def _answer(self, client: Any, question: Question) -> Reply:
        """One question until it is answered, given up, or the server is."""
        total = Reply("failed", "")
        started = time.monotonic()
        tries = 0
        while tries < self.server.tries:
            most = (estimated_tokens_in(question.prompt), self.server.max_new_tokens)
            if self.purse is not None and not self.purse.take(*most):
                return total._replace(problem=f"{total.problem}; {NO_BUDGET}") if tries else Reply("skipped", "", NO_BUDGET)
            heard = await self._call(client, question)
            total = _with_call(total, heard, time.monotonic() - started)
            if self.purse is not None and heard.is_settled:
                self.purse.give_back(most[0] - heard.tokens_in, most[1] - heard.tokens_out)
            if heard.reply is not None:
                self.failures, self.succeeded, self.last_success = 0, True, time.monotonic()
                return total
            if heard.withdrawn and self._withdraw(heard.withdrawn):
                continue
            tries += 1
            if heard.is_final:
                self._count_failure(heard)
                return total
            self._count_failure(heard)
            if tries < self.server.tries:
                await asyncio.sleep(self._pause(tries, heard.wait_s))
        return total

    async def _call(self, client: Any, question: Question) -> Heard:
        """One HTTP request."""
        import openai

        wanted = self._wanted(question)
        try:
            async with asyncio.timeout(self.server.timeout_s):  # also for a server that trickles
                raw = await client.chat.completions.with_raw_response.create(**wanted)
            return read_reply(raw.text)
        except TimeoutError:
            return Heard(problem=f"no reply within {self.server.timeout_s:g} s", is_settled=False)
        except openai.APIStatusError as error:
            return read_error(error.status_code, error.response.text, error.response.headers, wanted)
        except openai.APITimeoutError:
            return Heard(problem=f"no reply within {self.server.timeout_s:g} s", is_settled=False)
        except openai.APIConnectionError as error:
            return Heard(problem=f"no connection to {self.server.address}: {error.__cause__ or error}"[:200])
        except (openai.APIError, Broken, UnicodeError) as error:
            return Heard(problem=f"the server's reply is broken: {error}"[:200], is_settled=False)
