"""A compact student learns to see before it learns to speak: what the teacher read in pictures, from pictures alone.

The loss of a reply's tokens says little about a picture: most of them are the reply's form. So the values that the
teacher took from pictures are first read from the mean of what the language model will get of a picture, by linear
layers, one a dimension, that are thrown away afterwards; another reads edges and colours of patches from the tower, so
that it sees outlines too. A step costs a fraction of one with text. What the eyes have learnt stays as it is while the
student learns to speak, which would soon wear it off. The same lessons and seed give the same weights.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save
from torch import Tensor, nn

from jobs.lake import write_atomically
from jobs.tags.lessons import Lesson
from jobs.tags.student_model import StudentModel, opened
from models.tags.chain import PICTURE, folded
from models.tags.forms import NUM_FORMS, WEIGHT, form_loss
from models.tags.looks import looks

BATCH, RATE, DECAY, SMOOTHING = 32, 3e-3, 0.05, 0.1
MIN_COUNT = 3  # lessons with a value, below which it teaches nothing about others
log = logging.getLogger("notemill")


def open_eyes(
    student: StudentModel, lessons: Sequence[Lesson], steps: int, seed: int, kept: Path | None = None
) -> None:
    """Train tower and connector of a compact student in place, and leave them out of what is trained after.

    Nothing happens where no picture teaches anything. What they learn is written to `kept`, and taken from there where
    an earlier run has left it.
    """
    values = seen_values(lessons)
    if not values or not steps:
        return
    eyes = nn.ModuleList([student.network.model.vision_model, student.network.model.connector])
    if kept is not None and kept.exists():
        eyes.load_state_dict(load_file(kept))
    else:
        _learn_to_see(student, lessons, values, steps, seed)
        if kept is not None:
            write_atomically(kept, save(eyes.state_dict()))
    eyes.requires_grad_(False)


def _learn_to_see(
    student: StudentModel, lessons: Sequence[Lesson], values: dict[str, list[str]], steps: int, seed: int
) -> None:
    """Train tower and connector, with readers of the values that are thrown away."""
    torch.manual_seed(seed)
    shown = [lesson for lesson in lessons if lesson.picture is not None]
    model, dice = student.network.model, np.random.default_rng([seed, 11])
    width, patch = model.text_model.config.hidden_size, model.vision_model.config.patch_size
    readers = nn.ModuleList([nn.Linear(width, len(known)) for known in values.values()])
    pixels_N = _pixels(student.processor.image_processor, shown)
    true_ND = torch.tensor([_labels(lesson, values) for lesson in shown])
    outline = nn.Linear(model.vision_model.config.hidden_size, NUM_FORMS)
    trained = (model.vision_model, model.connector, readers, outline)
    weights = [weight for part in trained for weight in part.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY, foreach=False)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 2), pct_start=0.1)
    student.network.train()
    for step in range(steps):
        chosen = torch.from_numpy(dice.integers(0, len(shown), BATCH))
        seen_B = looks(pixels_N[chosen])
        patches_BPW = model.vision_model(pixel_values=seen_B).last_hidden_state
        mean_BD = model.connector(patches_BPW).mean(1)
        loss = torch.stack([_loss(r(mean_BD), true_ND[chosen, at]) for at, r in enumerate(readers)]).sum()
        optimizer.zero_grad(set_to_none=True)
        (loss + WEIGHT * form_loss(outline(patches_BPW), seen_B, patch)).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0, foreach=False)
        optimizer.step()
        schedule.step()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            log.info("tagger: first sight: step %d of %d, loss %.3f", step + 1, steps, float(loss.detach()))


def seen_values(lessons: Sequence[Lesson]) -> dict[str, list[str]]:
    """The values, folded, that the teacher took from pictures more than once or twice, by dimension; two at least."""
    counts: dict[str, Counter[str]] = {}
    for lesson in lessons:
        for dimension, value in _seen(lesson).items():
            counts.setdefault(dimension, Counter())[value] += 1
    often = {name: sorted(v for v in found if found[v] >= MIN_COUNT) for name, found in sorted(counts.items())}
    return {name: values for name, values in often.items() if len(values) > 1}


def _seen(lesson: Lesson) -> dict[str, str]:
    rows = zip(lesson.dimensions, lesson.tags, lesson.evidence, strict=True)
    is_shown = lesson.picture is not None
    return {folded(d): folded(t) for d, t, evidence in rows if is_shown and folded(evidence) == PICTURE}


def _labels(lesson: Lesson, values: dict[str, list[str]]) -> list[int]:
    seen = _seen(lesson)
    return [known.index(seen[name]) if seen.get(name) in known else -100 for name, known in values.items()]


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the rows that have a label; 0 where none has."""
    total = nn.functional.cross_entropy(logits, labels, reduction="sum", label_smoothing=SMOOTHING, ignore_index=-100)
    return total / (labels != -100).sum().clamp(min=1)


def _pixels(image_processor: Any, lessons: Sequence[Lesson]) -> Tensor:
    """Every lesson's picture as the student gets it."""
    made = [image_processor(_opened(lesson), return_tensors="pt")["pixel_values"][0] for lesson in lessons]
    return torch.cat(made)


def _opened(lesson: Lesson) -> Image.Image:
    return opened(lesson.picture_bytes() or b"")
