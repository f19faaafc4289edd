"""Asks a teacher's folder in batches, greedily: what benchmarks and tests use, without a job around it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin

from models.tags.prompt import Prompt


class Asked(NamedTuple):
    """One prompt and its picture."""

    prompt: Prompt
    picture: Image.Image | None = None


class Loaded(NamedTuple):
    """A model and its processor."""

    network: PreTrainedModel
    processor: ProcessorMixin


class Answer(NamedTuple):
    """The text of a reply, the lengths of prompt and reply, and whether the reply was cut off."""

    text: str
    tokens_in: int
    tokens_out: int
    is_truncated: bool


def load(folder: Path) -> Loaded:
    """The model in a folder, in float32."""
    network = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    return Loaded(network, AutoProcessor.from_pretrained(folder))


def answers(
    loaded: Loaded, asked: Sequence[Asked], *, max_new_tokens: int = 400, batch: int = 32
) -> list[Answer]:
    """The answers in the order asked; prompts of like length share a batch, with and without picture apart."""
    texts = [
        loaded.processor.apply_chat_template(a.prompt.messages(), tokenize=False, add_generation_prompt=True)
        for a in asked
    ]
    order = sorted(range(len(asked)), key=lambda i: (asked[i].picture is None, len(texts[i])))
    num_pictured = sum(a.picture is not None for a in asked)
    starts = [*range(0, num_pictured, batch), *range(num_pictured, len(asked), batch), len(asked)]
    found: dict[int, Answer] = {}
    for start, end in pairwise(starts):
        which = order[start:end]
        found.update(zip(which, _batch(loaded, asked, texts, which, max_new_tokens), strict=True))
    return [found[i] for i in range(len(asked))]


def _batch(
    loaded: Loaded, asked: Sequence[Asked], texts: Sequence[str], which: Sequence[int], most: int
) -> list[Answer]:
    pictures = [[asked[i].picture] for i in which if asked[i].picture is not None]
    inputs = loaded.processor(
        text=[texts[i] for i in which], images=pictures or None, padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        output_BL = loaded.network.generate(**inputs, max_new_tokens=most, do_sample=False)
    tokenizer, start = loaded.processor.tokenizer, inputs["input_ids"].shape[1]
    lengths = inputs["attention_mask"].sum(1).tolist()
    return [
        _answer(tokenizer, row, length)
        for row, length in zip(output_BL[:, start:].tolist(), lengths, strict=True)
    ]


def _answer(tokenizer: object, row: list[int], tokens_in: int) -> Answer:
    is_truncated = tokenizer.eos_token_id not in row  # type: ignore[attr-defined]
    told = row if is_truncated else row[: row.index(tokenizer.eos_token_id)]  # type: ignore[attr-defined]
    text = tokenizer.decode(told, skip_special_tokens=True)  # type: ignore[attr-defined]
    return Answer(text, tokens_in, len(told) + (not is_truncated), is_truncated)
