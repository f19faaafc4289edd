"""The lake: where published partitions lie, and how a new one takes an old one's place.

    <lake>/tables/{table}_v{n}/ds=YYYY-MM-DD/part-00000-{partition}.parquet   what readers see: Parquet, nothing else
    <lake>/manifests/{table}_v{n}/ds=YYYY-MM-DD/{partition}.json              what it was made from, counts, checks
    <lake>/staging/{table}_v{n}/ds=YYYY-MM-DD/                                written by a job, not yet audited
    <lake>/replaced/{table}_v{n}/ds=YYYY-MM-DD/                               the partition before the last swap
    <lake>/audits/{table}_v{n}/ds=YYYY-MM-DD/                                 results of the checks: JSON and a page

`{partition}` names the content: it is a hash of the rows' files and of all that produced them. File names carry it,
so that data and manifest can never be taken for each other's, and a reader with no help of ours sees Parquet only.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from schemas.table import Table

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PART = re.compile(r"part-\d{5}-([0-9a-f]{16})\.parquet")
_MARKER = ".notemill-lake.json"
DECISIONS = "decisions"  # the folder of files that people write, also before the first run
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


class LakeError(Exception):
    """What is wrong with the lake or a request to it, in words for the person who runs the job."""


def day_text(value: str) -> str:
    """`value` if it is a calendar day written YYYY-MM-DD; a day becomes part of a path, so nothing else passes.

    Raises `LakeError`.
    """
    try:
        if not _DAY.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise LakeError(f"parameter day is {value!r}: write a calendar day as YYYY-MM-DD") from None


def days_before(day: str, count: int) -> list[str]:
    """The `count` days that end with `day`, in order."""
    last = date.fromisoformat(day_text(day))
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(count))]


@dataclass(frozen=True)
class Lake:
    """A lake on a file system that can swap two folders atomically (any local Linux one)."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Lake:
        """The lake at `root`, laid out if there is nothing yet but people's decisions.

        Raises `LakeError` where `root` is a folder of something else.
        """
        marker = root / _MARKER
        if not marker.exists():
            if root.exists() and any(path.name != DECISIONS for path in root.iterdir()):
                raise LakeError(
                    f"{root} is not empty and not a lake of notemill: name another folder as `lake`"
                )
            root.mkdir(parents=True, exist_ok=True)
            write_atomically(marker, b'{"layout": 1}\n')
        return cls(root.resolve())

    def place(self, room: str, table: Table, day: str) -> Path:
        """The folder of a table's day in one of the rooms `tables`, `manifests`, `staging`, `replaced`, `audits`."""
        return self.root / room / table.folder / f"ds={day_text(day)}"

    def days(self, table: Table) -> list[str]:
        """The published days, oldest first."""
        folder = self.root / "tables" / table.folder
        return sorted(p.name[3:] for p in folder.glob("ds=*")) if folder.is_dir() else []

    def partition(self, table: Table, day: str) -> str | None:
        """The name of the published partition, or None."""
        return _partition_in(self.place("tables", table, day))

    def manifest(self, table: Table, day: str) -> dict[str, Any]:
        """The manifest of the published partition.

        Raises `LakeError` where the day is not published.
        """
        partition = self.partition(table, day)
        if partition is None:
            raise LakeError(
                f"table {table.name} has no published partition ds={day} in {self.root}: run the job that makes it, "
                f"then `publish_table --table {table.name} --day {day}`"
            )
        found = json.loads((self.place("manifests", table, day) / f"{partition}.json").read_bytes())
        assert isinstance(found, dict)
        return found

    def files(self, table: Table, day: str) -> list[str]:
        """The Parquet files of the published partition, whole paths in order. Raises `LakeError` as `manifest`."""
        self.manifest(table, day)
        return sorted(str(p) for p in self.place("tables", table, day).glob("*.parquet"))

    def last_before(self, table: Table, day: str) -> str | None:
        """The last day before `day` that is published with rows (a closed day has none), or None."""
        earlier = (d for d in reversed(self.days(table)) if d < day_text(day))
        return next((d for d in earlier if self.manifest(table, d)["rows"]), None)

    @contextmanager
    def locked(self, table: Table, day: str) -> Iterator[None]:
        """Wait for, and hold, the only right to stage or publish this table's day; a killed holder lets go."""
        with hold(self.root / "locks" / f"{table.folder}.ds={day_text(day)}"):
            yield

    def swap_in(self, table: Table, day: str, data: Path) -> None:
        """Make the staged folder `data` the published partition in one step; the one it replaces moves to `replaced`.

        Readers see the old partition until the step and the new one after it. Whatever a kill leaves is put right by
        the next publish of this table and day.
        """
        live = self.place("tables", table, day)
        live.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(data)
        if live.exists():
            exchange(data, live)
            self._keep_replaced(table, day, data)
        else:
            data.rename(live)
        sync_folder(live.parent)

    def _keep_replaced(self, table: Table, day: str, old: Path) -> None:
        kept = self.place("replaced", table, day)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            shutil.rmtree(kept)
        old.rename(kept)


def _partition_in(folder: Path) -> str | None:
    names = sorted(p.name for p in folder.glob("part-*.parquet")) if folder.is_dir() else []
    match = _PART.fullmatch(names[0]) if names else None
    return match.group(1) if match else None


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold an advisory lock on the file `path`, made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def exchange(left: Path, right: Path) -> None:
    """Swap two folders in one atomic step (renameat2 with RENAME_EXCHANGE).

    Raises `LakeError` where the file system or the kernel cannot.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), _EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        raise LakeError(
            f"the file system under {right.parent} cannot swap two folders atomically, so a published partition "
            "cannot be replaced safely: put the lake on ext4, xfs, btrfs or tmpfs"
        )
    raise OSError(code, os.strerror(code), str(right))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    with half.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    half.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def canonical_json(value: Any) -> bytes:
    """One spelling of a value: sorted keys, no spare space, UTF-8, so that equal values have equal hashes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
