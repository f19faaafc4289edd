"""Tags of real product photographs against the attributes that people gave them: what a picture adds, what a student keeps.

    python -m benchmarks.tags_fashion --source DIR [--workers 2] [--no-whole-titles] [--keep DIR]

DIR has the form that `benchmarks/fashion_products.py` says. Half of the products teach the teacher; of the other half
the student sees the teacher's replies on one part, and all figures are of the rest, which nobody was shown. Titles have
the words of colour and type taken out; once more, for information, they are whole.

Teachers: one network, seed and course, once with the pictures and once without. The student learns by the product's own
code from what the teacher with pictures says, never from gold, and answers with tags alone. Both are asked through
`LocalModel` on a saved folder, as `extract_tags` and `tag_notes` ask them, in turn, by one thread.
F1 is over (dimension, value) as people gave them; intervals are 95 % bootstrap over notes, paired.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import report
from benchmarks.fashion_products import DIMENSIONS, Product, read_products
from benchmarks.fashion_shop import ARMS, BLIND, SEEING, Arm, Shop, open_shop, replies_of
from jobs.tags.asking import Question, Reply
from jobs.tags.local_model import LocalModel
from models.tags.chain import folded, parse_reply
from models.tags.prompt import NoteText, Task

SEED = 7
DRAWS = 2000  # of the bootstrap
SPEED_ROUNDS, SPEED_NOTES = 3, 256
MAX_NEW_TOKENS = 160  # the longest right reply has about 90
LEAST_SHARE, LEAST_SPEED_UP = 0.95, 5.0  # of the teacher's F1, of its notes per second


def make_teacher(arm: Arm, source: Path, folder: Path) -> Path:
    """Train an arm's teacher into a folder, by one thread. Same seed, same steps, same weights."""
    import torch

    from benchmarks.fashion_teacher import Course, School, Teacher, train_tokenizer

    torch.set_num_threads(1)
    shop = open_shop(source)
    products = shop.by_split["teacher"]
    titles = [shop.title(product, arm) for product in products]
    school = School(products, titles, shop.pages, arm.has_pictures)
    teacher = Teacher(school, Course(), train_tokenizer(products, titles), SEED)
    teacher.train(lambda line: say(f"{arm.name}: {line}"))
    teacher.network.save_pretrained(folder)
    teacher.processor.save_pretrained(folder)
    return folder


def tags_of(note: NoteText, question: Question, reply: Reply) -> dict[str, str]:
    """The value of every dimension that a reply gives, the first where it gives two."""
    is_cut = reply.outcome == "truncated"
    has_picture = question.picture is not None
    parsed = parse_reply(reply.text, note.evidence_text(), has_picture=has_picture, is_truncated=is_cut)
    return {tag.dimension: tag.value for tag in reversed(parsed.tags)}


class Score(NamedTuple):
    """One note: tags said, said rightly, gold; and for every dimension whether it was right."""

    said: int
    right: int
    gold: int
    is_right: Mapping[str, bool]


def score(product: Product, said: Mapping[str, str]) -> Score:
    """Hold what was said of a product against gold; what has no gold counts for nothing."""
    gold = {dimension: folded(value) for dimension, value in product.gold.items() if value}
    told = {dimension: folded(value) for dimension, value in said.items() if product.gold.get(dimension, "?")}
    is_right = {dimension: told.get(dimension) == value for dimension, value in gold.items()}
    return Score(len(told), sum(is_right.values()), len(gold), is_right)


def f1_of(scores: Sequence[Score], draws: np.ndarray) -> np.ndarray:
    """Micro F1 of every draw of notes; `draws` is (rounds, notes)."""
    said, right, gold = np.array([s[:3] for s in scores], dtype=float)[draws].sum(1).T
    return 2 * right / np.maximum(said + gold, 1)


def accuracy_of(scores: Sequence[Score], dimension: str, draws: np.ndarray) -> np.ndarray:
    """The share of notes whose gold value was said, of every draw."""
    known = np.array([dimension in s.is_right for s in scores], dtype=float)
    right = np.array([s.is_right.get(dimension, False) for s in scores], dtype=float)
    return right[draws].sum(1) / np.maximum(known[draws].sum(1), 1)


def interval(rounds: np.ndarray) -> tuple[float, float, float]:
    """The figure of all notes, which is the last, and the ends of its 95 % interval."""
    low, high = np.percentile(rounds[:-1], [2.5, 97.5])
    return float(rounds[-1]), float(low), float(high)


def shown(rounds: np.ndarray) -> str:
    """A share as percent with its interval."""
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in interval(rounds)))


def say(line: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def asked_about(shop: Shop, model: LocalModel, products: Sequence[Product], arm: Arm, task: Task) -> list[Score]:
    """A model's scores on products."""
    questions = [shop.question(product, arm, task) for product in products]
    replies, _ = replies_of(model, questions)
    return [
        score(p, tags_of(shop.note(p, arm), q, r)) for p, q, r in zip(products, questions, replies, strict=True)
    ]


def speeds(shop: Shop, products: Sequence[Product], teacher: LocalModel, student: LocalModel) -> dict[str, list[float]]:
    """Notes per second of both, asked in turn about the same notes."""
    asked: dict[str, tuple[LocalModel, Task]] = {"teacher": (teacher, "chain"), "student": (student, "tags")}
    found: dict[str, list[float]] = {name: [] for name in asked}
    for model, task in asked.values():  # loads and warms
        replies_of(model, [shop.question(p, SEEING, task) for p in products[:32]])
    for number in range(SPEED_ROUNDS):
        order = list(asked) if number % 2 == 0 else list(reversed(asked))
        for name in order:
            model, task = asked[name]
            questions = [shop.question(p, SEEING, task) for p in products]
            found[name].append(len(products) / replies_of(model, questions)[1])
    return found


def measure(source: Path, arms: Sequence[Arm], workers: int, folder: Path, command: str) -> None:
    """Train all, ask all, write the figures."""
    import torch

    from benchmarks.fashion_student import make_student  # with torch, which workers load by themselves

    shop = open_shop(source)
    rest = shop.by_split["rest"]
    places = {arm: folder / arm.name.replace(", ", "-").replace(" ", "_") for arm in arms}
    waiting = [arm for arm in arms if not (places[arm] / "config.json").is_file()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(make_teacher, waiting, [source] * len(waiting), [places[arm] for arm in waiting]))
    torch.set_num_threads(1)
    teachers = {arm: LocalModel(places[arm], arm.name, MAX_NEW_TOKENS) for arm in arms}
    scores = {arm.name: asked_about(shop, teachers[arm], rest, arm, "chain") for arm in arms}
    student = make_student(shop, SEEING, teachers[SEEING], folder / "student", SEED)
    scores["student, tags alone"] = asked_about(shop, student, rest, SEEING, "tags")
    found = speeds(shop, rest[:SPEED_NOTES], teachers[SEEING], student)
    dice = np.random.default_rng(SEED)
    draws = np.vstack([dice.integers(0, len(rest), (DRAWS, len(rest))), np.arange(len(rest))])
    per_second = {SEEING.name: found["teacher"], "student, tags alone": found["student"]}
    rows = [
        {
            "who": name,
            "F1 %": shown(f1_of(of, draws)),
            **{f"{dimension} %": shown(accuracy_of(of, dimension, draws)) for dimension in DIMENSIONS},
            "notes/s": statistics.median(per_second[name]) if name in per_second else None,
        }
        for name, of in scores.items()
    ]
    report.write(
        "tags_fashion",
        rows,
        bars=bars(scores, found, draws),
        command=command,
        packages=["torch", "transformers", "tokenizers", "pillow"],
        notes={name: len(products) for name, products in shop.by_split.items()},
        notes_per_second={name: [round(value, 2) for value in of] for name, of in found.items()},
    )


def bars(
    scores: Mapping[str, Sequence[Score]], found: Mapping[str, Sequence[float]], draws: np.ndarray
) -> dict[str, bool]:
    """The promises."""
    held = {}
    seeing, blind, student = (scores[name] for name in (SEEING.name, BLIND.name, "student, tags alone"))
    for dimension in ("colour", "type"):
        more = accuracy_of(seeing, dimension, draws) - accuracy_of(blind, dimension, draws)
        held[f"{dimension}: the picture adds (difference {shown(more)} points)"] = interval(more)[1] > 0
    share = f1_of(student, draws) / f1_of(seeing, draws)
    held[f"the student keeps {LEAST_SHARE:.0%} of the teacher's F1 ({shown(share)} %)"] = share[-1] >= LEAST_SHARE
    ratio = statistics.median(s / t for s, t in zip(found["student"], found["teacher"], strict=True))
    held[f"at {LEAST_SPEED_UP:.0f} times its notes per second ({ratio:.2f}, median of {SPEED_ROUNDS} rounds)"] = (
        ratio >= LEAST_SPEED_UP
    )
    return held


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("tags_fashion", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, metavar="DIR", help="products.csv beside images/")
    parser.add_argument("--workers", type=int, default=2, help="teachers trained at once (%(default)s)")
    whole = "also teach and ask with whole titles, for information (on)"
    parser.add_argument("--whole-titles", action=argparse.BooleanOptionalAction, default=True, help=whole)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what was trained, and use what is there")
    args = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        read_products(args.source)
    except ValueError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as made:
        folder = (args.keep or Path(made)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        arms = ARMS if args.whole_titles else (SEEING, BLIND)
        flags = f" --workers {args.workers}" + (" --keep DIR" if args.keep else "")
        command = "python -m benchmarks.tags_fashion --source DIR" + ("" if args.whole_titles else " --no-whole-titles")
        measure(args.source, arms, args.workers, folder, command + flags)


if __name__ == "__main__":
    main(sys.argv[1:])
