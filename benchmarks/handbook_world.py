"""How true the mined handbook of a generated world is, whose dimensions and values are known, without a teacher.

    python -m benchmarks.handbook_world [--notes 3000]

Purity: of the values on pages of a category's own, the share that belongs to the dimension most values of their group
belong to (a value that the world does not know belongs nowhere). Found: of the true values that notes of a category
state and that got at least `CLICKS` clicks there, the share that the category's page shows in either language. The
world's sentences are templates, so contexts tell its dimensions apart more clearly than people's prose would.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from benchmarks import report
from demo.__main__ import main as make_world
from demo.catalogue import CATEGORIES, COLOURS, PRICES
from demo.interests import INTERESTS
from demo.wording import SLOTS
from jobs.config import load_config
from jobs.lake import Lake, days_before
from jobs.logs import clean_events
from jobs.notes import clean_notes
from jobs.publish_table import publish
from jobs.tags import build_handbook
from models.tags.chain import folded
from models.tags.handbook import category_key
from models.tags.phrases import key_of, segments
from schemas.tables import EVENTS, NOTES
from schemas.tag_tables import INTEREST_HANDBOOK

DAY, WINDOW, CLICKS = "2026-01-14", 7, 5
Rows = list[dict[str, Any]]


def key(word: str) -> str:
    """The key of a word of the world."""
    return "".join(key_of(segment) for segment in segments(folded(word)))


def truth() -> dict[str, dict[str, tuple[str, str]]]:
    """By top category and key of a word: its dimension and the value in English."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for category in CATEGORIES:
        named = [(slot, d.values) for slot, d in zip(SLOTS, category.dimensions, strict=False)]
        named += [("brand", category.brands), ("price", PRICES), ("colour", COLOURS)]
        known = found.setdefault(category.name, {})
        for slot, values in named:
            for value in values:
                for word in value:
                    known.setdefault(key(word), (slot, value[0]))
    for interest in INTERESTS:
        for word in (word for names in interest.names for word in names):
            found[interest.path[0]].setdefault(key(word), ("product", interest.names[0][0]))
    return found


def published_world(root: Path) -> Lake:
    """The lake of a world with the week's notes and events."""
    config = ["--config", str(root / "config.yaml")]
    lake = load_config(root / "config.yaml").open_lake()
    for day in days_before(DAY, WINDOW):
        clean_notes.main([*config, "--day", day])
        publish(lake, NOTES, day)
        clean_events.main([*config, "--day", day])
        publish(lake, EVENTS, day)
    return lake


def purity(rows: Rows) -> dict[str, float]:
    """Purity, values unknown to the world, and pages' dimensions for one true one, over pages of a category's own."""
    known = truth()
    anywhere = {
        word: value for words in known.values() for word, value in words.items()
    }  # notes err in category
    counts: Counter[str] = Counter()
    for row in rows:
        top = row["category"].split(" > ")[0]
        if row["inherited_from"] is None and top:
            words = map(key, row["example_values"])
            found = Counter(known[top].get(word, anywhere.get(word, ("unknown", "")))[0] for word in words)
            unknown = found.pop("unknown", 0)
            counts.update(values=len(row["example_values"]), unknown=unknown, dimensions=1)
            counts["pure"] += max(found.values(), default=0)
            counts["true dimensions"] += bool(found)
    return {
        "purity": counts["pure"] / max(counts["values"], 1),
        "unknown values": counts["unknown"] / max(counts["values"], 1),
        "of nothing known": 1 - counts["true dimensions"] / max(counts["dimensions"], 1),
    }


def found_values(rows: Rows, root: Path, lake: Lake) -> dict[str, float]:
    """Share of clicked true values that the page of their category shows, by dimension and in all."""
    known = truth()
    clicks = Counter(_clicked_notes(lake))
    wanted: Counter[tuple[str, str, str]] = Counter()
    for note in pq.read_table(root / "truth" / "note_truth.parquet").to_pylist():
        for dimension, value in zip(note["tag_dimensions"], note["tag_names_en"], strict=True):
            if dimension not in ("colour", "pattern", "form"):  # no text says these
                wanted[category_key(note["category"]), dimension, value] += clicks[note["note_id"]]
    shown: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        of_top = known.get(row["category"].split(" > ")[0], {})
        shown[row["category"]] |= {of_top[key(v)] for v in row["example_values"] if key(v) in of_top}
    hits = [(d, (d, value) in shown[c]) for (c, d, value), num in wanted.items() if num >= CLICKS]
    return {"found": _share(hit for _, hit in hits)} | {
        f"found {name}": _share(hit for d, hit in hits if d == name) for name in sorted({d for d, _ in hits})
    }


def _clicked_notes(lake: Lake) -> list[str]:
    files = [file for day in days_before(DAY, WINDOW) for file in lake.files(EVENTS, day)]
    events = ds.dataset(files).to_table(columns=["note_id", "event"], filter=ds.field("event") == "click")
    return events.column("note_id").to_pylist()


def _share(hits: Iterable[bool]) -> float:
    told = list(hits)
    return sum(told) / max(len(told), 1)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("handbook_world", description=__doc__)
    parser.add_argument("--notes", type=int, default=3000)
    args = parser.parse_args(argv)
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.showConsoleProgress": "false",
    }
    SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        make_world(["--notes", str(args.notes), "--pictures", "0", "--out", str(root)])
        (root / "lake" / "decisions" / "interest_handbook.csv").unlink()  # here no person names anything
        lake = published_world(root)
        build_handbook.main(["--config", str(root / "config.yaml"), "--day", DAY])
        counts = publish(lake, INTEREST_HANDBOOK, DAY)["counts"]
        rows = [
            row
            for file in lake.files(INTEREST_HANDBOOK, DAY)
            for row in pq.ParquetFile(file).read().to_pylist()
        ]
        figures = purity(rows) | found_values(rows, root, lake)
    explained = counts["num_explained_clicks"] / counts["num_engaged_clicks"]
    report.write(
        "handbook_world",
        [{"figure": name, "value": value} for name, value in {**figures, "explained": explained}.items()],
        bars={
            f"purity of mined dimensions at least 0.9 ({figures['purity']:.3f})": figures["purity"] >= 0.9,
            f"true values found at least 0.8 ({figures['found']:.3f})": figures["found"] >= 0.8,
            f"clicks explained at least 0.9 ({explained:.3f})": explained >= 0.9,
        },
        command=f"python -m benchmarks.handbook_world --notes {args.notes}",
        packages=["pyspark", "numpy"],
        notes=args.notes,
        counts=counts,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
