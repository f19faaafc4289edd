"""Artifacts (trained encoders, quantizers, students, ...): written whole, never changed, promoted by a pointer.

    <lake>/artifacts/{kind}/{generation}/   safetensors weights, config.json, card.md, and manifest.json written last
    <lake>/artifacts/{kind}/promotions/     000001.json, 000002.json, ...: which generation is current since which day

A promotion is one file that appears in one step, so that there is always exactly one answer to "which generation was
current as of that day"; a rollback is one more promotion, of an older generation.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.lake import Lake, LakeError, canonical_json, day_text, sync_folder, write_atomically
from jobs.staging import file_hash

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Artifacts:
    """All generations of one kind of artifact in a lake."""

    lake: Lake
    kind: str

    @property
    def room(self) -> Path:
        """The folder of the kind."""
        return self.lake.root / "artifacts" / _checked(self.kind)

    def folder(self, generation: str) -> Path:
        """The folder of a whole generation. Raises `LakeError` where there is none."""
        folder = self.room / _checked(generation)
        if not (folder / "manifest.json").exists():
            raise LakeError(
                f"artifact {self.kind} has no generation {generation!r}; it has {self.generations() or 'none'}"
            )
        return folder

    def generations(self) -> list[str]:
        """The names of the whole generations, in order of name."""
        return sorted(
            p.parent.name for p in self.room.glob("*/manifest.json") if not p.parent.name.startswith(".")
        )

    def manifest(self, generation: str) -> dict[str, Any]:
        """What a generation was trained on, its seeds, figures, and the hashes of its files and dependencies."""
        found: dict[str, Any] = json.loads((self.folder(generation) / "manifest.json").read_bytes())
        return found

    def write(self, generation: str, build: Callable[[Path], Mapping[str, Any]]) -> Path:
        """Have `build` fill a folder and return the manifest's facts; the folder appears whole or not at all.

        A generation that exists is left as it is: its name stands for its content.
        """
        final = self.room / _checked(generation)
        if (final / "manifest.json").exists():
            return final
        half = self.room / f".{generation}.building"
        if half.exists():
            shutil.rmtree(half)
        half.mkdir(parents=True)
        facts = dict(build(half))
        files = {p.name: file_hash(p) for p in sorted(half.iterdir())}
        write_atomically(
            half / "manifest.json", json.dumps({**facts, "files": files}, indent=1, sort_keys=True).encode()
        )
        half.rename(final)
        sync_folder(self.room)
        return final

    def promote(self, generation: str, since: str) -> None:
        """Make a whole generation current from the day `since` on."""
        self.folder(generation)
        if self.current(since) == generation:
            return
        entry = {"generation": generation, "since": day_text(since)}
        self._append(canonical_json(entry))

    def promotions(self) -> list[dict[str, str]]:
        """All promotions, oldest first."""
        return [json.loads(p.read_bytes()) for p in sorted((self.room / "promotions").glob("[0-9]*.json"))]

    def current(self, day: str) -> str | None:
        """The generation current as of a day; before the first promotion's day it is the first one; None without any.

        The last promotion whose `since` is not after the day decides.
        """
        entries = self.promotions()
        known = [e for e in entries if e["since"] <= day_text(day)]
        return (known[-1] if known else entries[0])["generation"] if entries else None

    def _append(self, content: bytes) -> None:
        folder = self.room / "promotions"
        folder.mkdir(parents=True, exist_ok=True)
        append_numbered(folder, "json", content)


def append_numbered(folder: Path, suffix: str, content: bytes) -> Path:
    """Write the next of `000001.{suffix}`, `000002.{suffix}`, ... in one step that cannot overwrite another's."""
    while True:
        taken = sorted(folder.glob(f"[0-9]*.{suffix}"))
        try:
            return create_numbered(folder, int(taken[-1].stem) + 1 if taken else 1, suffix, content)
        except FileExistsError:
            continue  # a lost race tries the next number


def create_numbered(folder: Path, number: int, suffix: str, content: bytes) -> Path:
    """Write `{number:06d}.{suffix}` whole, in one step. Raises `FileExistsError` where another was first.

    For content that follows from the files before it: whoever lost reads them again and makes it anew.
    """
    path = folder / f"{number:06d}.{suffix}"
    half = folder / f".half.{number:06d}.{os.getpid()}.{threading.get_ident()}"
    write_atomically(half, content)
    try:
        os.link(half, path)  # fails where the name is taken
        sync_folder(folder)
        return path
    finally:
        half.unlink()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise LakeError(f"{name!r} is no name of an artifact: lower-case letters, digits, - and _ only")
    return name
