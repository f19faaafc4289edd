"""What Spark counts for the handbook: phrases of notes and searches, their contexts, and what users did with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.tags import phrase_workers as workers
from models.tags.cohesion import Config as Cohesion
from models.tags.cohesion import Seen, phrases_among
from models.tags.handbook import SEPARATOR
from models.tags.mining import Use, prefixes
from models.tags.phrases import EDGE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ENGAGED = ("click", "like", "collect", "comment", "share")
MAX_CANDIDATES = 50_000  # n-grams that are looked at, those used most
MAX_LEAF_PHRASES = 500  # of one category
MAX_CONTEXTS = 64  # of one phrase, the most frequent
MAX_EVIDENCE = 5  # notes, and searches, of one category and phrase
SAMPLE_NOTES = 200_000  # that contexts are read from; what users did is counted over all


@dataclass(frozen=True)
class Evidence:
    """Notes and searches that were acted on, with their clicks, the first ones most."""

    notes: Sequence[tuple[str, int]]
    queries: Sequence[tuple[str, int]]


def with_category_text(notes: DataFrame) -> DataFrame:
    """The columns that are read, no text null, the category as one text."""
    texts = (F.coalesce(name, F.lit("")).alias(name) for name in ("title", "body"))
    lists = (
        F.coalesce(name, F.array().cast("array<string>")).alias(name) for name in ("category", "hashtags")
    )
    chosen = notes.select("note_id", F.coalesce("author_id", F.lit("")).alias("author_id"), *texts, *lists)
    return chosen.withColumn("category", F.concat_ws(SEPARATOR, "category"))


def acts_of(events: DataFrame) -> DataFrame:
    """By note and search (null where there was none): engaged clicks, and impressions."""
    is_engaged = F.col("event").isin(*ENGAGED).cast("bigint")
    shown = (F.col("event") == "impression").cast("bigint")
    return events.groupBy("note_id", "query").agg(
        F.sum(is_engaged).alias("num_clicks"), F.sum(shown).alias("num_shown")
    )


def sampled(notes: DataFrame, num_notes: int) -> DataFrame:
    """About `SAMPLE_NOTES` notes, chosen by the hash of their id."""
    one_of = -(-num_notes // SAMPLE_NOTES)
    return notes.where(F.pmod(F.xxhash64("note_id"), F.lit(max(one_of, 1))) == 0)


def candidates(notes: DataFrame, searches: DataFrame) -> dict[str, Seen]:
    """N-grams by key: hashtags of at least two authors, and what at least two clicked searches, or both, have."""
    tags = notes.select("hashtags", "author_id").mapInArrow(workers.hashtag_phrases, workers.HASHTAGS)
    authors = tags.groupBy("phrase").agg(F.countDistinct("author_id").alias("num_hashtags"))
    parts = searches.select("query").mapInArrow(workers.searched_phrases, workers.PHRASES)
    searched = parts.groupBy("phrase").agg(F.sum("num").alias("num_queries"))
    used = authors.join(searched, on="phrase", how="full_outer").na.fill(0)
    used = used.withColumn("num", F.col("num_hashtags") + F.col("num_queries")).where("num >= 2")
    found: dict[str, Seen] = {}
    for row in used.orderBy(F.desc("num"), "phrase").limit(MAX_CANDIDATES).collect():
        # Two spellings may have one key; the one with more tokens knows best where the words part.
        seen = Seen(tuple(row["phrase"].split(workers.BLANK)), row["num_hashtags"], row["num_queries"])
        other = found.get(seen.key)
        if other:
            longer = max(seen.tokens, other.tokens, key=len)
            num_tags = seen.num_hashtags + other.num_hashtags
            seen = Seen(longer, num_tags, seen.num_queries + other.num_queries)
        found[seen.key] = seen
    return found


def phrases(notes: DataFrame, searches: DataFrame, config: Cohesion) -> dict[str, None]:
    """The keys of all phrases: candidates that hold together and stand free in the text of notes and searches."""
    seen = candidates(notes, searches)
    parts = {
        "".join(cut)
        for s in seen.values()
        for at in range(1, len(s.tokens))
        for cut in (s.tokens[:at], s.tokens[at:])
    }
    worker = workers.neighbours(dict.fromkeys([*seen, *parts]))
    read = notes.select("title", "body").mapInArrow(worker, workers.NEIGHBOURS)
    asked = searches.select("query").mapInArrow(worker, workers.NEIGHBOURS)
    total = read.unionByName(asked).groupBy("phrase", "side", "neighbour").agg(F.sum("num").alias("num"))
    most = total.where(F.col("neighbour") != EDGE).groupBy("phrase", "side").agg(F.max("num").alias("num"))
    counts: dict[str, int] = {}
    num_tokens = 1
    for row in most.collect():
        key, side, num = row["phrase"], row["side"], row["num"]
        if side == workers.TOKENS:
            num_tokens = num
        elif side == workers.CENTRE:
            counts[key] = num
        elif key in seen:
            setattr(seen[key], "most_left" if side == workers.LEFT else "most_right", num)
    for key, found in seen.items():
        found.num_texts = counts.get(key, 0)
    return dict.fromkeys(sorted(phrases_among(seen, counts, num_tokens, config)))


def context_counts(
    notes: DataFrame, searches: DataFrame, vocabulary: Mapping[str, Any]
) -> dict[str, dict[str, int]]:
    """By phrase its contexts and its spellings, the most frequent of each kind.

    Contexts of one phrase alone say nothing of its likes and are left out, but for the pairs of its neighbours.
    """
    worker = workers.contexts(vocabulary)
    read = notes.select("title", "body").mapInArrow(worker, workers.CONTEXTS)
    asked = searches.select("query").mapInArrow(worker, workers.CONTEXTS)
    total = read.unionByName(asked).groupBy("phrase", "context").agg(F.sum("num").alias("num"))
    kind = F.substring("context", 1, 2)
    shared = F.count("*").over(Window.partitionBy("context"))
    rank = F.row_number().over(Window.partitionBy("phrase", "kind").orderBy(F.desc("num"), "context"))
    told = total.withColumn("kind", kind).withColumn("shared", shared)
    is_kept = (F.col("shared") > 1) | F.col("kind").isin(workers.SPELT, workers.FRAME)
    told = told.where(is_kept).withColumn("rank", rank)
    found: dict[str, dict[str, int]] = {}
    for row in told.where(F.col("rank") <= MAX_CONTEXTS).collect():
        found.setdefault(row["phrase"], {})[row["context"]] = row["num"]
    return found


def with_phrases(acts: DataFrame, notes: DataFrame, vocabulary: Mapping[str, Any]) -> DataFrame:
    """What was done, with category and the phrases of note and search; every note counts as shown once more.

    Acts on notes that exist no more are not counted.
    """
    searches = acts.where(F.col("query").isNotNull()).select("query").distinct()
    asked = searches.mapInArrow(workers.phrases_of_searches(vocabulary), workers.SEARCHES)
    exists = notes.select(
        "note_id", F.lit(None).cast("string").alias("query"), F.expr("0L num_clicks"), F.expr("1L num_shown")
    )
    all_acts = acts.unionByName(exists).groupBy("note_id", "query")
    summed = all_acts.agg(*(F.sum(name).alias(name) for name in ("num_clicks", "num_shown")))
    joined = summed.join(notes, on="note_id", how="inner").join(asked, on="query", how="left")
    searched = F.coalesce("query_phrases", F.array().cast("array<string>"))
    columns = ("note_id", "query", "category", "num_clicks", "num_shown")
    return joined.select(
        *columns, F.array_union("phrases", searched).alias("phrases"), searched.alias("query_phrases")
    )


def totals(acts: DataFrame) -> dict[str, Use]:
    """All that was done in a category, wider ones included, the root always."""
    found: dict[str, Use] = {"": Use()}
    sums = acts.groupBy("category").agg(*(F.sum(n).alias(n) for n in ("num_clicks", "num_shown")))
    for row in sums.collect():
        for prefix in prefixes(row["category"]):
            found.setdefault(prefix, Use()).add(Use(row["num_clicks"], row["num_shown"]))
    return found


def uses(acts: DataFrame) -> dict[tuple[str, str], Use]:
    """By note's own category and phrase what was done, the most acted on phrases of each category."""
    spread = acts.select("category", F.explode("phrases").alias("phrase"), "num_clicks", "num_shown")
    total = spread.groupBy("category", "phrase").agg(
        F.sum("num_clicks").alias("num_clicks"), F.sum("num_shown").alias("num_shown")
    )
    rank = F.row_number().over(Window.partitionBy("category").orderBy(F.desc("num_clicks"), "phrase"))
    top = total.where("num_clicks > 0").withColumn("rank", rank).where(F.col("rank") <= MAX_LEAF_PHRASES)
    return {(r["category"], r["phrase"]): Use(r["num_clicks"], r["num_shown"]) for r in top.collect()}


def evidence(acts: DataFrame) -> dict[tuple[str, str], Evidence]:
    """By note's own category and phrase the notes that say it and the searches that ask for it with most clicks."""
    clicked = acts.where("num_clicks > 0")
    said = F.array_except("phrases", "query_phrases")
    notes = _top(
        clicked.select("category", F.explode(said).alias("phrase"), "note_id", "num_clicks"), "note_id"
    )
    queries = _top(
        clicked.select("category", F.explode("query_phrases").alias("phrase"), "query", "num_clicks"), "query"
    )
    return {key: Evidence(notes.get(key, []), queries.get(key, [])) for key in sorted({*notes, *queries})}


def _top(rows: DataFrame, name: str) -> dict[tuple[str, str], list[tuple[str, int]]]:
    total = rows.groupBy("category", "phrase", name).agg(F.sum("num_clicks").alias("num"))
    rank = F.row_number().over(Window.partitionBy("category", "phrase").orderBy(F.desc("num"), name))
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for row in total.withColumn("rank", rank).where(F.col("rank") <= MAX_EVIDENCE).orderBy("rank").collect():
        found.setdefault((row["category"], row["phrase"]), []).append((row[name], row["num"]))
    return found


def hits(
    acts: DataFrame, places: Mapping[str, Mapping[str, int]], readers: Mapping[str, str]
) -> dict[tuple[str, int], Use]:
    """By page and dimension what it explains; -1 is any dimension of the page that a note's own category reads."""
    chosen = acts.select("category", "phrases", "num_clicks", "num_shown")
    found = chosen.mapInArrow(workers.hits(places, readers, prefixes), workers.HITS)
    sums = found.groupBy("category", "dimension").agg(
        F.sum("num_clicks").alias("num_clicks"), F.sum("num_shown").alias("num_shown")
    )
    return {(r["category"], r["dimension"]): Use(r["num_clicks"], r["num_shown"]) for r in sums.collect()}
