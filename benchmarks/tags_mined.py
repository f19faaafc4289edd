"""Tags under the handbook as `build_handbook` mined it, with and without the chain of thought: the demo's own pages.

    python -m benchmarks.tags_mined --world .notemill/demo [--notes 495] [--teacher DIR]

The world is one that `make demo TEACHER=yes` left: its lake has a handbook, whose pages lack values and dimensions, mix
languages and hold strangers, as mined pages do; the teacher learnt from pages drawn from the catalogue. The truth is what
is true of a note in the dimensions that its page has. Figures as in benchmarks/tags_world.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.tags_world import (
    MAX_NEW_TOKENS,
    ROUNDS,
    SEED,
    Note,
    Score,
    interval,
    measure,
    notes_of,
    shown,
    teacher_of,
)
from demo.teacher.generation import Answer, Asked, answers, load
from demo.teacher.training import Course
from jobs.config import load_config
from jobs.tags.pages import current_pages
from models.tags.chain import folded, parse_reply
from models.tags.handbook import Page, page_for
from models.tags.prompt import Task, prompt_for

LAST_DAY = "2026-01-14"  # of the demo
TASKS: tuple[Task, ...] = ("chain", "tags")


def mined_pages(world: Path) -> dict[str, Page]:
    """The pages that guide the demo's last day. Raises `LakeError` where the lake has none."""
    return current_pages(load_config(world / "config.yaml").open_lake(), LAST_DAY)[0]


def score(note: Note, page: Page, answer: Answer) -> tuple[Score, int]:
    """Hold one answer against what is true of the page's dimensions; and how many of its tags had no evidence."""
    read = parse_reply(
        answer.text,
        note.text.evidence_text(),
        has_picture=note.picture is not None,
        is_truncated=answer.is_truncated,
    )
    asked_for = {dimension.name for dimension in page.dimensions}
    true = {slot: values for slot, values in note.truth.items() if slot in asked_for}
    told: dict[str, str] = {}
    for tag in read.tags:
        told.setdefault(tag.dimension, folded(tag.value))
    right = sum(value in true.get(name, ()) for name, value in told.items())
    repeated = len(read.tags) - len(told) + read.num_repeated
    is_read = read.status in ("ok", "empty")
    return Score(len(read.tags), right, len(true), repeated, is_read, told), read.num_ungrounded


def rows_of(found: Mapping[Task, Sequence[tuple[Score, int]]], draws: np.ndarray) -> list[dict[str, object]]:
    """The table: one row a way to ask."""
    rows: list[dict[str, object]] = []
    for task, pairs in found.items():
        figures = measure([s for s, _ in pairs], draws)
        rows.append(
            {
                "answers": "chain" if task == "chain" else "tags alone",
                "precision %": shown(figures.precision),
                "recall %": shown(figures.recall),
                "F1 %": shown(figures.f1),
                "tags without evidence, left out": sum(ungrounded for _, ungrounded in pairs),
                "unread": sum(not s.is_read for s, _ in pairs),
            }
        )
    return rows


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("tags_mined", description=__doc__)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--notes", type=int, default=495)
    parser.add_argument("--steps", type=int, default=Course.steps)
    parser.add_argument("--threads", type=int, default=Course.threads)
    parser.add_argument("--teacher", help="a model's folder (the demo's own, trained where it was not before)")
    args = parser.parse_args(argv)
    pages = mined_pages(args.world)
    loaded, notes = load(teacher_of(args)), list(notes_of(args.world))[: args.notes]
    asked = [(note, page) for note in notes if (page := page_for(pages, note.text.category)) is not None]
    found = {}
    for task in TASKS:
        questions = [
            Asked(prompt_for(n.text, page, task, has_picture=n.picture is not None), n.picture) for n, page in asked
        ]
        given = answers(loaded, questions, max_new_tokens=MAX_NEW_TOKENS)
        found[task] = [score(n, page, answer) for (n, page), answer in zip(asked, given, strict=True)]
    rng = np.random.default_rng(SEED)
    draws = np.vstack([rng.integers(0, len(asked), (ROUNDS, len(asked))), np.arange(len(asked))])
    chain, tags = (measure([s for s, _ in found[task]], draws).f1 for task in TASKS)
    report.write(
        "tags_mined",
        rows_of(found, draws),
        bars={f"F1 of the chain beats tags alone (difference {shown(chain - tags)} points)": interval(chain - tags)[1] > 0},
        command=" ".join(["python -m benchmarks.tags_mined", *argv]),
        packages=["torch", "transformers", "tokenizers"],
        notes=len(asked),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
