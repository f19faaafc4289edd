"""Every table of notemill, in the order the data flows: the data model. Those of tags stand in `tag_tables.py`,
the health of semantic IDs in `id_tables.py`,
those of the recommender in `recommend_tables.py`.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.expectations import (
    accounted,
    coverage,
    listed_lengths,
    not_of_length_1,
    psi,
    quarantined_share,
    rows_against_last,
)
from schemas.id_tables import ID_TABLES
from schemas.quarantine import quarantine
from schemas.recommend_tables import RECOMMEND_TABLES
from schemas.table import Column, Metric, Table
from schemas.tag_tables import TAG_TABLES

EVENT_KINDS = ("impression", "click", "like", "collect", "comment", "share")

USER_ID = Column("user_id", "string", "who acted; an opaque id", matches=r"^\S.{0,255}$")
NOTE_ID = Column("note_id", "string", "the note (or product); an opaque id", matches=r"^\S.{0,255}$")
EVENT = Column("event", "string", "what the user did with the note", one_of=EVENT_KINDS)
TS = Column("ts", "timestamp", "when it happened", unit="UTC, microseconds")
QUERY = Column("query", "string", "the search that led there; null outside search", nullable=True)
TITLE = Column("title", "string", "the title as its author wrote it; may be empty")
BODY = Column("body", "string", "the text under the title; may be empty")
CATEGORY = Column("category", "array<string>", "the category path, widest first; may be empty")
HASHTAGS = Column("hashtags", "array<string>", "the author's hashtags, without '#'; may be empty")
IMAGE_URIS = Column(
    "image_uris", "array<string>", "where its pictures lie: paths under image_roots, or http(s) addresses"
)
AUTHOR_ID = Column("author_id", "string", "who wrote the note", nullable=True)
CREATED_AT = Column("created_at", "timestamp", "when the note was published", unit="UTC, microseconds")
CONTENT_HASH = Column(
    "content_hash",
    "string",
    "SHA-256 of all that the note says: same hash, same content",
    matches="^[0-9a-f]{64}$",
)


def _optional(column: Column) -> Column:
    return replace(column, nullable=True)


# What a user brings. Folders of Parquet, CSV or JSON Lines; see docs/your-data.md for the layouts.
RAW_EVENTS = Table("raw_events", 1, "line of a click log", (USER_ID, NOTE_ID, EVENT, TS, QUERY))
RAW_NOTES = Table(
    "raw_notes",
    1,
    "note as its source has it",
    (NOTE_ID, TITLE, *(_optional(c) for c in (BODY, CATEGORY, HASHTAGS, IMAGE_URIS)), AUTHOR_ID, CREATED_AT),
    key=("note_id",),
)
RAW_USERS = Table(
    "raw_users",
    1,
    "user (optional; the profile fields of the JD recommender)",
    (
        USER_ID,
        Column("gender", "string", "as the user stated it", nullable=True),
        Column("age_band", "string", "such as 18-24", nullable=True),
        Column("marital_status", "string", "single or married", nullable=True, one_of=("single", "married")),
        Column("has_children", "boolean", "whether there are children at home", nullable=True),
    ),
    key=("user_id",),
)


NOTES_QUARANTINE = quarantine("notes_quarantine")
NOTES = Table(
    "notes",
    1,
    "note that exists at the end of the day",
    (
        NOTE_ID,
        TITLE,
        BODY,
        CATEGORY,
        HASHTAGS,
        IMAGE_URIS,
        AUTHOR_ID,
        CREATED_AT,
        Column("broken_images", "array<string>", "pictures that do not open, each as 'uri: why'"),
        CONTENT_HASH,
        Column(
            "text_hash",
            "string",
            "SHA-256 of the text alone: what a text encoder sees",
            matches="^[0-9a-f]{64}$",
        ),
        Column(
            "num_same_text",
            "bigint",
            "notes of the day with this very text, itself included: above 1 no text tokenizer can separate them",
            between=(1, None),
        ),
    ),
    key=("note_id",),
    companions=("notes_quarantine",),
    metrics=(
        accounted(),
        quarantined_share(at_most=0.2),
        rows_against_last(at_least=0.5, at_most=3.0),
        Metric(
            "same_text_share",
            "share of notes that share their whole text with another",
            "select coalesce(avg((num_same_text > 1)::int), 0) from this",
            at_most=0.5,
        ),
        psi("category[1]", "category", at_most=0.25),
    ),
)
EVENTS_QUARANTINE = quarantine("events_quarantine")
EVENTS = Table(
    "events",
    1,
    "thing a user did with a note, as it arrived on the day",
    (
        USER_ID,
        NOTE_ID,
        EVENT,
        TS,
        QUERY,
        Column("is_late", "boolean", "whether it happened on an earlier day than it arrived on"),
    ),
    companions=("events_quarantine",),
    metrics=(
        accounted(),
        quarantined_share(at_most=0.2),
        rows_against_last(at_least=0.2, at_most=5.0),
        Metric(
            "late_share", "share of rows that came late", "select coalesce(avg(is_late::int), 0) from this", at_most=0.2
        ),
        Metric(
            "clicks",
            "clicks of the day",
            "select count(*) from this where event = 'click'",
            at_least=1,
            only_if_open=True,
        ),
        coverage("notes", at_least=1.0),
        psi("event", "event", at_most=0.25),
    ),
)
NOTE_PAIRS = Table(
    "note_pairs",
    1,
    "ordered pair of notes that users clicked one after the other within the week",
    (
        NOTE_ID,
        Column("related_note_id", "string", "the note clicked later", matches=r"^\S.{0,255}$"),
        Column(
            "score",
            "double",
            "sum over users who clicked the first and then the second of 1 / the user's clicked notes (NoteLLM, 3.2)",
            between=(0.01, 30.0),
        ),
        Column("rank", "int", "1 for the note's highest score", between=(1, None)),
        Column("num_users", "bigint", "users behind the score", between=(1, None)),
    ),
    key=("note_id", "rank"),
    may_be_empty=True,
    metrics=(
        rows_against_last(at_least=0.3, at_most=4.0),
        coverage("notes", at_least=1.0),
        Metric(
            "self_pairs",
            "pairs of a note with itself",
            "select count(*) from this where note_id = related_note_id",
            at_most=0,
        ),
        Metric(
            "rank_gaps",
            "notes whose ranks are not 1, 2, 3, ...",
            "select count(*) from (select note_id from this group by note_id having max(rank) <> count(*))",
            at_most=0,
        ),
    ),
)
NOTE_EMBEDDINGS = Table(
    "note_embeddings",
    1,
    "note that exists at the end of the day",
    (
        NOTE_ID,
        CONTENT_HASH,
        Column("encoder", "string", "the encoder that made it: name and hash of its weights and its options"),
        Column("embedding", "array<float>", "the note as a vector of length 1"),
    ),
    key=("note_id",),
    metrics=(
        rows_against_last(at_least=0.5, at_most=3.0),
        Metric(
            "notes_without_embedding",
            "notes of the day that have no embedding",
            "select count(*) from notes anti join this using (note_id, content_hash)",
            at_most=0,
            reads=("notes",),
        ),
        listed_lengths("embedding"),
        not_of_length_1(),
    ),
)
PICTURE_EMBEDDINGS = Table(
    "picture_embeddings",
    1,
    "note of the day whose first picture opens, where an image_encoder is configured",
    (
        NOTE_ID,
        Column("picture_hash", "string", "SHA-256 of the picture's file", matches="^[0-9a-f]{64}$"),
        Column("encoder", "string", "the encoder that made it: name and hash of its weights and its options"),
        Column("embedding", "array<float>", "the picture as a vector of length 1"),
    ),
    key=("note_id",),
    may_be_empty=True,
    metrics=(
        coverage("notes", at_least=1.0),
        Metric(
            "picture_share",
            "share of the day's notes that have a picture's vector",
            "select (select count(*) from this) / greatest((select count(*) from notes), 1)",
            at_least=0,
            reads=("notes",),
        ),
        Metric(
            "broken_share",
            "share of notes with a picture for which there is no vector: it is gone, does not open, or says nothing",
            "select num_broken / greatest(num_pictures, 1) from counts",
            at_most=0.5,
        ),
        Metric(
            "vectors_against_last",
            "rows over the rows of the last published partition; 1 where pictures are switched off",
            "select case when num_off > 0 then 1 else (select count(*) from this) / "
            "greatest((select count(*) from previous), 1) end from counts",
            at_least=0.5,
        ),
        Metric("encoders", "encoders in one partition", "select count(distinct encoder) from this", at_most=1),
        Metric(
            "embedding_lengths",
            "different lengths of embedding",
            "select count(distinct len(embedding)) from this",
            at_most=1,
        ),
        not_of_length_1(),
    ),
)
SEMANTIC_IDS = Table(
    "semantic_ids",
    1,
    "note that exists at the end of the day",
    (
        NOTE_ID,
        Column(
            "codes",
            "array<int>",
            "the quantizer's codes, coarsest level first, after equal ones were treated (`quantizer.collisions`): with "
            "`matching` no two notes share them while there is room, with `extra` the last one tells equals apart",
        ),
        Column(
            "semantic_id",
            "string",
            "the codes as text, such as <a_99><b_225><c_67>",
            matches=r"^(?:<[a-z]_\d+>)+$",
        ),
        Column(
            "tie_break",
            "int",
            "rank of the note inside its codes, in order of arrival: 0 unless another note has them too",
            between=(0, None),
        ),
        Column("generation", "string", "the quantizer that made the codes"),
        Column("since", "date", "the day whose run gave the note this ID"),
    ),
    key=("note_id",),
    metrics=(
        rows_against_last(at_least=0.5, at_most=3.0),
        Metric(
            "notes_without_id",
            "notes of the day that have no semantic ID",
            "select count(*) from notes anti join this using (note_id)",
            at_most=0,
            reads=("notes",),
        ),
        listed_lengths("codes"),
        Metric(
            "shared_full_ids",
            "notes that share codes and tie-break with another",
            "select count(*) - count(distinct (codes, tie_break)) from this",
            at_most=0,
        ),
        Metric(
            "moved_ids",
            "notes whose ID differs from the one last published in the same generation",
            "select count(*) from this join previous p using (note_id, generation) "
            "where this.codes <> p.codes or this.tie_break <> p.tie_break",
            at_most=0,
        ),
        Metric(
            "generations",
            "generations in one partition",
            "select count(distinct generation) from this",
            at_most=1,
        ),
    ),
)

INPUTS = (RAW_EVENTS, RAW_NOTES, RAW_USERS)
PUBLISHED = (
    NOTES_QUARANTINE,
    NOTES,
    EVENTS_QUARANTINE,
    EVENTS,
    NOTE_PAIRS,
    NOTE_EMBEDDINGS,
    PICTURE_EMBEDDINGS,
    SEMANTIC_IDS,
    *ID_TABLES,
    *TAG_TABLES,
    *RECOMMEND_TABLES,
)
BY_NAME = {table.name: table for table in INPUTS + PUBLISHED}


def table(name: str) -> Table:
    """The declared table of that name.

    Raises `KeyError` with the known names; a name is also what keeps a parameter from becoming a path.
    """
    if name not in BY_NAME:
        raise KeyError(f"no table is called {name!r}; the tables are {', '.join(sorted(BY_NAME))}")
    return BY_NAME[name]
