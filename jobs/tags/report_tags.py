"""Write the browsable page of a day's tags: `<lake>/pages/note_tags_v1/ds=DAY.html`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.config import Config, add_run_arguments
from jobs.lake import Lake, LakeError, write_atomically
from jobs.session import run_job
from jobs.tags.pages import current_pages
from jobs.tags.tag_page import Totals, tag_page
from jobs.tags.tag_page_notes import NoteView
from jobs.tags.thumbnails import thumbnails
from models.tags.chain import STATUSES
from models.tags.handbook import page_for
from models.tags.spelling import surface_of
from schemas.tables import NOTES
from schemas.tag_tables import NOTE_TAGS, TAG_POSTINGS, TAG_VOCABULARY, TEACHER_TAGS

if TYPE_CHECKING:
    import duckdb

READS = ("notes", "teacher_tags", "tag_vocabulary", "note_tags", "tag_postings")
WRITES: tuple[str, ...] = ()
log = logging.getLogger("notemill")

DUCKDB_MEMORY = "2GB"
TOP = 60  # rows of a list among the totals
# A few of every category and status come before many of one: each group is dealt out in an order of its own.
_CHOSEN = """
with placed as (
    select note_id, row_number() over (partition by category[1], status order by sha256(note_id), note_id) as turn
    from notes join note_tags using (note_id)
)
select note_id from placed order by turn, sha256(note_id), note_id limit ?
"""
_TOTALS = {
    "note_tags": "select count(*), coalesce(sum(len(tags)), 0), coalesce(sum(len(unmapped)), 0) from note_tags",
    "teacher_tags": "select coalesce(sum(len(tags)), 0), coalesce(sum(num_ungrounded), 0), coalesce(sum(num_calls), 0), "
    "coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0.0) from teacher_tags",
    "statuses": "select status, count(*) from note_tags group by 1 order by 2 desc, 1",
    "sources": "select source, count(*) from note_tags group by 1 order by 2 desc, 1",
    "words": "select status, count(*) from tag_vocabulary group by 1 order by 2 desc, 1",
    "frequent": f"select dimension, tag, num_notes from tag_postings where rank = 1 order by 3 desc, 1, 2 limit {TOP}",
    "review": "select dimension, surface, nearest, similarity, num_notes from tag_vocabulary where status = 'review' "
    f"order by 5 desc, 4 desc, 1, 2 limit {TOP}",
    "unmapped": "select value, count(*) from (select unnest(unmapped) as value from note_tags) group by 1 "
    f"order by 2 desc, 1 limit {TOP}",
}


def connected(lake: Lake, day: str) -> duckdb.DuckDBPyConnection:
    """DuckDB over the published tables of the day, by their names. Raises `LakeError` where one is missing."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": DUCKDB_MEMORY})
    for table in (NOTES, TEACHER_TAGS, TAG_VOCABULARY, NOTE_TAGS, TAG_POSTINGS):
        connection.read_parquet(lake.files(table, day), hive_partitioning=False).create_view(table.name)
    return connection


def totals_of(connection: duckdb.DuckDBPyConnection) -> Totals:
    """The figures on top of the page."""
    found = {name: connection.execute(sql).fetchall() for name, sql in _TOTALS.items()}
    (num_notes, num_tags, num_unmapped), teacher = found["note_tags"][0], found["teacher_tags"][0]
    lists = [found[name] for name in ("statuses", "sources", "words", "frequent", "review", "unmapped")]
    return Totals(num_notes, num_tags, num_unmapped, *teacher, *lists)


def views_of(connection: duckdb.DuckDBPyConnection, lake: Lake, day: str, config: Config, limit: int) -> list[NoteView]:
    """The notes that the page shows, those of one category together, those with tags first."""
    chosen = [row[0] for row in connection.execute(_CHOSEN, [limit]).fetchall()]
    rows = {name: _by_note(connection, name, chosen) for name in ("notes", "teacher_tags", "note_tags")}
    pages = current_pages(lake, day)[0]
    meanings = _meanings(connection, rows["teacher_tags"])
    roots = tuple(str(root) for root in config.image_roots)
    order = sorted(
        chosen,
        key=lambda note_id: (
            rows["notes"][note_id]["category"],
            STATUSES.index(rows["note_tags"][note_id]["status"]),
            note_id,
        ),
    )
    return [
        NoteView(
            note := rows["notes"][note_id],
            rows["teacher_tags"][note_id],
            rows["note_tags"][note_id],
            page_for(pages, note["category"]),
            meanings,
            thumbnails(note["image_uris"], roots),
        )
        for note_id in order
    ]


def _by_note(connection: duckdb.DuckDBPyConnection, table: str, chosen: list[str]) -> dict[str, dict[str, Any]]:
    found = connection.execute(f"select * from {table} where note_id in (select unnest(?))", [chosen])
    names = [column[0] for column in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {row["note_id"]: row for row in rows}


def _meanings(
    connection: duckdb.DuckDBPyConnection, said: dict[str, dict[str, Any]]
) -> dict[tuple[str, str], tuple[str, str]]:
    """What the vocabulary makes of the values on the page."""
    values = {
        (surface_of(d), surface_of(t)) for row in said.values() for d, t in zip(row["dimensions"], row["tags"], strict=True)
    }
    sql = "select dimension, surface, tag, status from tag_vocabulary where surface in (select unnest(?))"
    rows = connection.execute(sql, [sorted({surface for _, surface in values})]).fetchall()
    return {(d, s): (tag, status) for d, s, tag, status in rows if (d, s) in values}


def write_page(lake: Lake, day: str, config: Config, limit: int) -> Path:
    """Write the page. Raises `LakeError` where a table of the day is not published."""
    with connected(lake, day) as connection:
        page = tag_page(day, totals_of(connection), views_of(connection, lake, day, config, limit))
    path = lake.root / "pages" / NOTE_TAGS.folder / f"ds={day}.html"
    write_atomically(path, page.encode())
    log.info("report_tags ds=%s: %s, %.1f MB", day, path, path.stat().st_size / 1e6)
    return path


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 5000:
        raise LakeError(f"parameter limit is {text!r}: it must be from 1 to 5000 notes")
    return int(text)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, and how many notes the page shows."""
    parser = add_run_arguments(argparse.ArgumentParser("report_tags", description=__doc__))
    parser.add_argument("--limit", type=_limit, default=200, help="notes on the page, at most 5000")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    write_page(args.config.open_lake(), args.day, args.config, args.limit)


if __name__ == "__main__":
    run_job(main)
