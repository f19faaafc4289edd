"""Who is asked about which products, and how: the arms of `tags_fashion`, its splits, and the questions."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.fashion_products import Mask, Product, Split, note_of, pages_of, read_products, split_of
from jobs.tags.asking import Question, Reply
from jobs.tags.local_model import LocalModel
from jobs.tags.pictures import as_png
from models.tags.handbook import Page, page_for
from models.tags.prompt import NoteText, Task, prompt_for


class Arm(NamedTuple):
    """One teacher: the titles and pictures that it is shown."""

    name: str
    has_pictures: bool
    is_masked: bool


SEEING = Arm("teacher, picture", True, True)
BLIND = Arm("teacher, no picture", False, True)
ARMS = (SEEING, BLIND, Arm("whole titles, picture", True, False), Arm("whole titles, no picture", False, False))


class Shop(NamedTuple):
    """The products by split, their masked titles by id, and the handbook of the teacher's half."""

    by_split: Mapping[Split, Sequence[Product]]
    masked: Mapping[str, str]
    pages: dict[str, Page]

    def title(self, product: Product, arm: Arm) -> str:
        """The title that an arm is shown."""
        return self.masked[product.id] if arm.is_masked else product.title

    def note(self, product: Product, arm: Arm) -> NoteText:
        """The note that an arm is asked about."""
        return note_of(product, self.title(product, arm))

    def question(self, product: Product, arm: Arm, task: Task) -> Question:
        """The question that an arm is asked."""
        note = self.note(product, arm)
        prompt = prompt_for(note, page_for(self.pages, note.category), task, has_picture=arm.has_pictures)
        return Question(prompt, png_of(product.image) if arm.has_pictures else None)


@functools.cache
def png_of(image: Path) -> bytes:
    """A picture as models get it."""
    content, problem = as_png(image.read_bytes())
    if content is None:
        raise ValueError(f"{image}: {problem}")
    return content


def open_shop(source: Path) -> Shop:
    """All that is read from the folder."""
    products = read_products(source)
    mask = Mask(products)
    splits: dict[Split, list[Product]] = {"teacher": [], "transfer": [], "rest": []}
    for product in products:
        splits[split_of(product.title)].append(product)
    return Shop(splits, {p.id: mask(p.title) for p in products}, pages_of(splits["teacher"]))


def replies_of(model: LocalModel, questions: Sequence[Question]) -> tuple[list[Reply], float]:
    """What a model replies, and how long it took."""
    found: dict[int, Reply] = {}
    started = time.perf_counter()
    model.ask(questions, found.__setitem__)
    return [found[at] for at in range(len(questions))], time.perf_counter() - started
