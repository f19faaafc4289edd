"""Trains the teacher: next-token loss on the reply alone, a short warm-up and a cosine to zero.

Matrices between layers are trained by Muon, all else by AdamW: after 300 steps of the same lessons the held-out loss was
1.19 instead of AdamW's 1.38, and looks were read right twice as often.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import Idefics3ForConditionalGeneration, Idefics3Processor

from demo.teacher.eyes import open_eyes
from demo.teacher.lessons import Lesson, School, draw_lessons
from demo.teacher.tokenizer import AROUND, IMAGE, WHOLE

EYE_STEPS = 40  # on pictures alone, before every 100 steps of lessons; no part of `seconds`
_POOL = 32  # batches that are sorted by length together


@dataclass(frozen=True)
class Course:
    """How long and how a teacher is trained; the defaults take two cores about ten minutes."""

    steps: int = 2400
    seconds: float = math.inf  # when less time than `steps` take is given, the schedule ends early
    batch: int = 8  # lessons
    rate: float = 3e-3  # AdamW's
    matrix_rate: float = 0.02  # Muon's
    decay: float = 0.05  # Muon's
    warm_up: float = 0.04  # share of the schedule
    clip: float = 1.0
    threads: int = 2
    is_half: bool = True  # bfloat16 products, where the processor has them


class Batch(NamedTuple):
    """Lessons as tensors, padded on the right: B lessons, L tokens, P of the lessons with a picture."""

    ids_BL: Tensor
    mask_BL: Tensor
    is_reply_BL: Tensor  # the tokens that the loss is taken on
    pixels_P: Tensor | None  # (P, 1, 3, side, side)


class Progress(NamedTuple):
    """How far a training is."""

    stage: str  # pictures, then lessons
    step: int
    steps: int
    loss: float
    seconds: float
    seconds_left: float


class Encoder:
    """Turns lessons into batches; a note's picture is drawn and shrunk once."""

    def __init__(self, school: School, processor: Idefics3Processor) -> None:
        self.school, self.processor = school, processor
        tokens = processor.image_seq_len
        self.picture_text = (
            f"{AROUND}{WHOLE}{IMAGE * tokens}{AROUND}"  # as Idefics3Processor writes one picture
        )
        self.pictures: dict[int, Tensor] = {}

    def tokens(self, lesson: Lesson) -> tuple[list[int], int]:
        """The token ids of prompt and reply, and how many of them are the prompt."""
        chat = self.processor.apply_chat_template(
            lesson.prompt.messages(), tokenize=False, add_generation_prompt=True
        )
        tokenizer = self.processor.tokenizer
        prompt = tokenizer(chat.replace(IMAGE, self.picture_text, 1), add_special_tokens=False)["input_ids"]
        reply = tokenizer(lesson.reply, add_special_tokens=False)["input_ids"]
        return [*prompt, *reply, tokenizer.eos_token_id], len(prompt)

    def picture(self, note: int) -> Tensor:
        """The pixels of a note's picture as the processor makes them, (1, 3, side, side)."""
        if note not in self.pictures:
            made = self.processor.image_processor(self.school.picture(note), return_tensors="pt")
            self.pictures[note] = made["pixel_values"][0].to(torch.bfloat16)
        return self.pictures[note].float()

    def batch(self, lessons: Sequence[tuple[Lesson, list[int], int]]) -> Batch:
        """Lessons with their tokens as one batch."""
        longest = max(len(ids) for _, ids, _ in lessons)
        ids_BL = torch.full((len(lessons), longest), self.processor.tokenizer.pad_token_id)
        mask_BL = torch.zeros(len(lessons), longest, dtype=torch.long)
        is_reply_BL = torch.zeros(len(lessons), longest, dtype=torch.bool)
        for row, (_, ids, num_prompt) in enumerate(lessons):
            ids_BL[row, : len(ids)] = torch.tensor(ids)
            mask_BL[row, : len(ids)] = 1
            is_reply_BL[row, num_prompt : len(ids)] = True
        shown = [self.picture(lesson.picture) for lesson, _, _ in lessons if lesson.picture >= 0]
        return Batch(ids_BL, mask_BL, is_reply_BL, torch.stack(shown) if shown else None)


def batches(encoder: Encoder, size: int, seed: int) -> Iterator[Batch]:
    """Batches without end; lessons of like length share a batch, so that little is padding."""
    rng, pool, round_ = np.random.default_rng([seed, 3]), [], 0
    while True:
        for lesson in draw_lessons(encoder.school, round_):
            ids, num_prompt = encoder.tokens(lesson)
            pool.append((lesson, ids, num_prompt))
            if len(pool) == _POOL * size:
                pool.sort(key=lambda item: len(item[1]))
                for at in rng.permutation(_POOL).tolist():
                    yield encoder.batch(pool[at * size : (at + 1) * size])
                pool = []
        round_ += 1


def loss_of(network: Idefics3ForConditionalGeneration, batch: Batch) -> Tensor:
    """Mean cross-entropy of the reply's tokens; the head is computed for them alone."""
    hidden_BLD = network.model(
        input_ids=batch.ids_BL,
        attention_mask=batch.mask_BL,
        pixel_values=batch.pixels_P,
        use_cache=False,
    ).last_hidden_state
    is_next_BL = batch.is_reply_BL[:, 1:]
    logits = network.lm_head(hidden_BLD[:, :-1][is_next_BL])
    return torch.nn.functional.cross_entropy(logits.float(), batch.ids_BL[:, 1:][is_next_BL])


def train(
    network: Idefics3ForConditionalGeneration,
    encoder: Encoder,
    course: Course,
    seed: int,
    tell: Callable[[Progress], None],
) -> list[float]:
    """Train in place; the losses, one a step. Same seed, steps and threads: same weights."""
    torch.set_num_threads(course.threads)
    eye_steps = EYE_STEPS * course.steps // 100
    seen = open_eyes(network, encoder.picture, encoder.school, eye_steps, seed)
    for step, (loss_, seconds) in enumerate(seen, 1):
        tell(Progress("pictures", step, eye_steps, loss_, seconds, seconds / step * (eye_steps - step)))
    optimizers = optimizers_of(network, course.matrix_rate, course.rate, course.decay)
    network.train()
    losses: list[float] = []
    started = time.monotonic()
    for batch in batches(encoder, course.batch, seed):
        passed = time.monotonic() - started
        done = max(len(losses) / course.steps, passed / course.seconds)
        if done >= 1:
            break
        set_rates(optimizers, done, course.warm_up)
        with torch.autocast("cpu", torch.bfloat16, enabled=course.is_half):
            loss = loss_of(network, batch)
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), course.clip)
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
        left = (time.monotonic() - started) * (1 / max(done, 1 / course.steps) - 1)
        tell(Progress("lessons", len(losses), course.steps, losses[-1], time.monotonic() - started, left))
    network.eval()
    return losses


def optimizers_of(
    network: Idefics3ForConditionalGeneration, matrix_rate: float, rate: float, decay: float
) -> tuple[torch.optim.Muon, torch.optim.AdamW]:
    """Muon for what maps vectors to vectors, AdamW for embeddings, convolutions, scales and shifts."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for module in network.modules():
        is_between = isinstance(module, torch.nn.Linear) and module is not network.lm_head
        for parameter in module.parameters(recurse=False):
            (matrices if is_between and parameter.ndim == 2 else others).append(parameter)
    others = list(dict.fromkeys(others))  # the head is the embedding
    return (
        torch.optim.Muon(matrices, lr=matrix_rate, weight_decay=decay),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    )


def set_rates(optimizers: Sequence[torch.optim.Optimizer], done: float, warm_up: float) -> None:
    """Give optimizers the rates of a share of the way."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * _schedule(done, warm_up)


def _schedule(done: float, warm_up: float) -> float:
    """The share of the learning rate at a share of the way: up in a line, down in half a cosine."""
    if done < warm_up:
        return (done + 1e-3) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))
