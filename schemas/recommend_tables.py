"""The tables of the generative recommender: profiles, instructions to learn from, how well a recommender does, its lists.

`schemas/tables.py` lists them after the tables they stand on.
"""

from __future__ import annotations

from schemas.expectations import accounted, quarantined_share, rows_against_last
from schemas.instruction_promises import INSTRUCTION_METRICS
from schemas.quarantine import quarantine
from schemas.recommendation_promises import FIGURE_METRICS, LIST_METRICS
from schemas.table import Column, Metric, Table

UNKNOWN = "unknown"
TASKS = ("next_item", "id_to_title", "title_to_id", "ids_to_title", "titles_to_id")
SPLITS = ("train", "valid", "test")
SOURCES = ("generative", "neighbours", "popular")
ARMS = (
    "popularity",
    "item_knn",
    "markov_knn",
    "content_knn",
    "counts_content",
    "sasrec",
    "generative",
    "generative_mixed",
    "free",
    "free_grounded",
)
METRICS = ("hr", "ndcg", "hr_of_ids", "ndcg_of_ids", "valid_ids")

USER_ID = Column("user_id", "string", "the user; an opaque id", matches=r"^\S.{0,255}$")
NOTE_ID = Column("note_id", "string", "the note", matches=r"^\S.{0,255}$")
SEMANTIC_ID = Column("semantic_id", "string", "its codes as text", matches=r"^(?:<[a-z]_\d+>)+$")
# One word, without the signs that mean something in a prompt. Spelt out, since Spark and Python differ on what \w is.
PROFILE_WORD = r"^[0-9a-z\u00df-\u024f\u4e00-\u9fff][0-9a-z\u00df-\u024f\u4e00-\u9fff+-]{0,31}$"
GENDER = Column("gender", "string", f"as the user stated it, one word in lower case, or {UNKNOWN}", matches=PROFILE_WORD)
AGE_BAND = Column("age_band", "string", f"such as 18-24 or 60+, or {UNKNOWN}", matches=PROFILE_WORD)
MARITAL_STATUS = Column("marital_status", "string", "as the user stated it", one_of=("single", "married", UNKNOWN))
CHILDREN = Column("children", "string", "whether there are children at home", one_of=("yes", "no", UNKNOWN))
PROFILE = (GENDER, AGE_BAND, MARITAL_STATUS, CHILDREN)
RECOMMENDER = Column(
    "recommender", "string", "the generation of the recommender; empty where none is promoted yet"
)

USERS_QUARANTINE = quarantine("users_quarantine")
USERS = Table(
    "users",
    1,
    "user of whom the source has a profile",
    (USER_ID, *PROFILE),
    key=("user_id",),
    companions=("users_quarantine",),
    may_be_empty=True,
    metrics=(
        accounted(),
        quarantined_share(at_most=0.2),
        rows_against_last(at_least=0.5, at_most=3.0),
        Metric("genders", "different values of gender", "select count(distinct gender) from this", at_most=20),
        # Each is a word that a recommender learns: ages in years, or something else altogether, are no bands.
        Metric("age_bands", "different values of age_band", "select count(distinct age_band) from this", at_most=30),
    ),
)
INSTRUCTIONS = Table(
    "recommend_instructions",
    1,
    "thing a recommender is asked to answer while it learns, in one language",
    (
        Column(
            "instruction_id",
            "string",
            "hash of task, language, user, note and position",
            matches="^[0-9a-f]{32}$",
        ),
        Column(
            "task",
            "string",
            "what is asked: the next note, or the other name of notes (LC-Rec)",
            one_of=TASKS,
        ),
        Column("language", "string", "of the template", one_of=("en", "zh")),
        Column("user_id", "string", "whose history it is; null where none is asked about", nullable=True),
        NOTE_ID,
        SEMANTIC_ID,
        Column("ts", "timestamp", "when the note was acted on, or written", unit="UTC, microseconds"),
        Column(
            "position",
            "int",
            "place of the note in the user's history, from 0; 0 without a user",
            between=(0, None),
        ),
        Column("leave_one_out", "string", "a user's last is test, the one before valid", one_of=SPLITS),
        Column("by_date", "string", "by the day: the last days are test, those before valid", one_of=SPLITS),
        Column(
            "history_note_ids", "array<string>", "what the user acted on before, oldest first; may be empty"
        ),
        Column("history_semantic_ids", "array<string>", "the same as codes"),
        *PROFILE,
        Column("instruction", "string", "the task in words"),
        Column("input", "string", "profile and history, or the note, in words"),
        Column("output", "string", "the answer"),
        Column("generation", "string", "the quantizer that made the codes"),
    ),
    key=("instruction_id",),
    metrics=INSTRUCTION_METRICS,
)
RECOMMENDER_METRICS = Table(
    "recommender_metrics",
    1,
    "figure of one way to recommend, on the held-out answers of one recommender's training",
    (
        Column("recommender", "string", "the generation of the recommender"),
        Column(
            "arm",
            "string",
            "the way to recommend: baselines, and the recommender by its ways of decoding",
            one_of=ARMS,
        ),
        Column(
            "slice",
            "string",
            "all; warm, cold; popularity: Q1 to Q4; category: NAME; history: 1 to 3, ... (models/recommend/slices.py)",
        ),
        Column(
            "metric",
            "string",
            "hr, ndcg: of notes, a shared ID shares its hit; _of_ids: of IDs",
            one_of=METRICS,
        ),
        Column("k", "int", "length of the list; for valid_ids of the beam", between=(1, None)),
        Column("value", "double", "the figure", between=(0, 1)),
        Column("low", "double", "lower end of its 95 % interval over users", between=(0, 1)),
        Column("high", "double", "upper end", between=(0, 1)),
        Column("num_cases", "bigint", "held-out answers it is over", between=(1, None)),
    ),
    key=("recommender", "arm", "slice", "metric", "k"),
    may_be_empty=True,
    metrics=FIGURE_METRICS,
)
RECOMMENDATIONS = Table(
    "recommendations",
    1,
    "note recommended to an active user, the best first",
    (
        USER_ID,
        Column("rank", "int", "1 for the best", between=(1, None)),
        NOTE_ID,
        SEMANTIC_ID,
        Column(
            "score",
            "double",
            "generative: log-probability of the ID; neighbours: sum of pair scores; popular: users",
        ),
        Column(
            "source", "string", "what recommended it: see docs/recommend.md on the fallbacks", one_of=SOURCES
        ),
        Column("num_history", "int", "notes of the user's history that it was made from", between=(0, None)),
        RECOMMENDER,
    ),
    key=("user_id", "rank"),
    may_be_empty=True,
    metrics=LIST_METRICS,
)
RECOMMEND_TABLES = (USERS_QUARANTINE, USERS, INSTRUCTIONS, RECOMMENDER_METRICS, RECOMMENDATIONS)
