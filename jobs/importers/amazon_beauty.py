"""Import Amazon Beauty (2014, 5-core, leave-one-out): 22,363 users, 12,101 items, 198,502 interactions without times.

A review becomes a `click` on a synthetic day (see `synthetic_days`). The brand stands as the author. Twelve items
stand under several category paths; the first is taken. There are no descriptions, so bodies are empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from jobs.importers.raw_folder import Imported, Note, folder_parser, run_import, write_raw_folder
from jobs.importers.read_files import jsonl_rows, parquet_rows, source_file
from jobs.importers.synthetic_days import COLUMNS, add_day_arguments, clicks, midnight

ITEM_COLUMNS = ("item_id", "title", "categories", "brand")


def transform(
    items: Iterable[Mapping[str, Any]], rows: Iterable[tuple[int, int, int, str]], *, start: date, days: int
) -> Imported:
    """A click per interaction, and a note per item, all of them published when the first day begins."""
    events = clicks(rows, start=start, days=days)
    notes = [
        Note(
            note_id=str(item["item_id"]),
            title=item["title"],
            created_at=midnight(start),
            category=tuple(next(iter(item["categories"]), ())),
            author_id=item["brand"] or None,
        )
        for item in items
    ]
    return Imported(notes, events, len(events), options={"start": start.isoformat(), "days": days})


def main(argv: list[str]) -> None:
    args = add_day_arguments(folder_parser("amazon_beauty", __doc__)).parse_args(argv)
    rows, items = source_file(args.source, "interactions.parquet"), source_file(args.source, "items.jsonl")
    imported = transform(
        jsonl_rows(items, ITEM_COLUMNS), parquet_rows(rows, COLUMNS), start=args.start, days=args.days
    )
    write_raw_folder(args.target, "amazon_beauty", [rows, items], imported)


if __name__ == "__main__":
    run_import(main)
