"""Which notes are asked about: in a fixed order, as many as a sample, share or budget allows, decided before any call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import functions as F

from jobs.tags.budget import Purse

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

Order = Sequence[tuple[str, bool]]  # columns, and whether the largest comes first
NEWEST_FIRST: Order = (("created_at", True), ("note_id", False))
BY_HASH: Order = (("hash", False), ("note_id", False))
SAMPLE_SEED = 17
SHARE_PARTS = 1_000_000


class Choice(NamedTuple):
    """What will be asked. The figures are of it alone, calls and tokens on the high side."""

    condition: Column
    num_calls: int
    tokens_in: int
    tokens_out: int
    cost: float


def up_to(order: Order, last: Any | None) -> Column:
    """Whether a row comes no later than `last` in the order; none does where there is no last."""
    if last is None:
        return F.lit(False)
    found = F.lit(True)
    for name, is_descending in reversed(order):
        column, value = F.col(name), F.lit(last[name])
        found = (column > value if is_descending else column < value) | ((column == value) & found)
    return found


def first_rows(rows: DataFrame, order: Order, count: int) -> list[Any]:
    """The first `count` rows in the order."""
    sorting = [F.col(name).desc() if descending else F.col(name).asc() for name, descending in order]
    return rows.orderBy(*sorting).limit(count).collect()


def in_sample(notes: DataFrame, size: int) -> DataFrame:
    """The notes with `is_sampled`: `size` of them by a hash of their id, the same on every run; all where it is 0."""
    if not size:
        return notes.withColumn("is_sampled", F.lit(True))
    hashed = notes.withColumn("hash", F.xxhash64(F.lit(SAMPLE_SEED), F.col("note_id")))
    chosen = first_rows(hashed.select("hash", "note_id"), BY_HASH, size)
    last = chosen[-1] if chosen else None
    return hashed.withColumn("is_sampled", up_to(BY_HASH, last)).drop("hash")


def in_share(note_id: Column, share: float) -> Column:
    """Whether a note is of the share: by a hash of its id, the same on every run, and a part of every larger share."""
    place = F.conv(F.substring(F.sha2(F.concat(F.lit("teacher share "), note_id), 256), 1, 12), 16, 10)
    return F.pmod(place.cast("bigint"), F.lit(SHARE_PARTS)) < F.lit(round(share * SHARE_PARTS))


def within_budget(wanted: DataFrame, purse: Purse, max_new_tokens: int) -> Choice:
    """The newest notes whose calls the purse can pay, at the most that each can cost. `wanted` is asked for nothing else."""
    columns = ["tokens_in", *(name for name, _ in NEWEST_FIRST)]
    rows = first_rows(wanted.select(*columns), NEWEST_FIRST, int(purse.calls))
    left = Purse(purse.calls, purse.cost, purse.price_in, purse.price_out)
    num_calls = next((n for n, row in enumerate(rows) if not left.take(row["tokens_in"], max_new_tokens)), len(rows))
    tokens_in, tokens_out = sum(row["tokens_in"] for row in rows[:num_calls]), num_calls * max_new_tokens
    condition = up_to(NEWEST_FIRST, rows[num_calls - 1] if num_calls else None)
    cost = purse.price(tokens_in, tokens_out)
    return Choice(condition, num_calls, tokens_in, tokens_out, cost)
