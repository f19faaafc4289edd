"""Write a day's published instructions as JSON Lines, one file a split, for trainers that read nothing else.

    <out>/train.jsonl, valid.jsonl, test.jsonl   {"instruction", "input", "output", and what the row is about}
    <out>/export.json                            which partition, which split, how many lines

The folder appears whole, and takes an earlier export's place in one step. It lies under `exports` in the lake: in a folder
of raw data the next day's run would take it for raw data.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jobs.config import Config, ConfigError, add_run_arguments, optional_path
from jobs.lake import Lake, LakeError, canonical_json, exchange, sync_folder, write_atomically
from jobs.recommend.settings import SPLIT_NAMES
from jobs.session import run_job
from schemas.recommend_tables import INSTRUCTIONS, SPLITS

READS = ("recommend_instructions",)
WRITES: tuple[str, ...] = ()
log = logging.getLogger("notemill")

ROOM = "exports"
RECEIPT = "export.json"
WORDS = ("instruction", "input", "output")
ABOUT = ("instruction_id", "task", "language", "user_id", "note_id", "semantic_id", "position")
BATCH_ROWS = 8192


def lines_of(lake: Lake, day: str, split: str) -> Iterator[tuple[str, bytes]]:
    """Which of the three a row is, and its line, in the order of the table."""
    for path in lake.files(INSTRUCTIONS, day):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=[*WORDS, *ABOUT, split]):
                for row in batch.to_pylist():
                    said = {name: row[name] for name in (*WORDS, *ABOUT)}
                    yield row[split], json.dumps(said, ensure_ascii=False).encode() + b"\n"


def export(lake: Lake, day: str, split: str, out: Path) -> dict[str, int]:
    """Write the folder `out`; the number of lines by split. Raises `LakeError` where `out` is something else already."""
    partition = lake.manifest(INSTRUCTIONS, day)["partition"]
    if out.exists() and not (out / RECEIPT).is_file():
        raise LakeError(
            f"{out} is there and no earlier export: name another folder as --out, or move it away"
        )
    half = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        counts = _write(half, lines_of(lake, day, split))
        if lake.partition(INSTRUCTIONS, day) != partition:
            raise LakeError(
                f"recommend_instructions ds={day} was published anew while it was read: export again"
            )
        receipt: dict[str, Any] = {"day": day, "partition": partition, "split": split, "lines": counts}
        write_atomically(half / RECEIPT, canonical_json(receipt))
        _swap_in(half, out)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return counts


def _write(folder: Path, lines: Iterator[tuple[str, bytes]]) -> dict[str, int]:
    counts = dict.fromkeys(SPLITS, 0)
    with ExitStack() as kept:
        files = {name: kept.enter_context((folder / f"{name}.jsonl").open("wb")) for name in SPLITS}
        for name, line in lines:
            files[name].write(line)
            counts[name] += 1
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    return counts


def _swap_in(half: Path, out: Path) -> None:
    """What `half` was then is the earlier export, or nothing."""
    sync_folder(half)
    if out.exists():
        exchange(half, out)
    else:
        half.rename(out)
    sync_folder(out.parent)


def folder_for(config: Config, lake: Lake, day: str, out: Path | None) -> Path:
    """Where to write. Raises `ConfigError` for a folder outside the lake's exports."""
    room = (lake.root / ROOM).resolve()
    folder = config.inside_allowed_roots(out, "out") if out else room / INSTRUCTIONS.name / f"ds={day}"
    if room not in folder.parents:
        raise ConfigError(f"parameter out is {str(out)!r}: exports lie in folders under {room}")
    return folder


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day`, `--split` and `--out`."""
    parser = add_run_arguments(argparse.ArgumentParser("export_instructions", description=__doc__))
    parser.add_argument("--split", choices=SPLIT_NAMES, help="which split; by default the configuration's")
    parser.add_argument(
        "--out", type=optional_path, help="a folder under the lake's exports; by default one a day"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    config, lake = args.config, args.config.open_lake()
    split = args.split or config.recommend.split
    folder = folder_for(config, lake, args.day, args.out)
    counts = export(lake, args.day, split, folder)
    log.info("%s ds=%s: %s lines by %s in %s", INSTRUCTIONS.name, args.day, counts, split, folder)


if __name__ == "__main__":
    run_job(main)
