"""Assigning semantic IDs to millions of notes through Spark: notes a second, peak memory, and how both grow.

`python -m benchmarks.assign [--rows 1000000 3000000 10000000] [--work DIR]`. For each size a lake with one day of synthetic
vectors is made, residual k-means is trained on its first 65,536 notes, and the job `assign_ids` runs on all of it in a
process of its own (`local[2]`), then looks once more, which finds every note in the ledger.
Memory is the resident memory of the job's processes (driver, JVM, Python workers), summed, sampled four times a second,
its highest value. Levels are 4: with 3 x 256 codes ten million notes would fill 60 % of all IDs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.pairs import _watched
from benchmarks.report import write

THREADS = 2
DRIVER_MEMORY = "1g"
JAVA_OPTIONS = "-XX:+UseSerialGC"
SETTINGS = {"tokenizer": "residual_kmeans", "collisions": "matching", "codes": 256}
PER_NOTE_BYTES = 600  # what the driver may hold a note: its row in the ledger and in the table, while they are sorted


def prepared(work: Path, rows: int, dims: int, levels: int) -> Path:
    """The configuration of a lake of that size with a promoted quantizer, made if it is not there."""
    home = work / f"lake-{rows}-{dims}-{levels}"
    config = home / "config.yaml"
    if config.exists():
        return config
    shutil.rmtree(home, ignore_errors=True)
    command = ["-m", "benchmarks.synthetic_vectors", f"--rows={rows}", f"--dims={dims}", f"--to={home / 'lake'}"]
    subprocess.run([sys.executable, *command], check=True)
    gates = "min_separated_share: 0.0, max_shared_share: 1.0, min_used_share: 0.0, min_last_perplexity_share: 0.0"
    quantizer = ", ".join(f"{key}: {value}" for key, value in {**SETTINGS, "levels": levels}.items())
    half = home / "half.yaml"
    half.write_text(f"lake: lake\ntimezone: UTC\nsources: {{}}\nquantizer: {{{quantizer}, {gates}}}\n")
    day = ["--day=2026-01-04", "--if-missing"]
    subprocess.run([sys.executable, "-m", "jobs.ids.train_quantizer", f"--config={half}", *day], check=True)
    half.rename(config)
    return config


def run_job(config: Path, rows: int) -> None:
    """What the measured process does; its last line says how long which part took."""
    from pyspark.sql import SparkSession

    from benchmarks.synthetic_vectors import DAY
    from jobs.config import load_config
    from jobs.ids.assign_ids import current_generation, plan_of, semantic_ids, stage, with_ids
    from jobs.ids.vectors import embedded_notes

    started = time.perf_counter()
    builder = SparkSession.builder.master(f"local[{THREADS}]").config("spark.driver.memory", DRIVER_MEMORY)
    builder = builder.config("spark.driver.extraJavaOptions", JAVA_OPTIONS).config("spark.ui.enabled", "false")
    builder.config("spark.ui.showConsoleProgress", "false").getOrCreate().sparkContext.setLogLevel("ERROR")
    start_s = time.perf_counter() - started
    lake = load_config(config).open_lake()
    generation = current_generation(lake, DAY)
    shutil.rmtree(lake.root / "ledgers", ignore_errors=True)
    marks = [time.perf_counter()]
    stage(lake, plan_of(lake, DAY, generation), generation)
    marks.append(time.perf_counter())
    notes = embedded_notes(lake, DAY)
    entries, num_new = with_ids(lake, generation, DAY, notes)
    again = semantic_ids(entries, notes, generation)
    marks.append(time.perf_counter())
    shared = len(again) - len(again.column("semantic_id").unique())
    all_s, again_s = (round(later - earlier, 2) for earlier, later in pairwise(marks))
    found = {"start_s": round(start_s, 2), "assign_s": all_s, "found_again_s": again_s, "new_again": num_new}
    sys.stdout.write(json.dumps({**found, "notes": len(again), "notes_sharing_an_id": shared}) + "\n")


def measure(config: Path, rows: int) -> dict[str, Any]:
    """Run the job and watch it."""
    command = [sys.executable, "-m", "benchmarks.assign", "--run", str(config), "--rows", str(rows)]
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        peak, cpu = _watched(psutil.Process(child.pid))
        said = child.stdout.read() if child.stdout else ""
    if child.returncode != 0:
        raise SystemExit(f"assigning {rows:,} notes failed, see above")
    found = json.loads(said.splitlines()[-1])
    rate = round(rows / found["assign_s"])
    return {"rows": rows, "notes_a_second": rate, **found, "cpu_s": round(cpu, 1), "peak_gib": round(peak, 2)}


def benchmark(args: argparse.Namespace, work: Path) -> None:
    """Every size in turn, then the report."""
    runs = []
    for rows in sorted(args.rows):
        runs.append(measure(prepared(work, rows, args.dims, args.levels), rows))
        sys.stdout.write(f"{runs[-1]}\n")
        sys.stdout.flush()
    first, last = runs[0], runs[-1]
    grown = (last["peak_gib"] - first["peak_gib"]) * (1 << 30) / max(1, last["rows"] - first["rows"])
    slower = first["notes_a_second"] / last["notes_a_second"]
    bars = {
        "every note has an ID of its own": not any(run["notes_sharing_an_id"] for run in runs),
        "a second look gives nothing new": not any(run["new_again"] for run in runs),
        f"at most {PER_NOTE_BYTES} bytes of memory a note more": grown <= PER_NOTE_BYTES,
        "time grows no faster than 1.3 times the notes": slower <= 1.3,
    }
    write(
        "assign",
        runs,
        bars=bars,
        command=f"python -m benchmarks.assign --rows {' '.join(map(str, sorted(args.rows)))} --dims {args.dims}",
        packages=("pyspark", "torch", "numpy", "scipy", "pyarrow"),
        day=args.date,
        bytes_a_note=round(grown),
        settings={**SETTINGS, "levels": args.levels, "dims": args.dims, "threads": THREADS, "driver_memory": DRIVER_MEMORY},
    )


def main() -> None:
    parser = argparse.ArgumentParser("assign", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--dims", type=int, default=384)
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--work", type=Path, help="a scratch folder to keep the lakes in; a temporary one otherwise")
    parser.add_argument("--date", help="the day to put on the results; today otherwise")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run_job(args.run, args.rows[0])
    elif args.work:
        benchmark(args, args.work)
    else:
        with TemporaryDirectory() as work:
            benchmark(args, Path(work))


if __name__ == "__main__":
    main()
