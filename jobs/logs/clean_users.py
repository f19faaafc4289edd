"""Clean the profiles of users: every raw row is kept, quarantined with a reason, or cleaned away as a repetition.

The source is optional: without it the day's table is published empty, and nothing is known of anybody. A value that says
nothing the table knows becomes `unknown` and is counted: a profile is worth keeping for the rest of it. Profiles of one user
that differ are all quarantined, since nothing tells which of them is right.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.config import Config, add_run_arguments, optional_path
from jobs.lake import Lake
from jobs.quarantine import refused
from jobs.session import run_job, spark_session
from jobs.sources import Drop, find_drop, read_drop
from jobs.staging import Plan, persisted, run_once, stage_arrow, stage_spark
from schemas.recommend_tables import PROFILE, PROFILE_WORD, UNKNOWN, USERS, USERS_QUARANTINE
from schemas.tables import RAW_USERS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

READS: tuple[str, ...] = ()
WRITES = ("users", "users_quarantine")
log = logging.getLogger("notemill")

FIELDS = tuple(column.name for column in PROFILE)
SAYS_NOTHING = ("", UNKNOWN, "n/a", "null", "none", "未知", "保密")


def with_profile(raw: DataFrame) -> DataFrame:
    """The columns of `users` in place of the raw ones, and `outside_{field}`: whether a value was given up as no word of it.

    Words are lower case without blanks at the ends; any dash or tilde in an age band is a hyphen.
    """
    ends = r"^[\s\p{Z}\p{C}]+|[\s\p{Z}\p{C}]+$"
    said = {n: F.lower(F.regexp_replace(F.coalesce(F.col(n), F.lit("")), ends, "")) for n in FIELDS[:3]}
    said["age_band"] = F.translate(said["age_band"], "–—−~～", "-----")
    silent = {name: value.isin(*SAYS_NOTHING) for name, value in said.items()}
    fits = {name: value.rlike(PROFILE_WORD) for name, value in said.items()}
    fits["marital_status"] = said["marital_status"].isin("single", "married")
    words = {name: F.when(fits[name] & ~silent[name], said[name]).otherwise(F.lit(UNKNOWN)) for name in said}
    words["children"] = (
        F.when(F.col("has_children"), "yes").when(~F.col("has_children"), "no").otherwise(UNKNOWN)
    )
    return raw.withColumns({**words, **{f"outside_{n}": ~silent[n] & ~fits[n] for n in said}})


def judged(raw: DataFrame) -> DataFrame:
    """One row per different raw row with `copies` (how often it came) and `verdict`: null where the row is kept.

    A verdict that starts with `cleaned` is lawful and only counted; any other names the rule that the row broke.
    """
    alike = raw.groupBy(*RAW_USERS.column_names, "_unreadable", "_record").agg(
        F.count("*").alias("copies"), F.min("_source").alias("_source")
    )
    rule = F.when(F.col("_unreadable").isNotNull(), "unreadable_value").when(
        F.col("user_id").isNull() | ~F.col("user_id").rlike(r"^\S.{0,255}$"), "bad_user_id"
    )
    of_user = Window.partitionBy("user_id", F.col("rule").isNull())
    profile = F.struct(*FIELDS)
    place = F.row_number().over(of_user.orderBy(F.sha2("_record", 256)))
    verdict = (
        F.when(F.col("rule").isNotNull(), F.col("rule"))
        .when(F.col("least") != F.col("most"), "conflicting_profile")
        .when(F.col("place") > 1, "cleaned: the same profile in other words")
    )
    seen = with_profile(alike).withColumn("rule", rule)
    among = {"least": F.min(profile).over(of_user), "most": F.max(profile).over(of_user), "place": place}
    return seen.withColumns(among).withColumn("verdict", verdict)


def quarantined(rows: DataFrame) -> DataFrame:
    """The rows that broke a rule, once for each time they came, in the columns of the quarantine."""
    return refused(rows, _what_was_seen())


def _what_was_seen() -> Column:
    who = F.concat(F.lit("user "), F.coalesce("user_id", F.lit("without id")), F.lit(": "))
    unreadable = F.concat(F.lit("value of "), "_unreadable", F.lit(" does not read as its type"))
    return F.concat(
        who,
        F.when(F.col("verdict") == "unreadable_value", unreadable)
        .when(
            F.col("verdict") == "conflicting_profile",
            F.lit("another row says something else of the same user"),
        )
        .otherwise(F.lit("see the record")),
    )


def counts_of(rows: DataFrame) -> dict[str, int]:
    """How many raw rows met which verdict, and how many kept ones lost a value of which field."""
    lost = {f"outside_{name}": F.sum(F.col(f"outside_{name}").cast("int")) for name in FIELDS[:3]}
    found = rows.groupBy("verdict").agg(
        F.sum("copies").alias("n"),
        F.sum(F.col("copies") - 1).alias("extra"),
        *(total.alias(name) for name, total in lost.items()),
    )
    by = {r["verdict"] or "": r for r in found.collect()}
    kept = by.pop("", None)
    cleaned = sum(r["n"] for verdict, r in by.items() if verdict.startswith("cleaned"))
    reasons = {f"num_{v}": r["n"] for v, r in sorted(by.items()) if not v.startswith("cleaned")}
    return {
        "num_cleaned": cleaned + (kept["extra"] if kept else 0),
        **{f"num_{name}": kept[name] if kept else 0 for name in lost},
        "num_quarantined": sum(reasons.values()),
        **reasons,
    }


def stage(lake: Lake, plan: Plan, drop: Drop | None) -> None:
    """Read, judge and stage the day; without a source, stage that nothing is known."""
    if drop is None:
        counts = {"num_source": 0, "num_closed": 1, "num_cleaned": 0, "num_quarantined": 0}
        for table in (USERS_QUARANTINE, USERS):
            stage_arrow(lake, table, plan, pa.Table.from_pylist([], schema=table.arrow_schema()), counts)
        log.info(
            "users ds=%s: the configuration names no source of users; every profile is unknown", plan.day
        )
        return
    spark = spark_session("clean_users")
    with persisted(judged(read_drop(spark, drop)), plan) as rows:
        counts = {
            "num_source": drop.num_rows(),
            "num_closed": int(drop.is_closed),
            **counts_of(rows),
        }
        stage_spark(
            lake, USERS_QUARANTINE, plan, quarantined(rows), lambda: counts, counts["num_quarantined"]
        )
        kept = rows.where(F.col("verdict").isNull()).select(*USERS.column_names)
        stage_spark(lake, USERS, plan, kept, lambda: counts, counts["num_source"])
    log.info("users ds=%s: %s", plan.day, ", ".join(f"{k[4:]} {v}" for k, v in counts.items()))


def users_drop(config: Config, day: str, users_from: Path | None) -> Drop | None:
    """The day's files of profiles; None where the configuration names no source of them. Raises as `find_drop`."""
    if "users" not in config.sources:
        return None
    override = users_from and config.inside_allowed_roots(users_from, "users_from")
    return find_drop(config, RAW_USERS, "users", day, override)


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, and where to read the profiles from instead of the configured source."""
    parser = add_run_arguments(argparse.ArgumentParser("clean_users", description=__doc__))
    parser.add_argument(
        "--users-from", type=optional_path, help="a folder inside the lake or a source, read instead"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    drop = users_drop(args.config, args.day, args.users_from)
    plan = Plan("clean_users", args.day, sources=drop.hashes() if drop else {})
    run_once(lake, plan, (USERS_QUARANTINE, USERS), lambda: stage(lake, plan, drop))


if __name__ == "__main__":
    run_job(main)
