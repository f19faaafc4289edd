"""Co-occurrence pairs: notemill on Spark beside DuckDB and Polars, on two cores; results compared row by row.

`python -m benchmarks.pairs [--events 10000000] [--flat-events 40000000] [--work DIR]`. Every engine runs in a process
of its own; memory is the resident memory of all its processes (JVM and Python workers), summed, sampled four times a
second, its highest value. CPU seconds are user and system time of the same processes: on a machine that does other
things too, they say more than wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.pairs_peers import THREADS, duckdb_pairs, polars_pairs
from benchmarks.report import write
from benchmarks.zipf_events import write_events
from jobs.config import Pairs

ENGINES = ("spark", "duckdb", "polars")
NUM_NOTES = 100_000
SEED = 7
DRIVER_MEMORY = "1g"
JAVA_OPTIONS = "-XX:+UseSerialGC"  # as the stack starts its own: G1 costs a sixth more on two cores
GIVE_UP_GIB = 16.0
BLOCKS = {"duckdb": 8, "polars": 16}
COMPARE = """
with ours as (select *, min(score) over (partition by note_id) last, count(*) over (partition by note_id) num
              from '{ours}/*.parquet'),
theirs as (select *, min(score) over (partition by note_id) last from '{theirs}/*.parquet'),
ranks as (select count(*) from ours o full join theirs t using (note_id, "rank")
          where o.score is null or t.score is null or abs(o.score - t.score) > 2e-9),
above as (select count(*) from (from ours where num < 10 or score > last + 2e-9) o
          anti join theirs t on o.note_id = t.note_id and o.related_note_id = t.related_note_id),
users as (select count(*) from ours o join theirs t using (note_id, related_note_id) where o.num_users <> t.num_users)
select (from ranks), (from above), (from users), (select count(*) from ours)
"""


def spark_pairs(data: Path, out: Path, scratch: Path) -> float:
    """notemill; gives the seconds until there was a session."""
    from pyspark.sql import SparkSession

    from jobs.notes.build_pairs import note_pairs

    started = time.perf_counter()
    builder = SparkSession.builder.master(f"local[{THREADS}]").config("spark.driver.memory", DRIVER_MEMORY)
    builder = builder.config("spark.driver.extraJavaOptions", JAVA_OPTIONS).config("spark.local.dir", str(scratch))
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    start = time.perf_counter() - started
    clicks = spark.read.parquet(str(data)).where("event = 'click'").select("user_id", "note_id", "ts")
    with note_pairs(clicks, Pairs()) as pairs:
        pairs.frame.write.parquet(str(out), mode="overwrite")
        sys.stderr.write(f"spark counts {json.dumps(pairs.counts)}\n")
    return start


def run_engine(engine: str, data: Path, out: Path, scratch: Path) -> None:
    """What the process of one engine does; its last line says what it measured."""
    out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    start = 0.0
    if engine == "spark":
        start = spark_pairs(data, out, scratch)
    elif engine == "duckdb":
        duckdb_pairs(data, out, scratch, Pairs(), BLOCKS[engine])
    else:
        polars_pairs(data, out, Pairs(), BLOCKS[engine])
    compute = time.perf_counter() - started - start
    sys.stdout.write(json.dumps({"start_s": round(start, 2), "compute_s": round(compute, 2)}) + "\n")


def measure(engine: str, data: Path, out: Path, scratch: Path) -> dict[str, Any]:
    """Run one engine and watch it."""
    command = [sys.executable, "-m", "benchmarks.pairs", "--engine", engine, "--data", str(data), "--out", str(out)]
    environment = {
        **os.environ,
        "POLARS_MAX_THREADS": str(THREADS),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with subprocess.Popen([*command, "--work", str(scratch)], stdout=subprocess.PIPE, text=True, env=environment) as child:
        peak, cpu = _watched(psutil.Process(child.pid))
        said = child.stdout.read() if child.stdout else ""
    figures = {"engine": engine, "start_s": None, "compute_s": None, "cpu_s": round(cpu, 1), "peak_gib": round(peak, 2)}
    return {**figures, **json.loads(said.splitlines()[-1])} if child.returncode == 0 else figures


def _watched(root: psutil.Process) -> tuple[float, float]:
    """The highest memory in GiB and the CPU seconds of a process and its descendants, which end above the limit."""
    peak, cpu = 0.0, {}
    while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
        resident = 0
        for process in [root, *root.children(recursive=True)]:
            try:
                resident += process.memory_info().rss
                cpu[process.pid] = sum(process.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, resident / (1 << 30))
        if peak > GIVE_UP_GIB:
            root.kill()
        time.sleep(0.25)
    return peak, sum(cpu.values())


def differences(ours: Path, theirs: Path) -> dict[str, int]:
    """Where two results differ, ties aside: scores at a rank, notes above the last rank's score, numbers of users."""
    import duckdb

    (row,) = duckdb.sql(COMPARE.format(ours=ours, theirs=theirs)).fetchall()
    return dict(zip(("scores", "notes", "num_users", "rows_compared"), row, strict=True))


def benchmark(args: argparse.Namespace, work: Path) -> None:
    """Data, engines, comparison, memory at two sizes, report."""
    # In turns, so that what else the machine does falls on all of them.
    runs = [_run(engine, args.events, work) for _ in range(args.repeat) for engine in ENGINES]
    rows = [_best([run for run in runs if run["engine"] == engine]) for engine in ENGINES]
    spark, duck = rows[0]["compute_s"], rows[1]["compute_s"]
    ours = work / f"out-spark-{args.events}"
    compared = {
        row["engine"]: differences(ours, work / f"out-{row['engine']}-{args.events}") for row in rows[1:] if row["compute_s"]
    }
    flat = _run("spark", args.flat_events, work)
    grown = flat["peak_gib"] / rows[0]["peak_gib"] if flat["compute_s"] else float("inf")
    rows = [{**row, "times_spark": row["compute_s"] and round(row["compute_s"] / spark, 2)} for row in rows]
    same = len(compared) == 2 and not any(d[key] for d in compared.values() for key in ("scores", "notes", "num_users"))
    bars = {
        "the same pairs, scores and users as DuckDB and Polars": same,
        "at most DuckDB's time in the compute": bool(spark and duck and spark <= duck),
        f"peak memory within 1.15 of itself from {args.events:,} to {args.flat_events:,} events": grown <= 1.15,
    }
    command = f"python -m benchmarks.pairs --events {args.events} --flat-events {args.flat_events} --repeat {args.repeat}"
    write(
        "pairs",
        [*rows, {**flat, "times_spark": None}],
        bars=bars,
        command=command,
        packages=("pyspark", "duckdb", "polars", "numpy", "scipy", "pyarrow"),
        day=args.date,
        differences=compared,
        memory_growth=round(grown, 3),
        settings={
            "threads": THREADS,
            "driver_memory": DRIVER_MEMORY,
            "java_options": JAVA_OPTIONS,
            "blocks": BLOCKS,
            "notes": NUM_NOTES,
            "seed": SEED,
        },
    )


def _run(engine: str, events: int, work: Path) -> dict[str, Any]:
    run = {"events": events, **measure(engine, _data(work, events), work / f"out-{engine}-{events}", work)}
    sys.stdout.write(f"{run}\n")
    sys.stdout.flush()
    return run


def _best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the least compute time, with the highest memory of them all."""
    best = min(runs, key=lambda run: run["compute_s"] or float("inf"))
    return {**best, "peak_gib": max(run["peak_gib"] for run in runs)}


def _data(work: Path, num_events: int) -> Path:
    folder = work / f"events-{num_events}"
    if not folder.exists():
        half = work / f"half-{num_events}"
        write_events(half, num_events, NUM_NOTES, SEED)
        half.rename(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser("pairs", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--flat-events", type=int, default=40_000_000)
    parser.add_argument("--repeat", type=int, default=2, help="runs of every engine, of which the fastest counts")
    parser.add_argument("--work", type=Path, help="a scratch folder to keep data and results in; a temporary one otherwise")
    parser.add_argument("--date", help="the day to put on the results; today otherwise")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine:
        run_engine(args.engine, args.data, args.out, args.work)
    elif args.work:
        benchmark(args, args.work)
    else:
        with TemporaryDirectory() as work:
            benchmark(args, Path(work))


if __name__ == "__main__":
    main()
