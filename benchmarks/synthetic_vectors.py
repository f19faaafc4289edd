"""A published day of `note_embeddings` of any size, made part by part: vectors of length 1 with subjects and few directions.

`python -m benchmarks.synthetic_vectors --rows 1000000 --dims 384 --to LAKE` writes a lake with that day, and the day before
with the first of its notes, to train on. As in real embeddings most of the variance lies in few directions (a spectrum that
falls as 1 / rank), notes gather around subjects of Zipf-like popularity, and one in `TWINS` has the content of another.
Everything follows from the seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.audit import Audit
from jobs.lake import Lake
from jobs.part_files import ROWS_A_GROUP, write_part
from jobs.staging import ROWS_A_FILE, Plan, _fresh_folder, _record, _seal
from schemas.tables import NOTE_EMBEDDINGS

DAY, DAY_BEFORE = "2026-01-05", "2026-01-04"
ENCODER = "synthetic-0"
SUBJECTS = 20_000
LATENT = 64
NOISE = 0.6  # of a note beside its subject, which has 0.8
TWINS = 1000
SEED = 11
TRAINED = ROWS_A_GROUP  # notes of the day before


class World(NamedTuple):
    """What all notes share: subject_SE in latent space, and how it lies among the dimensions."""

    subject_SE: NDArray[np.float32]
    spread_ED: NDArray[np.float32]


def world_of(dims: int) -> World:
    """The subjects and the directions."""
    draw = np.random.default_rng(SEED)
    spread_ED = draw.normal(size=(LATENT, dims)) / np.arange(1, LATENT + 1)[:, None]
    return World(np.float32(0.8 * draw.normal(size=(SUBJECTS, LATENT))), np.asarray(spread_ED, dtype=np.float32))


def batches(first: int, rows: int, world: World) -> Iterator[pa.RecordBatch]:
    """The notes from `first` on, ROWS_A_GROUP at a time; what a note is follows from its number."""
    for start in range(first, first + rows, ROWS_A_GROUP):
        count = min(ROWS_A_GROUP, first + rows - start)
        draw = np.random.default_rng([SEED, start])
        subject_N = (draw.random(count, dtype=np.float32) ** 2 * SUBJECTS).astype(np.int64)
        latent_NE = world.subject_SE[subject_N] + np.float32(NOISE) * draw.standard_normal((count, LATENT), np.float32)
        number_N = np.arange(start, start + count)
        twin_N = np.flatnonzero(number_N % TWINS == TWINS - 1)
        latent_NE[twin_N] = latent_NE[twin_N - 1]
        x_ND = latent_NE @ world.spread_ED
        x_ND /= np.linalg.norm(x_ND, axis=1, keepdims=True)
        content_N = number_N.copy()
        content_N[twin_N] -= 1
        yield _batch(number_N, content_N, x_ND)


def _batch(number_N: NDArray[np.int64], content_N: NDArray[np.int64], x_ND: NDArray[np.float32]) -> pa.RecordBatch:
    offsets = pa.array(np.arange(len(x_ND) + 1, dtype=np.int32) * np.int32(x_ND.shape[1]))
    mixed_N = (content_N.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # the order of no list
    arrays: list[Any] = [
        pa.array([f"n{number:09d}" for number in number_N.tolist()]),
        pa.array([f"{mixed:016x}" * 4 for mixed in mixed_N.tolist()]),
        pa.repeat(pa.scalar(ENCODER), len(number_N)),
        pa.ListArray.from_arrays(offsets, pa.array(x_ND.reshape(-1))),
    ]
    return pa.RecordBatch.from_arrays(arrays, NOTE_EMBEDDINGS.column_names)


def publish_day(lake: Lake, day: str, rows: int, dims: int) -> None:
    """Publish `rows` notes for a day, without the audit, which is measured elsewhere."""
    from jobs import publish_table

    world = world_of(dims)
    plan = Plan("synthetic_vectors", day, params={"rows": rows, "dims": dims, "seed": SEED})
    data = _fresh_folder(lake, NOTE_EMBEDDINGS, day) / "data"
    data.mkdir()
    for number, first in enumerate(range(0, rows, ROWS_A_FILE)):
        part = batches(first, min(ROWS_A_FILE, rows - first), world)
        write_part(data / f"part-{number:05d}.parquet", NOTE_EMBEDDINGS.arrow_schema(), part)
    record = _record(NOTE_EMBEDDINGS, plan, data, None)
    _seal(data.parent, record)
    publish_table._swapped(lake, NOTE_EMBEDDINGS, day, record, Audit((), {}))


def main() -> None:
    parser = argparse.ArgumentParser("synthetic_vectors", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dims", type=int, default=384)
    parser.add_argument("--to", type=Path, required=True, help="the folder of a lake, made if missing")
    args = parser.parse_args()
    publish_day(Lake.open(args.to), DAY_BEFORE, min(args.rows, TRAINED), args.dims)
    publish_day(Lake.open(args.to), DAY, args.rows, args.dims)


if __name__ == "__main__":
    main()
