"""Lessons as a student's tensors: what each step of a training learns from, as its seed and what is hard decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jobs.tags.lessons import Lesson
from jobs.tags.student_model import Inputs, StudentModel
from jobs.tags.teacher_top_k import TopK
from models.tags.distillation import (
    category_weights,
    drawn,
    reply_loss,
    tags_reply,
    tasks,
    top_k_divergence,
    with_hard_examples,
)
from models.tags.fewer_words import fewer_words
from models.tags.handbook import Page, page_for
from models.tags.prompt import Task, prompt_for

ENCODED_LESSONS = 2048  # kept in memory; more are read again


@dataclass(frozen=True)
class Recipe:
    """How to distil. Rate and warm-up are usual for small transformers; the rest is ours."""

    steps: int
    seed: int
    rationale_weight: float = 0.5  # of task `chain` beside 1 for `tags`; a chain is twice as long
    top_k_weight: float = 0.5  # of the divergence beside the cross-entropy, where there is a teacher's top k
    balance_temperature: float = 2.0  # categories are drawn by the square root of their size
    hard_emphasis: float = 3.0  # a note that the student gets all wrong is drawn four times as often
    round_steps: int = 100  # steps between two judgements of what is hard and whether to stop
    round_notes: int = 256  # notes judged anew each round, in turn
    patience: int = 5  # rounds without a better held-out slice before it stops
    batch_notes: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.05
    has_looks: bool = False  # another look and fewer words at every step (for a student that is trained from nothing)


class Batch(NamedTuple):
    """What one step learns from; `top_k` are for the rows that have them."""

    inputs: Inputs
    reply_BT: Tensor
    top_k: Sequence[TopK | None]


class Pupil:
    """A student with how it reads its lessons: notes with their category's page, and replies of either task."""

    def __init__(
        self,
        student: StudentModel,
        pages: Mapping[str, Page],
        top_k_of: Callable[[str], TopK | None] = lambda _: None,
    ) -> None:
        self.student, self.pages, self.top_k_of = student, pages, top_k_of
        self._encoded = lru_cache(maxsize=ENCODED_LESSONS)(self._encode)

    def batch(self, members: Sequence[tuple[Lesson, Task]]) -> Batch:
        """The lessons as one batch."""
        rows = [self._encoded(lesson, task) for lesson, task in members]
        inputs, reply_BT = self.student.batch([r[0] for r in rows], [r[1] for r in rows])
        return Batch(inputs, reply_BT, [r[2] for r in rows])

    def logits(self, batch: Batch) -> Tensor:
        """logits_BTV of the batch's replies."""
        return self.student.reply_logits(batch.inputs, batch.reply_BT.shape[1])

    @torch.inference_mode()
    def told(self, lessons: Sequence[Lesson]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """loss_N and wrong_N of the task `tags`, with the teacher's tokens before each (no answer is generated)."""
        self.student.network.eval()
        batches = [
            self.batch([(x, "tags") for x in lessons[at : at + 16]]) for at in range(0, len(lessons), 16)
        ]
        found = [reply_loss(self.logits(batch), batch.reply_BT) for batch in batches]
        loss_N, wrong_N = (torch.cat([t[i] for t in found]).double().cpu().numpy() for i in range(2))
        return loss_N, wrong_N

    def _encode(self, lesson: Lesson, task: Task) -> tuple[Inputs, list[int], TopK | None]:
        """A lesson as tensors; the teacher's own tokens where its probabilities are known."""
        has_picture = lesson.picture is not None and self.student.sees_pictures
        prompt = prompt_for(
            lesson.note, page_for(self.pages, lesson.note.category), task, has_picture=has_picture
        )
        inputs = self.student.prompt_inputs(prompt, lesson.picture_bytes() if has_picture else None)
        if task == "tags":
            given = (lesson.dimensions, lesson.tags, lesson.evidence)
            return inputs, self.student.reply_tokens(tags_reply(*given, sees_picture=has_picture)), None
        top = self.top_k_of(lesson.answer) if lesson.answer else None
        return inputs, self.student.reply_tokens(lesson.reply) if top is None else top.tokens.tolist(), top


def with_fewer_words(lesson: Lesson, dice: np.random.Generator) -> Lesson:
    """A lesson with a picture lacks some words of its note; one without stays as it is."""
    if lesson.picture is None:
        return lesson
    title, body = (
        fewer_words(text, lesson.reply, lesson.evidence, dice) for text in (lesson.note.title, lesson.note.body)
    )
    return replace(lesson, note=replace(lesson.note, title=title, body=body))


def divergence(logits_BTV: Tensor, batch: Batch) -> Tensor | None:
    """The mean divergence over the batch's tokens that have a teacher's top k; None where no row has."""
    rows = [(row, top) for row, top in enumerate(batch.top_k) if top is not None]
    if not rows:
        return None
    said = torch.cat([logits_BTV[row, -len(top.tokens) :] for row, top in rows])
    ids_TK = torch.cat([torch.from_numpy(top.ids_TK) for _, top in rows]).to(said.device)
    logprobs_TK = torch.cat([torch.from_numpy(top.logprobs_TK) for _, top in rows]).to(said.device)
    return top_k_divergence(said, ids_TK, logprobs_TK)


def drawn_round(
    number: int, recipe: Recipe, lessons: Sequence[Lesson], wrong_N: NDArray[np.float64]
) -> list[list[tuple[Lesson, Task]]]:
    """The batches of one round: categories balanced, what is hard more often, each batch of lessons of like length.

    `wrong_N` is the share of tokens that the student gets wrong, NaN for what was not judged yet.
    """
    dice = np.random.default_rng([recipe.seed, number])
    count, size = recipe.round_steps * recipe.batch_notes, recipe.batch_notes
    balance_N = category_weights([x.category for x in lessons], recipe.balance_temperature)
    notes = drawn(with_hard_examples(balance_N, _filled(wrong_N), recipe.hard_emphasis), count, dice).tolist()
    pairs = [
        (lessons[n], task) for n, task in zip(notes, tasks(count, recipe.rationale_weight, dice), strict=True)
    ]
    # Sorted by length among some neighbours only: batches stay mixed, and little of them is padding.
    some = size * 10
    rows = [row for at in range(0, count, some) for row in sorted(pairs[at : at + some], key=_length)]
    batches = [rows[at : at + size] for at in range(0, count, size)]
    return [batches[i] for i in dice.permutation(len(batches))]


def _filled(wrong_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """A note that was not judged yet is taken to be as hard as those that were."""
    is_known_N = ~np.isnan(wrong_N)
    return np.where(is_known_N, wrong_N, wrong_N[is_known_N].mean() if is_known_N.any() else 0.0)


def _length(row: tuple[Lesson, Task]) -> tuple[int, str]:
    lesson, task = row
    return len(lesson.note.body) + len(lesson.reply) * (2 if task == "chain" else 1), lesson.note_id
