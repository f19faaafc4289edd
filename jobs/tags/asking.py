"""The one small interface behind which every teacher and student stands: questions in, replies out, in order.

Who implements it: `local_model.py` (any Hugging Face image-text-to-text or causal model) and `server.py` (any
OpenAI-compatible server). Who uses it asks through `answers.py`, which files every answer and asks nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from jobs.tags.budget import Purse
from models.tags.prompt import Prompt

if TYPE_CHECKING:
    from jobs.tags.teacher_top_k import ToldTopK

Outcome = Literal["ok", "truncated", "refused", "failed", "skipped"]


@dataclass(frozen=True)
class Question:
    """One prompt with its picture's bytes (None where it has none), checked already, and the form its reply should have."""

    prompt: Prompt
    picture: bytes | None = None
    reply_schema: dict[str, Any] | None = None


class Token(NamedTuple):
    """One token of a reply: where its text ends in the reply, and its natural log-probability."""

    end: int
    logprob: float


class Reply(NamedTuple):
    """What came back. `tokens_*` and `num_calls` count failed and repeated calls too; `tokens` is empty where the model
    does not say. `top_k` comes with a new reply of a local teacher alone, and is stored beside the answers."""

    outcome: Outcome
    text: str
    problem: str = ""
    tokens: tuple[Token, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    num_calls: int = 0
    latency_ms: float = 0.0
    top_k: ToldTopK | None = None


class Teacher(Protocol):
    """A model that answers. `identity` stands for its weights and decoding options: same identity, same answers."""

    @property
    def identity(self) -> str: ...

    def ask(
        self, questions: Sequence[Question], tell: Callable[[int, Reply], None], purse: Purse | None = None
    ) -> None:
        """Answer all questions, calling `tell(position, reply)` as soon as each is answered, in any order.

        A question that cannot be answered gets a `failed` reply, and a `skipped` one where the purse is empty: every
        call, a repeated one too, is paid for before it is made. Raises `TeacherGoneError` where the teacher as a whole
        is gone (a dead server, a quota): those told before are kept.
        """


class TeacherGoneError(Exception):
    """Why no further question can be answered now, and what to do about it."""
