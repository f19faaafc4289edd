"""What Spark's workers do with phrases: count them, their neighbours and contexts, and find them in notes and searches.

Each function makes one for `mapInArrow`; what it emits is added up per batch already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from models.notes.text import language
from models.tags.chain import folded
from models.tags.phrases import hashtag_phrase, matches, occurrences, query_phrases, segments

Worker = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
BLANK = " "
MAX_TEXT, MAX_QUERY = 5000, 200  # characters that are read: a stranger's text may be of any length
HASHTAGS = "phrase string, author_id string"
PHRASES = "phrase string, num bigint"
NEIGHBOURS = "phrase string, side string, neighbour string, num bigint"
CONTEXTS = "phrase string, context string, num bigint"
NOTES = "note_id string, category string, language string, phrases array<string>"
SEARCHES = "query string, query_phrases array<string>"
HITS = "category string, dimension int, num_clicks bigint, num_shown bigint"
CENTRE, LEFT, RIGHT, TOKENS = "c", "l", "r", "t"
SPELT, SEARCHED, FRAME = "s ", "q ", "m "  # before a spelling, a context in a search, what stands around


def _batch(rows: Iterable[tuple[Any, ...]], ddl: str) -> pa.RecordBatch:
    types = {
        "string": pa.string(),
        "bigint": pa.int64(),
        "int": pa.int32(),
        "array<string>": pa.list_(pa.string()),
    }
    names, kinds = zip(*(column.split(" ", 1) for column in ddl.split(", ")), strict=True)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [pa.array(column, types[kind]) for column, kind in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, list(names))


def hashtag_phrases(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Phrases that an author wrote as a hashtag, tokens parted by blanks; `hashtags`, `author_id` in."""
    for batch in batches:
        found = {
            (BLANK.join(phrase), row["author_id"])
            for row in batch.to_pylist()
            for phrase in map(hashtag_phrase, row["hashtags"])
            if phrase
        }
        yield _batch(sorted(found), HASHTAGS)


def searched_phrases(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """In how many searches an n-gram stands; `query` in, each search once."""
    for batch in batches:
        counts = Counter(
            BLANK.join(p)
            for query in batch.column("query").to_pylist()
            for p in query_phrases(query[:MAX_QUERY])
        )
        yield _batch(counts.items(), PHRASES)


def lines_of(row: Mapping[str, Any]) -> list[str]:
    """The folded lines of a note's text, or of a search."""
    whole = row["query"] if "query" in row else f"{row['title']}\n{row['body']}"
    return [folded(line) for line in whole[: MAX_QUERY if "query" in row else MAX_TEXT].splitlines()]


def neighbours(vocabulary: Mapping[str, Any]) -> Worker:
    """Occurrences of every key and of its left and right neighbours, and how many tokens there are."""

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            counts: Counter[tuple[str, str, str]] = Counter()
            for line in (line for row in batch.to_pylist() for line in lines_of(row)):
                counts["", TOKENS, ""] += sum(map(len, segments(line)))
                for key, left, right in occurrences(line, vocabulary):
                    counts.update([(key, CENTRE, ""), (key, LEFT, left), (key, RIGHT, right)])
            yield _batch(((*key, num) for key, num in counts.items()), NEIGHBOURS)

    return count


def contexts(vocabulary: Mapping[str, Any]) -> Worker:
    """The contexts and spellings of every phrase; notes (with `hashtags`) or searches in."""

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            counts: Counter[tuple[str, str]] = Counter()
            for row in batch.to_pylist():
                kind = SEARCHED if "query" in row else ""
                for found in (f for line in lines_of(row) for f in matches(line, vocabulary)):
                    counts[found.key, SPELT + found.surface] += 1
                    counts.update((found.key, kind + context) for context in found.contexts)
            yield _batch(((*key, num) for key, num in counts.items()), CONTEXTS)

    return count


def phrases_of_notes(vocabulary: Mapping[str, Any]) -> Worker:
    """The phrases of every note, hashtags included, with its language; `category` comes joined."""

    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _batch((_note(row, vocabulary) for row in batch.to_pylist()), NOTES)

    return find


def _note(row: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> tuple[Any, ...]:
    tags = ("".join(phrase) for phrase in map(hashtag_phrase, row["hashtags"]) if phrase)
    found = {key for key in tags if key in vocabulary}
    found |= {f.key for line in lines_of(row) for f in matches(line, vocabulary)}
    return row["note_id"], row["category"], language(f"{row['title']} {row['body']}"), sorted(found)


def phrases_of_searches(vocabulary: Mapping[str, Any]) -> Worker:
    """The phrases of every search."""

    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            queries = batch.column("query").to_pylist()
            rows = ((q, sorted({f.key for f in matches(folded(q[:MAX_QUERY]), vocabulary)})) for q in queries)
            yield _batch(rows, SEARCHES)

    return find


def hits(pages: Mapping[str, Mapping[str, int]], readers: Mapping[str, str], prefixes: Any) -> Worker:
    """Clicks and showings that each dimension of each page explains, and -1 for any dimension of the note's own page.

    `pages` has the dimension of every value of a page that is a category's own, `readers` whose page a category reads.
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            clicks: Counter[tuple[str, int]] = Counter()
            shown: Counter[tuple[str, int]] = Counter()
            for row in batch.to_pylist():
                keys = []
                for category in prefixes(row["category"]):
                    page = pages.get(category, {})
                    keys += [(category, at) for at in sorted({page[p] for p in row["phrases"] if p in page})]
                own = pages[readers[row["category"]]]
                keys += [(row["category"], -1)] * any(p in own for p in row["phrases"])
                for key in keys:
                    clicks[key] += row["num_clicks"]
                    shown[key] += row["num_shown"]
            yield _batch(((*key, clicks[key], shown[key]) for key in clicks), HITS)

    return count
