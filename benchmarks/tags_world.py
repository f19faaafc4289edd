"""Tags of the demo's teacher against the truth, on a generated world that it was not trained on.

    python -m benchmarks.tags_world [--notes 400] [--steps N] [--teacher DIR]

One model, five prompts: with the handbook's page and the chain of thought, without the page, without the chain (tags
alone), without the picture, and with neither page nor chain. The pages are the catalogue's, in English, with what users
of the world act on: all but the cut (`form`), which no click and no search depends on (demo/clicks.py, demo/queries.py).
What they act on is the truth of the bars; a second table holds the same replies, and those under a page that has the cut
too, against all that is true of a note. A tag is right where dimension and value are the truth's; any of a product's
names is right. Intervals are 95 % bootstrap over notes (percentiles, the notes drawn together for all prompts, so that
differences are paired).

What the figures can say: the teacher learnt from chains of all these prompts, and without a page to say all that it sees,
so they say what page, chain and picture add for *this* model on *this* generator's notes, nothing of real ones.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import report
from demo.__main__ import main as make_world
from demo.interests import INTERESTS
from demo.teacher.__main__ import Teller
from demo.teacher.chains import ALL_SLOTS, LOOKS
from demo.teacher.folder import Recipe, make_teacher
from demo.teacher.generation import Answer, Asked, Loaded, answers, load
from demo.teacher.handbooks import slot_names, true_page
from demo.teacher.training import Course
from models.tags.chain import Parsed, folded, parse_reply
from models.tags.prompt import NoteText, Task, prompt_for

SEED = 7
ROUNDS = 2000  # bootstrap
MAX_NEW_TOKENS = 200  # the longest right reply has about 140; one that goes in circles is cut off and unread
IDLE = ("form",)  # what nobody acts on
ACTED_ON = tuple(slot for slot in ALL_SLOTS if slot not in IDLE)
CHANCE = {slot: 1 / len(words) for slot, words in LOOKS.items() if slot in ACTED_ON}


class Way(NamedTuple):
    """One way to ask."""

    name: str
    page: tuple[str, ...]  # the slots on it; none: no page
    task: Task
    has_picture: bool


GUIDED = Way("handbook, chain", ACTED_ON, "chain", True)
UNGUIDED = Way("no handbook", (), "chain", True)
WITHOUT_CHAIN = Way("no chain", ACTED_ON, "tags", True)
BLIND = Way("no picture", ACTED_ON, "chain", False)
WHOLE = Way("handbook of everything, chain", ALL_SLOTS, "chain", True)
WAYS = (GUIDED, UNGUIDED, WITHOUT_CHAIN, Way("no handbook, no chain", (), "tags", True), BLIND)


@dataclass(frozen=True)
class Note:
    """One note of the world: what a prompt shows, and the truth of it."""

    text: NoteText
    interest: int
    picture: Image.Image | None
    truth: Mapping[str, frozenset[str]]  # slot to the folded values that are right


class Score(NamedTuple):
    """The counts of one note under one way, and what was said of its looks."""

    told: int
    right: int
    true: int
    redundant: int
    is_read: bool
    looks: Mapping[str, str]


def notes_of(world: Path) -> Iterator[Note]:
    """The notes of a world; the few whose id comes with two contents are left out."""
    rows = {row["note_id"]: row for row in pq.read_table(world / "notes").to_pylist()}
    keys = [interest.key for interest in INTERESTS]
    for truth in pq.read_table(world / "truth/note_truth.parquet").to_pylist():
        if truth["is_conflicting"]:
            continue
        row, language = rows[truth["note_id"]], ("en", "zh").index(truth["language"])
        text = NoteText(row["title"] or "", row["body"] or "", tuple(row["category"]), tuple(row["hashtags"] or []))
        names = truth["tag_names_zh" if language else "tag_names_en"]
        right = {slot: frozenset({folded(name)}) for slot, name in zip(truth["tag_dimensions"], names, strict=True)}
        interest = keys.index(truth["interest"])
        if "product" in right:
            right["product"] = frozenset(folded(name) for name in INTERESTS[interest].names[language])
        is_fine = truth["picture_state"] == "fine"
        picture = Image.open(io.BytesIO((world / "images" / truth["picture"]).read_bytes())) if is_fine else None
        yield Note(text, interest, picture.convert("RGB") if picture else None, right)


def ask(loaded: Loaded, notes: Sequence[Note], way: Way) -> list[Answer]:
    """What the teacher says of every note."""
    asked = []
    for note in notes:
        picture = note.picture if way.has_picture else None
        page = true_page(note.interest, way.page)[0] if way.page else None
        asked.append(Asked(prompt_for(note.text, page, way.task, has_picture=picture is not None), picture))
    return answers(loaded, asked, max_new_tokens=MAX_NEW_TOKENS)


def score(note: Note, answer: Answer, way: Way, asked_for: Sequence[str]) -> Score:
    """Hold one answer against what is true of the slots asked for."""
    has_picture = way.has_picture and note.picture is not None
    read = parse_reply(
        answer.text, note.text.evidence_text(), has_picture=has_picture, is_truncated=answer.is_truncated
    )
    slots = {name: slot for slot, name in slot_names(note.interest).items()} if way.page else {}
    true = {slot: values for slot, values in note.truth.items() if slot in asked_for}
    told = [(slots.get(tag.dimension, tag.dimension), folded(tag.value)) for tag in read.tags]
    by_slot: dict[str, str] = {}
    for slot, value in told:
        by_slot.setdefault(slot, value)
    right = sum(value in true.get(slot, ()) for slot, value in by_slot.items())
    repeated = len(told) - len(by_slot) + read.num_repeated
    return Score(len(told), right, len(true), repeated, _is_read(read), by_slot)


def _is_read(read: Parsed) -> bool:
    return read.status in ("ok", "empty")


class Measured(NamedTuple):
    """The figures of one way in every bootstrap round, the notes as they are last."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    redundant: np.ndarray


def measure(scores: Sequence[Score], draws: np.ndarray) -> Measured:
    """Micro-averaged figures over drawn notes; `draws` is (rounds, notes)."""
    counts = np.array([(s.told, s.right, s.true, s.redundant) for s in scores], dtype=float)
    told, right, true, redundant = counts[draws].sum(1).T
    precision, recall = right / np.maximum(told, 1), right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(told + true, 1)
    return Measured(precision, recall, f1, redundant / np.maximum(told + redundant, 1))


def interval(rounds: np.ndarray) -> tuple[float, float, float]:
    """The figure, and the ends of its 95 % interval."""
    low, high = np.percentile(rounds[:-1], [2.5, 97.5])
    return float(rounds[-1]), float(low), float(high)


def shown(rounds: np.ndarray) -> str:
    """The figure in per cent, with its interval."""
    figure, low, high = interval(rounds)
    return f"{100 * figure:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def tables(
    notes: Sequence[Note], replies: Mapping[Way, Sequence[Answer]], draws: np.ndarray, asked_for: Sequence[str]
) -> tuple[dict[Way, list[Score]], dict[Way, Measured], list[dict[str, object]]]:
    """Scores, figures and the rows of a table for replies, held against what is true of the slots asked for."""
    scores = {
        way: [score(n, a, way, asked_for) for n, a in zip(notes, given, strict=True)]
        for way, given in replies.items()
    }
    measured = {way: measure(of, draws) for way, of in scores.items()}
    rows: list[dict[str, object]] = [
        {
            "prompt": way.name,
            "precision %": shown(found.precision),
            "recall %": shown(found.recall),
            "F1 %": shown(found.f1),
            "redundant %": shown(found.redundant),
            "unread": sum(not s.is_read for s in scores[way]),
        }
        for way, found in measured.items()
    ]
    return scores, measured, rows


def looks_row(notes: Sequence[Note], scores: Sequence[Score], way: Way) -> dict[str, object]:
    """What is said of the attributes that only the picture shows, over the notes that have a fine picture."""
    pictured = [(n, s) for n, s in zip(notes, scores, strict=True) if n.picture is not None]
    row: dict[str, object] = {"prompt": way.name}
    for slot, chance in CHANCE.items():
        claims = [(s.looks[slot] in n.truth[slot]) for n, s in pictured if slot in s.looks]
        row[f"{slot}: claimed %"] = 100 * len(claims) / len(pictured)
        row[f"{slot}: right % of notes (chance {100 * chance:.0f})"] = 100 * sum(claims) / len(pictured)
    return row


def teacher_of(args: argparse.Namespace) -> Path:
    """The folder named, or the demo's own teacher, trained now where it was not before."""
    if args.teacher:
        return Path(args.teacher)
    recipe = Recipe(SEED, course=Course(steps=args.steps, threads=args.threads))
    return make_teacher(recipe, Path(".notemill/teachers"), Teller())[0]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("tags_world", description=__doc__)
    parser.add_argument("--notes", type=int, default=400)
    parser.add_argument("--steps", type=int, default=Course.steps)
    parser.add_argument("--threads", type=int, default=Course.threads)
    parser.add_argument("--teacher", help="a model's folder (the demo's own, trained now)")
    args = parser.parse_args(argv)
    loaded = load(teacher_of(args))
    with tempfile.TemporaryDirectory() as folder:
        make_world(["--notes", str(args.notes), "--seed", str(SEED), "--days", "2", "--out", f"{folder}/world"])
        notes = list(notes_of(Path(folder) / "world"))
    replies = {way: ask(loaded, notes, way) for way in (*WAYS, WHOLE)}
    rng = np.random.default_rng(SEED)
    draws = np.vstack([rng.integers(0, len(notes), (ROUNDS, len(notes))), np.arange(len(notes))])
    scores, measured, rows = tables(notes, {way: replies[way] for way in WAYS}, draws, ACTED_ON)
    all_ways = {way: replies[way] for way in (WHOLE, *WAYS)}
    everything = tables(notes, all_ways, draws, ALL_SLOTS)[2]
    looks = [looks_row(notes, scores[way], way) for way in (GUIDED, BLIND)]
    sys.stdout.write(report.table(everything) + "\n\n" + report.table(looks) + "\n\n")
    report.write(
        "tags_world",
        rows,
        bars=_bars(measured, scores, notes),
        command=" ".join(["python -m benchmarks.tags_world", *argv]),
        packages=["torch", "transformers", "tokenizers"],
        looks=looks,
        everything=everything,
        notes=len(notes),
    )


def _bars(
    measured: Mapping[Way, Measured], scores: Mapping[Way, Sequence[Score]], notes: Sequence[Note]
) -> dict[str, bool]:
    """The promises: paired differences of F1 above zero, and looks that are not made up without a picture."""
    bars = {}
    for way in (UNGUIDED, WITHOUT_CHAIN):
        difference = measured[GUIDED].f1 - measured[way].f1
        low = interval(difference)[1]
        bars[f"F1 of handbook and chain beats {way.name} (difference {shown(difference)} points)"] = low > 0
    with_, without = (looks_row(notes, scores[way], way) for way in (GUIDED, BLIND))
    for slot, chance in CHANCE.items():
        key = f"{slot}: right % of notes (chance {100 * chance:.0f})"
        bars[f"{slot} with the picture {with_[key]:.1f} %, without {without[key]:.1f} %: at chance or not said"] = (
            float(str(with_[key])) > 100 * chance and float(str(without[key])) <= 100 * chance + 3
        )
    return bars


if __name__ == "__main__":
    main(sys.argv[1:])
