"""Cold start: notes that nobody clicked yet, found for users through tags and through embeddings of what is written.

    python -m benchmarks.tags_cold_start --teacher DIR [--notes 6000] [--events 40000] [--users 1500] [--seed 23]

A generated world of nine days, seen from the end of the fourth. Candidates: the notes that exist then and that no user
clicked in the log (`benchmarks/cold_world.py`), all of them. Asking: users with a click before, by their last 20 clicked
notes. Wanted, first table: what these users really click of the cold notes on the five days after, whatever showed it to
them. Second table: the cold notes that are about an interest of the user and have two of the user's three strongest
tastes, by the world's truth. Third: the first, among English notes and histories alone, since MiniLM reads no Chinese
and the first table would be unfair to it. recall@50 is the mean over users; 95 % bootstrap intervals over users, the
differences paired.

Arms: *tags*: what a teacher says of notes (chain, catalogue's page, picture), canonical by a vocabulary grown from it as
`build_vocabulary` does, through `tag_postings`: a note scores its weights times the mean weights of the history. *title*:
MiniLM, as `embed_notes` loads it, on the title alone; the better of mean and greatest cosine, by the figure itself, which
favours it. *title and body*: the whole text of `embed_notes`, likewise. *category*: the share of the history in the
note's category path. *random*. *a + b*: standard scores added. *truth, own words*: a perfect tagger of
text and picture before the same vocabulary. *truth, one name*: besides, a dictionary that knows all names of a thing in
both languages, which no tagger brings: what is between the two is the vocabulary's loss, not the tagger's.

What the figures can say: colour and pattern move clicks in this world, and only pictures show them, so tags that see
pictures know what no text encoder can. *no looks* leaves these dimensions out: what tags of the text alone give.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import report
from benchmarks.cold_retrieval import (
    Floats,
    Posting,
    Tag,
    draws,
    interval,
    postings_of,
    recalls,
    tag_scores,
    together,
    vector_scores,
)
from benchmarks.cold_tags import Told, posting_rows, told_by, true_tags, vectors, vocabulary_of
from benchmarks.cold_world import ColdWorld, Note, cold_world, one_name, own_words
from demo.__main__ import main as make_world
from demo.teacher.chains import LOOKS
from jobs.notes.encoders import find_encoder

DAY, MOST, ROUNDS = "2026-01-09", 50, 2000
Arms = Mapping[str, Sequence[Floats]]  # scores_UN; of more than one the best counts


class Table(NamedTuple):
    """Who asks among which candidates, and what they want."""

    name: str
    histories: Sequence[Collection[int]]
    candidates: Sequence[int]
    wanted: Sequence[Collection[int]]


class Known(NamedTuple):
    """What retrieval knows of the notes: postings by tagger, vectors by text, and the category of each."""

    postings: Mapping[str, Mapping[Tag, Sequence[Posting]]]
    vectors: Mapping[str, Floats]
    categories_NC: Floats


def known_of(notes: Sequence[Note], teacher: Path) -> tuple[Known, list[dict[str, object]]]:
    """What is known of notes, and a line about the tags of every tagger."""
    encoder, told = find_encoder("minilm", Path()), told_by(teacher, notes)
    seen = [[tag for tag in tags if tag.dimension not in LOOKS] for tags in told.tags]
    taggers = {
        "tags": told,
        "tags, no looks": Told(seen, told.num_unread),
        "truth, own words": true_tags(notes, own_words),
        "truth, one name": true_tags(notes, one_name),
    }
    lines, postings = [], {}
    for name, (tags, num_unread) in taggers.items():
        vocabulary = vocabulary_of(tags, encoder)
        rows = posting_rows(notes, tags, vocabulary)
        postings[name] = postings_of(rows, {note.note_id: at for at, note in enumerate(notes)})
        figures = {
            "tags a note": len(rows) / len(notes),
            "canonical tags": len(postings[name]),
            "unread": num_unread,
        }
        lines.append({"tagger": name, **figures})
    texts = {
        "title": [note.text.title for note in notes],
        "title and body": [note.full_text for note in notes],
    }
    paths = sorted({note.text.category for note in notes})
    one_hot_NC = np.array([[float(note.text.category == path) for path in paths] for note in notes])
    return Known(postings, {name: vectors(encoder, each) for name, each in texts.items()}, one_hot_NC), lines


def arms_of(known: Known, histories: Sequence[Collection[int]], candidates: Sequence[int]) -> Arms:
    """Every arm's scores for users by their histories."""
    num_notes = len(known.categories_NC)
    by_tags = {name: [tag_scores(found, histories, num_notes)] for name, found in known.postings.items()}
    by_text = {
        name: [vector_scores(each, histories, by=by) for by in ("mean", "max")]
        for name, each in known.vectors.items()
    }
    both = [together(by_tags["tags"][0], scores, candidates) for scores in by_text["title and body"]]
    category = np.stack([known.categories_NC[list(h)].mean(0) @ known.categories_NC.T for h in histories])
    with_category = {
        "tags + category": [together(by_tags["tags"][0], category, candidates)],
        "title + category": [together(scores, category, candidates) for scores in by_text["title"]],
    }
    random = np.zeros_like(category)  # all tie, and ties are split evenly
    floors = {"category": [category], "random": [random]}
    mixed = {"tags + title and body": both, **with_category}
    return {"tags": by_tags.pop("tags"), **by_text, **mixed, **floors, **by_tags}


def tables_of(world: ColdWorld, known: Known) -> list[tuple[Table, Arms]]:
    """Who wants what, three times, with the scores of all arms for them."""
    histories, clicked = [user.history for user in world.users], [user.clicked for user in world.users]
    with_fitting = [user for user in world.users if user.fitting]
    in_english = [(english(world, user.history), english(world, user.clicked)) for user in world.users]
    speaking = [each for each in in_english if all(each)]
    cold_en = english(world, world.cold)
    return [
        (table, arms_of(known, table.histories, table.candidates))
        for table in (
            Table("clicked later", histories, world.cold, clicked),
            Table(
                "of one's taste",
                [u.history for u in with_fitting],
                world.cold,
                [u.fitting for u in with_fitting],
            ),
            Table("clicked later, English", [h for h, _ in speaking], cold_en, [c for _, c in speaking]),
        )
    ]


def english(world: ColdWorld, notes: Collection[int]) -> list[int]:
    """Those of the notes that are written in English, in their order."""
    return [at for at in notes if world.notes[at].is_english]


def measured(table: Table, arms: Arms) -> dict[str, Floats]:
    """recall_U by arm; of an arm's ways to score the one with the highest mean."""
    found = {}
    for name, ways in arms.items():
        each = [recalls(scores, table.candidates, table.wanted, MOST) for scores in ways]
        found[name] = max(each, key=lambda recall: float(recall.mean()))
    return found


def rows_of(table: Table, found: Mapping[str, Floats], seed: int) -> list[dict[str, object]]:
    """A line an arm, its difference to tags paired."""
    which = draws(len(table.histories), ROUNDS, seed)
    return [
        {
            "table": table.name,
            "arm": name,
            f"recall@{MOST} %": shown(interval(recall, which)),
            "tags minus this, points": shown(interval(found["tags"] - recall, which)),
        }
        for name, recall in found.items()
    ]


def shown(found: tuple[float, float, float]) -> str:
    """A share and its interval, in hundredths."""
    return f"{100 * found[0]:.1f} [{100 * found[1]:.1f}, {100 * found[2]:.1f}]"


def arg_parser() -> argparse.ArgumentParser:
    """The teacher, and the size of the world."""
    parser = argparse.ArgumentParser("tags_cold_start", description=__doc__)
    parser.add_argument(
        "--teacher",
        type=Path,
        required=True,
        metavar="DIR",
        help="a model's folder",
    )
    for name, default in (("notes", 6000), ("events", 40_000), ("users", 1500), ("seed", 23)):
        parser.add_argument(f"--{name}", type=int, default=default, help="of the world (%(default)s)")
    return parser


def bars_of(tables: Sequence[tuple[Table, Mapping[str, Floats]]], seed: int) -> dict[str, bool]:
    """The promise: tags beat the title in what users really click, among all notes and among English ones."""
    bars = {}
    for table, found in tables:
        difference = interval(found["tags"] - found["title"], draws(len(table.histories), ROUNDS, seed))
        bars[f"{table.name}: tags beat title embedding by {shown(difference)} points"] = difference[1] > 0
    return bars


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        sizes = [f"--{name}={getattr(args, name)}" for name in ("notes", "events", "users", "seed")]
        make_world([*sizes, f"--pictures={args.notes}", "--days=9", f"--out={folder}/world"])
        world = cold_world(Path(folder) / "world", DAY)
        known, taggers = known_of(world.notes, args.teacher)
    tables = [(table, measured(table, arms)) for table, arms in tables_of(world, known)]
    sys.stdout.write(report.table(taggers) + "\n\n")
    report.write(
        "tags_cold_start",
        [row for table, found in tables for row in rows_of(table, found, args.seed)],
        bars=bars_of(tables, args.seed),
        command=" ".join(["python -m benchmarks.tags_cold_start", *argv]),
        packages=["torch", "transformers", "tokenizers", "pyspark"],
        teacher=args.teacher.name,
        taggers=taggers,
        tables=[_size(table) for table, _ in tables],
        seconds=round(time.perf_counter() - started),
    )


def _size(table: Table) -> dict[str, object]:
    sizes = (sum(map(len, table.wanted)), sum(map(len, table.histories)))
    means = {
        name: round(size / len(table.histories), 2)
        for name, size in zip(("wanted", "history"), sizes, strict=True)
    }
    return {
        "table": table.name,
        "users": len(table.histories),
        "candidates": len(table.candidates),
        "a user": means,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
