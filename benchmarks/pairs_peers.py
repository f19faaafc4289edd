"""The peers of `build_pairs`: the same pairs from the same Parquet with DuckDB and with Polars, two threads each.

Both get what helps them: ids as integers before the join, one integer as the group key, and A taken in blocks where
one pass does not fit in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import Pairs

if TYPE_CHECKING:
    import polars as pl

THREADS = 2
DUCKDB_MEMORY = "12GB"

FIRSTS = """
create temp table note_codes as
  select note_id, (row_number() over ())::integer n from (select distinct note_id from clicks);
create temp table user_codes as
  select user_id, (row_number() over ())::integer u from (select distinct user_id from clicks);
create temp table firsts as
  select u, n, min(ts) ts from clicks join note_codes using (note_id) join user_codes using (user_id) group by u, n;
create temp table sizes as select u, count(*) size from firsts group by u having count(*) <= {cap};
create temp table kept as select u, n, ts, 1 / size w from firsts join sizes using (u);
create temp table hot as
  select n from kept group by n having count(*) > {share} * (select count(*) from sizes) and count(*) >= {users};
create temp table cool as select * from kept where n not in (from hot);
"""
SCORED = """
insert into related
  with sums as (
    select (a.n::bigint << 32) | b.n pair, sum(a.w) s, count(*) num_users
    from cool a join cool b on a.u = b.u and a.ts < b.ts where a.n % {blocks} = {block} group by pair
  )
  select (pair >> 32)::integer a, (pair & 4294967295)::integer b, round(s, 9) score, num_users from sums
  where round(s, 9) between {low} and {high}
  qualify row_number() over (partition by pair >> 32 order by round(s, 9) desc, pair) <= {top}
"""
NAMED = """
copy (
  select x.note_id, y.note_id related_note_id, score,
         (row_number() over (partition by a order by score desc, b))::integer "rank", num_users
  from related join note_codes x on a = x.n join note_codes y on b = y.n
) to '{out}' (format parquet)
"""


def duckdb_pairs(data: Path, out: Path, scratch: Path, settings: Pairs, blocks: int) -> None:
    """DuckDB: self-join and aggregate, A in `blocks` passes."""
    import duckdb

    bounds = {"low": settings.low, "high": settings.high, "top": settings.top}
    caps = {
        "cap": settings.max_clicks_per_user,
        "share": settings.hot_note_share,
        "users": settings.hot_note_min_users,
    }
    options = {"threads": THREADS, "memory_limit": DUCKDB_MEMORY, "temp_directory": str(scratch)}
    with duckdb.connect(config={**options, "preserve_insertion_order": False}) as db:
        db.execute(f"create view clicks as select user_id, note_id, ts from '{data}/*.parquet' where event = 'click'")
        db.execute(FIRSTS.format(**caps))
        db.execute("create temp table related (a integer, b integer, score double, num_users bigint)")
        for block in range(blocks):
            db.execute(SCORED.format(blocks=blocks, block=block, **bounds))
        db.execute(NAMED.format(out=out / "part.parquet"))


def polars_pairs(data: Path, out: Path, settings: Pairs, blocks: int) -> None:
    """Polars, streaming engine: the same steps; `POLARS_MAX_THREADS` must be set before it is imported."""
    import polars as pl

    cool, codes = _polars_lists(data, settings)
    score = pl.col("s").round(9)
    best: list[pl.DataFrame] = []
    for block in range(blocks):
        left = cool.filter(pl.col("n") % blocks == block).lazy()
        right = cool.lazy().select("u", b="n", later="ts")
        joined = left.join(right, on="u", how="inner").filter(pl.col("ts") < pl.col("later"))
        pair = (pl.col("n").cast(pl.Int64) * (1 << 32) + pl.col("b")).alias("pair")
        sums = joined.select(pair, "w").group_by("pair").agg(s=pl.col("w").sum(), num_users=pl.len())
        kept = sums.with_columns(score=score).filter(pl.col("score").is_between(settings.low, settings.high))
        ranked = kept.with_columns(a=pl.col("pair") // (1 << 32)).sort("a", "score", "pair", descending=[False, True, False])
        rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("a")
        best.append(ranked.with_columns(rank=rank).filter(pl.col("rank") <= settings.top).collect(engine="streaming"))
    named = pl.concat(best).with_columns(b=pl.col("pair") % (1 << 32))
    for code, name in (("a", "note_id"), ("b", "related_note_id")):
        ids = codes.select(pl.col("n").cast(pl.Int64).alias(code), pl.col("note_id").alias(name))
        named = named.join(ids, on=code, how="inner")
    columns = ["note_id", "related_note_id", "score", "rank", pl.col("num_users").cast(pl.Int64)]
    named.select(columns).write_parquet(out / "part.parquet")


def _polars_lists(data: Path, settings: Pairs) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    clicks = pl.scan_parquet(data / "*.parquet").filter(pl.col("event") == "click").select("user_id", "note_id", "ts")
    note_codes = clicks.select("note_id").unique().collect(engine="streaming").with_row_index("n")
    user_codes = clicks.select("user_id").unique().collect(engine="streaming").with_row_index("u")
    coded = clicks.join(note_codes.lazy(), on="note_id", how="inner").join(user_codes.lazy(), on="user_id", how="inner")
    firsts = coded.group_by("u", "n").agg(pl.col("ts").min()).collect(engine="streaming")
    sized = firsts.with_columns(size=pl.len().over("u")).filter(pl.col("size") <= settings.max_clicks_per_user)
    num_users = sized["u"].n_unique()
    often = sized.group_by("n").len().filter(
        (pl.col("len") > settings.hot_note_share * num_users) & (pl.col("len") >= settings.hot_note_min_users)
    )
    cool = sized.join(often, on="n", how="anti").select("u", "n", "ts", w=1 / pl.col("size"))
    return cool, note_codes
