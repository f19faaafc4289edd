"""Import Amazon Office Products with dates (reviews of 2016-10 to 2018-10): a real event log over 725 days.

A review becomes a `click`; its stars are not carried over. The source knows the day only (every timestamp is midnight
UTC) and lists a user's items of one day by rising item number, which is the order of a catalogue and not of clicks:
nothing is added to the time, so that clicks of one day stay unordered instead of ordered wrongly.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from jobs.importers.raw_folder import Event, Imported, Note, folder_parser, run_import, write_raw_folder
from jobs.importers.read_files import jsonl_rows, parquet_rows, source_file

EVENT_COLUMNS = ("user_id", "item_id", "timestamp")
ITEM_COLUMNS = ("item_id", "title", "description")
LONGEST_LITERAL = 100_000


def transform(items: Iterable[Mapping[str, Any]], reviews: Iterable[tuple[int, int, int]]) -> Imported:
    """A click per review, and a note per item, published on the day of its first review (of any, where it has none)."""
    events: list[Event] = []
    first: dict[int, datetime] = {}
    for user, item, seconds in reviews:
        ts = datetime.fromtimestamp(seconds, UTC)
        events.append(Event(str(user), str(item), "click", ts))
        first[item] = min(first.get(item, ts), ts)
    opening = min(first.values(), default=datetime(2016, 10, 1, tzinfo=UTC))
    notes = [note_of(item, first.get(item["item_id"], opening)) for item in items]
    return Imported(notes, events, len(events))


def note_of(item: Mapping[str, Any], created_at: datetime) -> Note:
    """One item as a note."""
    return Note(str(item["item_id"]), item["title"], created_at, paragraphs(item["description"]))


def paragraphs(text: str) -> str:
    """The description: a Python list of paragraphs written out as text, joined by line breaks.

    Read by `ast.literal_eval`, which runs nothing, and only up to a size it can handle; what is no such list stays as
    it is.
    """
    if len(text) > LONGEST_LITERAL:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    is_list = isinstance(value, list) and all(isinstance(part, str) for part in value)
    return "\n".join(value) if is_list else text


def main(argv: list[str]) -> None:
    args = folder_parser("amazon_office_dated", __doc__).parse_args(argv)
    events, items = source_file(args.source, "events.parquet"), source_file(args.source, "items.jsonl")
    imported = transform(jsonl_rows(items, ITEM_COLUMNS), parquet_rows(events, EVENT_COLUMNS))
    write_raw_folder(args.target, "amazon_office_dated", [events, items], imported)


if __name__ == "__main__":
    run_import(main)
