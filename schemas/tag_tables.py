"""The tables of fine-grained tags: handbook, what the teacher said, vocabulary, tags of notes, and their postings.

`schemas/tables.py` lists them after the tables they stand on.
"""

from __future__ import annotations

from schemas.expectations import coverage, rows_against_last
from schemas.table import Column, Metric, Table

STATUSES = ("ok", "empty", "invalid", "refused", "truncated", "failed", "skipped")
STATUS_MEANING = (
    "ok: tags; empty: the note shows nothing of the handbook; invalid: no reply of the agreed form; refused; truncated: the "
    "reply was cut off; failed: no reply; skipped: no budget or no model left for it"
)
NOTE_ID = Column("note_id", "string", "the note", matches=r"^\S.{0,255}$")
CONTENT_HASH = Column(
    "content_hash", "string", "what the note said when it was read", matches="^[0-9a-f]{64}$"
)
STATUS = Column("status", "string", STATUS_MEANING, one_of=STATUSES)
DIMENSION = Column("dimension", "string", "the interest dimension, such as material")
DIMENSIONS = Column("dimensions", "array<string>", "the dimension of every tag, in the order of tags")
EVIDENCE = Column("evidence", "array<string>", "for every tag the span of the text, or 'picture'")
CONFIDENCES = Column("confidences", "array<float>", "for every tag the model's probability of it, 0 to 1")
HANDBOOK_VERSION = Column("handbook", "string", "version of the handbook's page; empty where there is none")
PROMPT_VERSION = Column("prompt", "string", "version of the prompt", nullable=True)


def _same_lengths(*columns: str) -> Metric:
    unequal = " or ".join(f"len({name}) <> len({columns[0]})" for name in columns[1:])
    return Metric(
        "uneven_lists",
        f"rows in which {', '.join(columns)} differ in length",
        f"select count(*) from this where {unequal}",
        at_most=0,
    )


def _notes_without_row() -> Metric:
    return Metric(
        "notes_without_row",
        "notes of the day that have no row: nothing is dropped, whatever becomes of a note is a status",
        "select count(*) from notes anti join this using (note_id, content_hash)",
        at_most=0,
        reads=("notes",),
    )


def _share(name: str, meaning: str, statuses: str, at_most: float) -> Metric:
    return Metric(
        name, meaning, f"select coalesce(avg((status in ({statuses}))::int), 0) from this", at_most=at_most
    )


INTEREST_HANDBOOK = Table(
    "interest_handbook",
    1,
    "interest dimension that users of a category act on",
    (
        Column("category", "string", "the category path, joined by ' > '; '' is the page of all notes"),
        DIMENSION,
        Column(
            "position",
            "int",
            "1 for the dimension that explains most of the category's clicks",
            between=(1, None),
        ),
        Column("definition", "string", "what the dimension means, for the model and for a person"),
        Column("example_values", "array<string>", "values that were seen, those with most clicks first"),
        Column(
            "num_clicks",
            "bigint",
            "engaged clicks of the category that its values explain",
            between=(0, None),
        ),
        Column(
            "support", "double", "share of the category's engaged clicks that it explains", between=(0.0, 1.0)
        ),
        Column(
            "lift",
            "double",
            "that share over the share of shown notes that have a value of it",
            between=(0.0, None),
        ),
        Column("evidence_notes", "array<string>", "note ids behind it, those with most clicks first"),
        Column("evidence_queries", "array<string>", "searches behind it, the most frequent first"),
        Column(
            "inherited_from",
            "string",
            "the wider category that lent it where support was thin",
            nullable=True,
        ),
        Column(
            "named_by",
            "string",
            "who named what no person has: teacher or clusters; person where a person named all",
            one_of=("teacher", "clusters", "person"),
        ),
        Column("change", "string", "against the last version", one_of=("new", "changed", "kept")),
        Column(
            "page",
            "string",
            "version of the page it stands on: twelve hexadecimal digits",
            matches="^[0-9a-f]{12}$",
        ),
    ),
    key=("category", "dimension"),
    metrics=(
        Metric(
            "explained_share",
            "share of engaged clicks that some dimension of their category's page explains",
            "select num_explained_clicks / greatest(num_engaged_clicks, 1) from counts",
            at_least=0.5,
        ),
        Metric(
            "repeating_dimensions",
            "dimensions of a page that share more than half of their example values with one before them",
            "select count(*) from this a join this b on a.category = b.category and a.position < b.position "
            "where len(list_intersect(a.example_values, b.example_values)) * 2 > "
            "least(len(a.example_values), len(b.example_values))",
            at_most=0,
        ),
        Metric(
            "dimensions_without_values",
            "dimensions without an example value",
            "select count(*) from this where len(example_values) = 0",
            at_most=0,
        ),
        rows_against_last(at_least=0.3, at_most=4.0),
    ),
)
TEACHER_TAGS = Table(
    "teacher_tags",
    1,
    "note that exists at the end of the day, and what the teacher said of it",
    (
        NOTE_ID,
        CONTENT_HASH,
        STATUS,
        Column(
            "problem",
            "string",
            "for a person: why there are no tags, or why it was shown without its picture; empty where nothing is wrong",
        ),
        DIMENSIONS,
        Column(
            "tags", "array<string>", "the values as the teacher wrote them, grounded and unlike each other"
        ),
        EVIDENCE,
        CONFIDENCES,
        Column("observed_text", "array<string>", "first step of the chain: what the text shows"),
        Column("observed_picture", "string", "first step of the chain: what the picture shows"),
        Column(
            "num_ungrounded", "int", "tags left out because their evidence does not hold", between=(0, None)
        ),
        Column("num_repeated", "int", "tags left out because they repeat another", between=(0, None)),
        Column("num_pictures", "int", "pictures that the teacher saw", between=(0, None)),
        Column(
            "picture",
            "string",
            "SHA-256 of the picture's file; null where there is none to open",
            nullable=True,
            matches="^[0-9a-f]{64}$",
        ),
        Column("reply", "string", "the reply as it came; null where there is none", nullable=True),
        Column(
            "answer",
            "string",
            "SHA-256 that the answer is filed under; null where nothing was asked",
            nullable=True,
            matches="^[0-9a-f]{64}$",
        ),
        Column("teacher", "string", "the model: name and hash, or server and name", nullable=True),
        PROMPT_VERSION,
        HANDBOOK_VERSION,
        Column("tokens_in", "bigint", "tokens sent, failed and repeated calls included", between=(0, None)),
        Column(
            "tokens_out", "bigint", "tokens received, failed and repeated calls included", between=(0, None)
        ),
        Column("num_calls", "int", "calls made for it, failed ones included", between=(0, None)),
        Column(
            "latency_ms",
            "double",
            "wall time of its calls, its share of a batch",
            unit="milliseconds",
            between=(0.0, None),
        ),
        Column(
            "cost",
            "double",
            "tokens times the configured prices",
            unit="the prices' currency",
            between=(0.0, None),
        ),
    ),
    key=("note_id",),
    metrics=(
        rows_against_last(at_least=0.5, at_most=3.0),
        _notes_without_row(),
        _same_lengths("tags", "dimensions", "evidence", "confidences"),
        Metric(
            "ok_without_tags",
            "rows whose status says tags and that have none, or the other way round",
            "select count(*) from this where (status = 'ok') <> (len(tags) > 0)",
            at_most=0,
        ),
        _share(
            "unread_share",
            "share of notes whose reply was of no use",
            "'invalid', 'truncated', 'failed'",
            0.2,
        ),
        Metric(
            "ungrounded_share",
            "share of the teacher's tags whose evidence does not hold",
            "select coalesce(sum(num_ungrounded) / nullif(sum(num_ungrounded + len(tags)), 0), 0) from this",
            at_most=0.5,
        ),
    ),
)
TAG_VOCABULARY = Table(
    "tag_vocabulary",
    1,
    "spelling of a tag, and the tag it stands for",
    (
        DIMENSION,
        Column("surface", "string", "a tag as models write it, folded (NFKC, case, white space)"),
        Column(
            "tag", "string", "the canonical tag it stands for; itself where nothing is known to stand for it"
        ),
        Column(
            "status",
            "string",
            "canonical: stands for itself; variant: spelling or plural; merged: near-synonym by embedding; review: too "
            "near to call, stands for itself until a person says; rare: seen too seldom to be a tag; blocked",
            one_of=("canonical", "variant", "merged", "review", "rare", "blocked"),
        ),
        Column("num_notes", "bigint", "most notes that had it on any one day", between=(1, None)),
        Column("nearest", "string", "the canonical tag most like it when it was looked at", nullable=True),
        Column(
            "similarity",
            "double",
            "cosine to that; where no encoder reads the text, the share of characters in common",
            nullable=True,
            between=(-1.01, 1.01),
        ),
        Column("since", "date", "the day it was first seen"),
    ),
    key=("dimension", "surface"),
    may_be_empty=True,
    metrics=(
        Metric(
            "dangling_tags",
            "variants and near-synonyms whose tag is no tag of their dimension",
            "select count(*) from this where status in ('variant', 'merged') and (dimension, tag) not in "
            "(select (dimension, tag) from this where status in ('canonical', 'review'))",
            at_most=0,
        ),
        Metric(
            "blocked_share",
            "share of spellings that are blocked",
            "select coalesce(avg((status = 'blocked')::int), 0) from this",
            at_most=0.2,
        ),
    ),
)
NOTE_TAGS = Table(
    "note_tags",
    1,
    "note that exists at the end of the day, with its canonical tags",
    (
        NOTE_ID,
        CONTENT_HASH,
        STATUS,
        DIMENSIONS,
        Column("tags", "array<string>", "canonical tags, the most confident first"),
        EVIDENCE,
        CONFIDENCES,
        Column(
            "unmapped", "array<string>", "'dimension: value' that the vocabulary does not hold, or holds back"
        ),
        Column("source", "string", "who tagged it", one_of=("teacher", "student", "none")),
        Column("model", "string", "the model's identity", nullable=True),
        PROMPT_VERSION,
        HANDBOOK_VERSION,
        Column("vocabulary", "string", "partition of tag_vocabulary that made tags canonical"),
    ),
    key=("note_id",),
    metrics=(
        rows_against_last(at_least=0.5, at_most=3.0),
        _notes_without_row(),
        _same_lengths("tags", "dimensions", "evidence", "confidences"),
        Metric(
            "repeated_tags",
            "notes that have one tag twice",
            "select count(*) from this where len(tags) <> len(list_distinct(tags))",
            at_most=0,
        ),
        Metric(
            "not_canonical",
            "tags that are no canonical tag of the vocabulary",
            "select count(*) from (select unnest(tags) as tag, unnest(dimensions) as dimension from this) "
            "where (dimension, tag) not in "
            "(select (dimension, tag) from tag_vocabulary where status in ('canonical', 'review'))",
            at_most=0,
            reads=("tag_vocabulary",),
        ),
    ),
)
TAG_POSTINGS = Table(
    "tag_postings",
    1,
    "note of a tag: what retrieval by tag reads",
    (
        DIMENSION,
        Column("tag", "string", "the canonical tag"),
        Column("rank", "int", "1 for the tag's most certain note", between=(1, None)),
        NOTE_ID,
        Column(
            "weight",
            "double",
            "confidence times the tag's rarity, ln(1 + notes / notes with it)",
            between=(0.0, None),
        ),
        Column("num_notes", "bigint", "notes that have the tag", between=(1, None)),
    ),
    key=("dimension", "tag", "rank"),
    may_be_empty=True,
    metrics=(
        coverage("notes", at_least=1.0),
        Metric(
            "unlike_note_tags",
            "postings that note_tags does not have, and the other way round",
            "select (select count(*) from (select dimension, tag, note_id from this except "
            "select unnest(dimensions), unnest(tags), note_id from note_tags)) + "
            "(select count(*) from (select unnest(dimensions), unnest(tags), note_id from note_tags except "
            "select dimension, tag, note_id from this))",
            at_most=0,
            reads=("note_tags",),
        ),
    ),
)
TAG_TABLES = (INTEREST_HANDBOOK, TEACHER_TAGS, TAG_VOCABULARY, NOTE_TAGS, TAG_POSTINGS)
