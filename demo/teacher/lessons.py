"""Draws the lessons of a training world in memory: note, page, picture, and the reply that would be right.

The world has another seed than the one the teacher will read, so none of its notes was ever trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from demo.interests import INTERESTS
from demo.notes import NUM_DRAWS, Notes, draw_notes
from demo.pictures import draw_picture
from demo.teacher.chains import LOOKS, Fact, facts_of, reply_text
from demo.teacher.handbooks import drawn_page
from demo.texts import note_text
from demo.wording import SLOTS
from demo.world import World, resolve
from models.tags.prompt import NoteText, Prompt, Task, prompt_for

CHAIN_SHARE, PAGE_SHARE, PICTURE_SHARE = 0.6, 0.8, 0.85


class Lesson(NamedTuple):
    """One prompt and the reply that is right; `picture` is the note whose picture it shows, -1 for none."""

    prompt: Prompt
    reply: str
    picture: int


@dataclass(frozen=True)
class School:
    """The notes that lessons are about, with everything that is true of them."""

    seed: int
    notes: Notes
    texts: tuple[NoteText, ...]

    def picture(self, note: int) -> Image.Image:
        """The picture of a note."""
        return draw_picture(self.seed, self.notes, note)

    def facts(self, note: int, *, has_picture: bool) -> tuple[Fact, ...]:
        """What is true and shown of a note."""
        told = self.notes.facts(note)
        values = dict(zip(SLOTS, told.values, strict=True))
        said = {} if self.notes.is_near_empty[note] else {slot: values[slot] for slot in told.stated}
        looks = {slot: int(getattr(self.notes, slot)[note]) for slot in LOOKS} if has_picture else {}
        return facts_of(self.texts[note], told.interest, told.language, said, looks)


def open_school(seed: int, num_notes: int) -> School:
    """A training world: its notes and texts; pictures are drawn when asked for."""
    world: World = resolve(seed=seed, days=9, end="2026-01-14", notes=num_notes, users=20, pictures=num_notes)
    notes = draw_notes(world)
    draws = np.random.default_rng([seed, 1]).integers(0, 2**30, (num_notes, NUM_DRAWS)).tolist()
    texts = []
    for note in range(num_notes):
        told = note_text(notes.facts(note), draws[note], is_near_empty=bool(notes.is_near_empty[note]))
        path = INTERESTS[notes.interest[note]].path
        texts.append(NoteText(told.title, told.body, path, tuple(told.hashtags)))
    return School(seed, notes, tuple(texts))


def draw_lessons(school: School, round_: int) -> Iterator[Lesson]:
    """One lesson a note, in a shuffled order; every round draws other pages, tasks and orders."""
    rng = np.random.default_rng([school.seed, 2, round_])
    for note in rng.permutation(len(school.texts)).tolist():
        yield _lesson(school, note, rng)


def _lesson(school: School, note: int, rng: np.random.Generator) -> Lesson:
    task: Task = "chain" if rng.random() < CHAIN_SHARE else "tags"
    has_picture = rng.random() < PICTURE_SHARE
    page, names = drawn_page(int(school.notes.interest[note]), rng)
    has_page = rng.random() < PAGE_SHARE
    prompt = prompt_for(school.texts[note], page if has_page else None, task, has_picture=has_picture)
    facts = school.facts(note, has_picture=has_picture)
    reply = reply_text(facts, names if has_page else None, task)
    return Lesson(prompt, reply, note if has_picture else -1)
