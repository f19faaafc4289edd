"""What a recommender learns from, as tokens: rows of `recommend_instructions` become prompts and answers, once.

A compact decoder-only model reads a window of a user's history once and learns every answer in it, which is 5 to 10 times
cheaper than a row for every answer; every training answer stands in exactly one window. T5 and language models read one
row for every answer.

Shapes: N examples, M tokens of all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.recommend.prompts import Instruction, Profile, prompt_text, terse

log = logging.getLogger("notemill")
MAX_TOKENS = 1024  # of an example: a history of 20 titles; what is longer loses its beginning
TEXTS_A_BATCH = 20_000


class Lesson(NamedTuple):
    """What is read, and what is learned: the answer, or the answers of a window one after another."""

    prompt: str
    answer: str
    is_text: bool = False  # an answer in words, of which also the end is learned


class Row(NamedTuple):
    """What lessons are made from; a row of the table, with its profile as a `Profile`."""

    task: str
    user_id: str | None
    semantic_id: str
    position: int
    history: list[str]
    profile: Profile
    instruction: Instruction


class Examples(NamedTuple):
    """The tokens of example n are token_M[indptr_N1[n] : indptr_N1[n + 1]]; the last learned_N[n] of them are learned."""

    token_M: NDArray[np.int32]
    indptr_N1: NDArray[np.int64]
    learned_N: NDArray[np.int32]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """length_N: how many tokens each has."""
        return np.diff(self.indptr_N1)


@dataclass
class Window:
    """A stretch of one user's history under way: what is known before it, and the answers so far."""

    profile: Profile
    known: list[str]
    answers: list[str] = field(default_factory=list)
    position: int = -1

    def lesson(self) -> Lesson:
        """What the model sees of it."""
        return Lesson(terse(self.profile, self.known), "".join(self.answers))


def windows(rows: Iterable[Row], history: int) -> Iterator[Lesson]:
    """Lessons of at most `history` + 1 notes from rows of next items in order of user and position.

    A full window is followed by one that begins with half of it as what is known, so that an answer has at least half
    a history before it where there is one. A row that does not follow the one before it begins a window of its own.
    """
    user: str | None = None
    window: Window | None = None
    for row in rows:
        if window is not None and not _follows(window, user, row):
            yield window.lesson()
            window = None
        if window is not None and len(window.known) + len(window.answers) > history:
            yield window.lesson()
            window = Window(row.profile, row.history[-max(1, history // 2) :])
        if window is None:
            window = Window(row.profile, row.history[-max(1, history // 2) :])
        user, window.position = row.user_id, row.position
        window.answers.append(row.semantic_id)
    if window is not None:
        yield window.lesson()


def _follows(window: Window, user: str | None, row: Row) -> bool:
    """Whether the row's history ends with what the window has told so far."""
    told = [*window.known, *window.answers][-len(row.history) :] if row.history else []
    is_next = row.user_id == user and row.position == window.position + 1 and row.profile == window.profile
    return is_next and bool(told) and told == row.history[-len(told) :]


def terse_lesson(row: Row, history: int) -> Lesson:
    """One row for a compact model; titles' tasks in the words of their input, after a word for the task."""
    if row.task == "next_item":
        return Lesson(terse(row.profile, row.history[-history:]), row.semantic_id)
    return Lesson(
        f"{task_word(row.task)} {row.instruction.input}",
        row.instruction.output,
        row.task.endswith("to_title"),
    )


def sentence_lesson(row: Row) -> Lesson:
    """One row for a language model, in the table's own words.

    No chat template: what is asked and how it is answered is taught here, the same for base and instructed models, and
    a template would be paid for in every row.
    """
    return Lesson(prompt_text(row.instruction), row.instruction.output, row.task.endswith("to_title"))


def task_word(task: str) -> str:
    """The word of a compact model's vocabulary for a task."""
    return f"<task:{task}>"


def prompt_tokens(tokenizer: Any, prompts: list[str]) -> list[list[int]]:
    """The tokens of prompts as a model reads them in training and later; a closing sign is not part of a question."""
    found: list[list[int]] = tokenizer(prompts, verbose=False)["input_ids"] if prompts else []
    stop = tokenizer.eos_token_id
    return [tokens[:-1] if tokens and tokens[-1] == stop else tokens for tokens in found]


def tokenised(tokenizer: Any, lessons: Iterable[Lesson]) -> Examples:
    """The lessons as arrays, in their order."""
    tokens, lengths, learned = list[NDArray[np.int32]](), list[int](), list[int]()
    num_cut = 0
    for batch in _batches(lessons):
        prompts = prompt_tokens(tokenizer, [lesson.prompt for lesson in batch])
        answers = tokenizer([lesson.answer for lesson in batch], add_special_tokens=False)["input_ids"]
        for lesson, prompt, answer in zip(batch, prompts, answers, strict=True):
            end = [tokenizer.eos_token_id] if lesson.is_text else []
            whole = [*prompt, *answer, *end]
            num_cut += len(whole) > MAX_TOKENS
            tokens.append(np.array(whole[-MAX_TOKENS:], dtype=np.int32))
            lengths.append(len(tokens[-1]))
            learned.append(min(len(answer) + len(end), lengths[-1] - 1))
    if num_cut:
        log.warning("recommender: %d examples lost their beginning: more than %d tokens", num_cut, MAX_TOKENS)
    indptr_N1 = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    token_M = np.concatenate(tokens) if tokens else np.empty(0, dtype=np.int32)
    return Examples(token_M, indptr_N1, np.array(learned, dtype=np.int32))


def _batches(lessons: Iterable[Lesson]) -> Iterator[list[Lesson]]:
    batch: list[Lesson] = []
    for lesson in lessons:
        batch.append(lesson)
        if len(batch) == TEXTS_A_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def save_examples(folder: Path, name: str, examples: Examples) -> None:
    """Write the arrays so that any process can map them into memory."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, array in examples._asdict().items():
        np.save(folder / f"{name}.{part}.npy", array, allow_pickle=False)


def open_examples(folder: Path, name: str) -> Examples:
    """The arrays, mapped: only what is touched is read."""
    parts = [
        np.load(folder / f"{name}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in Examples._fields
    ]
    return Examples(*parts)
