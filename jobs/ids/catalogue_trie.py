"""The catalogue trie on the disk: bound to one published partition of `semantic_ids`, and opened for that one only.

    <lake>/artifacts/catalogue_trie/{generation}-{partition}-v{format}/
        trie.safetensors   the arrays of models/ids/trie.py
        notes.parquet      note_id; row i is the note at place i
        manifest.json      what it is bound to, counts, and the hashes of the files above; written last

A day that is made again has another partition, and so another trie; the old one stays until someone deletes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError, write_atomically
from jobs.part_files import write_part
from jobs.staging import file_hash
from models.ids.trie import Trie, from_tensors
from schemas.tables import SEMANTIC_IDS

KIND = "catalogue_trie"
FORMAT = 1
ARRAYS, NOTES_FILE = "trie.safetensors", "notes.parquet"
SCHEMA = pa.schema([pa.field("note_id", pa.string(), nullable=False)])


@dataclass(frozen=True)
class Binding:
    """What a trie belongs to: a day's partition of `semantic_ids`, and the quantizer that gave its codes a meaning."""

    day: str
    partition: str
    generation: str
    quantizer: str  # the hash of the quantizer's manifest

    @property
    def name(self) -> str:
        """The trie's name among the artifacts."""
        return f"{self.generation}-{self.partition}-v{FORMAT}"

    def require(self, manifest: dict[str, Any], folder: Path) -> None:
        """Raise `LakeError` with all that a trie's manifest says of itself and that is not so here."""
        wanted = {"format": FORMAT, **asdict(self)}
        found = {name: manifest.get(name) for name in wanted}
        wrong = [f"{name} {found[name]!r}, wanted {wanted[name]!r}" for name in wanted if found[name] != wanted[name]]
        if wrong:
            raise LakeError(
                f"{folder} is not the trie of semantic_ids ds={self.day}: its manifest says {'; '.join(wrong)}. Delete the "
                f"folder and run build_trie --day {self.day}"
            )


@dataclass(frozen=True)
class CatalogueTrie:
    """A trie, the ids of the notes at its places, and its manifest."""

    trie: Trie
    note_ids: pa.ChunkedArray
    manifest: dict[str, Any]

    def notes_of(self, leaf: int) -> list[str]:
        """The notes of an ID, in order of rank. Raises `ValueError` for a state that is no leaf."""
        places = self.trie.notes_of(leaf)
        found: list[str] = self.note_ids.slice(places.start, len(places)).to_pylist()
        return found


def binding_of(lake: Lake, day: str) -> Binding:
    """What the day's trie must belong to, as published now. Raises `LakeError` where the day is not published."""
    published = lake.manifest(SEMANTIC_IDS, day)
    generation = published["artifacts"].get("quantizer")
    if generation is None:
        raise LakeError(f"semantic_ids ds={day} names no quantizer in its manifest: run assign_ids for the day again")
    quantizer = Artifacts(lake, "quantizer").folder(generation) / "manifest.json"
    return Binding(day, published["partition"], generation, file_hash(quantizer))


def write_trie(lake: Lake, binding: Binding, trie: Trie, note_ids: pa.ChunkedArray) -> Path:
    """Write the artifact, whole or not at all; one that is there is left as it is."""

    def fill(folder: Path) -> dict[str, Any]:
        write_atomically(folder / ARRAYS, save(dict(sorted(trie.tensors().items()))))
        write_part(folder / NOTES_FILE, SCHEMA, pa.table({"note_id": note_ids}, schema=SCHEMA).to_batches())
        counts = {"num_notes": trie.num_notes, "num_ids": trie.num_leaves, "sizes": list(trie.sizes)}
        return {"format": FORMAT, **asdict(binding), **counts}

    return Artifacts(lake, KIND).write(binding.name, fill)


def read_trie(folder: Path, manifest: dict[str, Any]) -> CatalogueTrie:
    """The trie in a folder. Raises `LakeError` where a file is not the one that its manifest names."""
    for name in (ARRAYS, NOTES_FILE):
        if not (folder / name).exists() or file_hash(folder / name) != manifest["files"].get(name):
            raise LakeError(f"{folder / name} is not the file that its manifest names: delete the folder and run build_trie")
    try:
        trie = from_tensors(load((folder / ARRAYS).read_bytes()))
        note_ids = pq.read_table(folder / NOTES_FILE).column("note_id")
    except (SafetensorError, ValueError) as error:
        raise LakeError(f"{folder} holds no trie of format {FORMAT}: {error}") from None
    if len(note_ids) != trie.num_notes:
        raise LakeError(f"{folder} holds a trie of {trie.num_notes} notes and the ids of {len(note_ids)}")
    return CatalogueTrie(trie, note_ids, manifest)


def trie_of(lake: Lake, day: str, generation: str | None = None) -> CatalogueTrie:
    """The trie of the IDs published for a day; `generation` is the one whose codes a decoder was trained on.

    Raises `LakeError` where the day's IDs are of another generation (a wrong vocabulary), where there is no trie of the
    partition published now (missing or stale), or where any file is not the one that was written.
    """
    binding, artifacts = binding_of(lake, day), Artifacts(lake, KIND)
    if generation not in (None, binding.generation):
        raise LakeError(
            f"wrong vocabulary: the decoder speaks codes of quantizer {generation}, semantic_ids ds={day} are codes of "
            f"{binding.generation}: use a decoder of that generation, or the day's IDs of the decoder's"
        )
    if binding.name not in artifacts.generations():
        raise LakeError(_missing(artifacts, binding))
    folder, manifest = artifacts.folder(binding.name), artifacts.manifest(binding.name)
    binding.require(manifest, folder)
    return read_trie(folder, manifest)


def _missing(artifacts: Artifacts, binding: Binding) -> str:
    stale = list(_of_day(artifacts, binding.day))
    why = f"stale: {', '.join(stale)} belong to partitions that were replaced" if stale else "none was built"
    return (
        f"no trie belongs to semantic_ids ds={binding.day} as published now, partition {binding.partition} ({why}): run "
        f"build_trie --day {binding.day}"
    )


def _of_day(artifacts: Artifacts, day: str) -> Iterable[str]:
    return (name for name in artifacts.generations() if artifacts.manifest(name).get("day") == day)
