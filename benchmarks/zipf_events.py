"""Click logs of any size with the two skews that matter for pairs: Zipf-popular notes, log-normally active users.

`python -m benchmarks.zipf_events --events 10000000 --to FOLDER` writes seven Parquet files, one a day, in the columns
of the table `events`, sorted by time as logs are. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.tables import EVENTS

MEAN_CLICKS = 20
SIGMA = 1.0  # of the log of a user's clicks: a few users of half a million pass 1,000
DAYS = 7
FIRST_SECOND = 1_767_571_200  # 2026-01-05 00:00 UTC
ROWS_A_GROUP = 500_000


def write_events(folder: Path, num_events: int, num_notes: int, seed: int) -> None:
    """Write `num_events` clicks of num_events / 20 users on `num_notes` notes (popularity 1 / rank)."""
    draw = np.random.default_rng(seed)
    num_users = max(1, num_events // MEAN_CLICKS)
    activity_U = draw.lognormal(np.log(MEAN_CLICKS) - SIGMA**2 / 2, SIGMA, num_users)
    user_C = _drawn(draw, activity_U, num_events)
    note_C = _drawn(draw, 1 / np.arange(1, num_notes + 1), num_events)
    # Whole seconds, so that some clicks of one user fall on the same instant.
    second_C = np.sort(draw.integers(0, DAYS * 86_400, num_events, np.int64))
    folder.mkdir(parents=True, exist_ok=True)
    names = (_names("u", num_users), _names("n", num_notes))
    for day in range(DAYS):
        rows = slice(*np.searchsorted(second_C, [day * 86_400, (day + 1) * 86_400]))
        _write_day(folder / f"part-{day:05d}.parquet", user_C[rows], note_C[rows], second_C[rows], names)


def _drawn(draw: np.random.Generator, weight_X: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int32]:
    cumulative_X = np.cumsum(weight_X)
    at_C = draw.random(count)
    at_C.sort()
    drawn_C = np.searchsorted(cumulative_X, at_C * cumulative_X[-1]).clip(max=len(weight_X) - 1).astype(np.int32)
    draw.shuffle(drawn_C)
    return drawn_C


def _names(prefix: str, count: int) -> pa.Array:
    """Opaque ids of 17 characters: a bijective mixing of 0, 1, 2, ..., so that id order says nothing."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(31)
    return pa.array([f"{prefix}{value:016x}" for value in mixed.tolist()])


def _write_day(
    path: Path,
    user_C: npt.NDArray[np.int32],
    note_C: npt.NDArray[np.int32],
    second_C: npt.NDArray[np.int64],
    names: tuple[pa.Array, pa.Array],
) -> None:
    schema = EVENTS.arrow_schema()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(user_C), ROWS_A_GROUP):
            rows = slice(start, start + ROWS_A_GROUP)
            count = len(user_C[rows])
            columns = {
                "user_id": names[0].take(pa.array(user_C[rows])),
                "note_id": names[1].take(pa.array(note_C[rows])),
                "event": pa.repeat(pa.scalar("click"), count),
                "ts": pa.array((second_C[rows] + FIRST_SECOND) * 1_000_000).cast(schema.field("ts").type),
                "query": pa.nulls(count, pa.string()),
                "is_late": pa.repeat(pa.scalar(False), count),
            }
            writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))


def main() -> None:
    parser = argparse.ArgumentParser("zipf_events", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    write_events(args.to, args.events, args.notes, args.seed)


if __name__ == "__main__":
    main()
