"""Writes the log day by day, chunk by chunk: memory follows the chunk, never the day or the whole."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from demo.cells import Cells
from demo.clicks import Rows, Shelves, Town, draw_rows, draw_sessions, joined, rows_per_session, shelves_of
from demo.dirt import (
    ADDED_SHARE,
    NUM_UNKNOWN,
    ROBOT_BURST,
    Record,
    num_bursts,
    robot_rows,
    spoilt,
    unknown_id,
)
from demo.notes import Notes, note_id
from demo.queries import all_queries
from demo.users import Users, user_id
from demo.world import World, log, rng_for
from schemas.tables import EVENT_KINDS, RAW_EVENTS

_CHUNK_SESSIONS = 24_576
_CHUNKS_A_FILE = 6  # about two million rows
_WEEKEND = 1.15  # a weekend day over a working day


class Names:
    """The ids and queries that the numbers in rows stand for, as Arrow arrays."""

    def __init__(self, town: Town) -> None:
        """Spell out every id once."""
        self.users = pa.array((user_id(user) for user in range(town.users.total)), pa.string())
        notes = [note_id(note) for note in range(len(town.notes))]
        self.notes = pa.array(notes + [unknown_id(number) for number in range(NUM_UNKNOWN)])
        self.queries = pa.array(town.queries.text)
        self.kinds = pa.array(EVENT_KINDS)

    def table(self, rows: Rows) -> pa.Table:
        """The rows as a table of raw events, in the order in which they arrived."""
        rows = rows.take(np.argsort(rows.arrived_us, kind="stable"))
        columns = [
            self.users.take(pa.array(rows.user)),
            self.notes.take(pa.array(rows.note)),
            self.kinds.take(pa.array(rows.kind)),
            pa.array(rows.ts_us).cast(pa.timestamp("us", tz="UTC")),
            self.queries.take(pa.array(rows.query, mask=rows.query < 0)),
        ]
        return pa.table(columns, schema=RAW_EVENTS.arrow_schema())


def town_of(world: World, notes: Notes, users: Users) -> Town:
    """Notes, users and queries, ready for sessions."""
    queries = all_queries()
    keys = queries.interest.astype(np.int64) * 2 + queries.language
    cells = Cells(keys, int(keys.max()) + 1, queries.weight)
    reached = np.cumsum(users.activity)
    return Town(world, notes, users, queries, cells, reached / reached[-1])


def write_events(town: Town, folder: Path, record: Record) -> int:
    """Write one folder a day of arrival; the number of rows written."""
    names, total, per_session = Names(town), 0, rows_per_session(town)
    for day, day_rows in enumerate(_rows_by_day(town.world)):
        bursts = num_bursts(day_rows)
        of_people = (day_rows - bursts * sum(ROBOT_BURST) / 2) / (1 + ADDED_SHARE)
        num_sessions = max(1, round(of_people / per_session))
        path = folder / f"ds={town.world.day(day)}"
        total += _write_day(town, names, day, num_sessions, bursts, path, record)
        log(f"events: {town.world.day(day)} is written, {total:,} rows so far")
    return total


def _rows_by_day(world: World) -> list[int]:
    """How many rows each day is to have."""
    weights = [_WEEKEND if date.fromisoformat(world.day(d)).weekday() > 4 else 1.0 for d in range(world.days)]
    return [round(world.events * weight / sum(weights)) for weight in weights]


def _write_day(
    town: Town, names: Names, day: int, num_sessions: int, bursts: int, folder: Path, record: Record
) -> int:
    folder.mkdir(parents=True)
    shelves, found = shelves_of(town, day), Counter[str]()
    num_chunks = -(-num_sessions // _CHUNK_SESSIONS)
    sessions, robots = _shares(num_sessions, num_chunks), _shares(bursts, num_chunks)
    total = 0
    for first in range(0, num_chunks, _CHUNKS_A_FILE):
        path = folder / f"part-{first // _CHUNKS_A_FILE:05d}.parquet"
        with pq.ParquetWriter(path, RAW_EVENTS.arrow_schema(), compression="zstd") as writer:
            for chunk in range(first, min(first + _CHUNKS_A_FILE, num_chunks)):
                stretch = (chunk / num_chunks, (chunk + 1) / num_chunks)
                rows = _chunk(town, shelves, day, chunk, stretch, sessions[chunk], robots[chunk], found)
                writer.write_table(names.table(rows))
                total += len(rows.user)
    for kind, num_rows in sorted(found.items()):
        record.add(kind, "events", town.world.day(day), None, num_rows)
    return total


def _shares(total: int, parts: int) -> list[int]:
    """A total as whole parts, as even as can be."""
    edges = [total * part // parts for part in range(parts + 1)]
    return [high - low for low, high in pairwise(edges)]


def _chunk(
    town: Town,
    shelves: Shelves,
    day: int,
    chunk: int,
    stretch: tuple[float, float],
    num_sessions: int,
    bursts: int,
    found: Counter[str],
) -> Rows:
    """The rows of one stretch of a day, dirt included; `found` counts the dirt on."""
    seed = town.world.seed
    rng = rng_for(seed, "clicks", day, chunk)
    quantiles: npt.NDArray[np.float64] = rng.uniform(*stretch, num_sessions)
    rows = draw_rows(town, shelves, draw_sessions(town, day, quantiles, rng), day, rng)
    rows, counts = spoilt(town, rows, rng_for(seed, "dirt", 2, day, chunk), at_least=int(chunk == 0))
    robots = robot_rows(town, day, stretch, bursts, rng_for(seed, "robots", day, chunk))
    found.update(counts | {"robot": len(robots.user)})
    return joined([rows, robots])
