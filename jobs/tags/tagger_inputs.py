"""Everything that a tagger is made from, and the name that stands for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jobs.config import Config, Tags
from jobs.lake import Lake, canonical_json
from jobs.staging import code_hash, file_hash
from jobs.tags.lessons import event_reads, lesson_reads
from jobs.tags.pages import current_pages
from jobs.tags.teacher_top_k import top_k_room
from models.tags.handbook import Page

# What decides the weights; another bar or another teacher's address is no other student.
LEARNED_FROM = (
    "use_handbook",
    "max_new_tokens",
    "distill_days",
    "distill_steps",
    "rationale_weight",
    "lora_rank",
    "seed",
)


class Inputs(NamedTuple):
    """Everything a generation is made from: published partitions, handbook pages, the student it starts from."""

    reads: Mapping[str, str]
    pages: Mapping[str, Page]
    started_from: str
    top_k: Mapping[str, str]

    def generation(self, settings: Tags) -> str:
        """The name that stands for all of it, the settings and the code."""
        identity = {
            "reads": dict(self.reads),
            "settings": {name: getattr(settings, name) for name in LEARNED_FROM},
            "started_from": self.started_from,
            "top_k": dict(self.top_k),
            "code": code_hash(),
        }
        return "g" + hashlib.sha256(canonical_json(identity)).hexdigest()[:12]


def inputs_of(lake: Lake, day: str, config: Config) -> Inputs:
    """What there is to learn from on a day."""
    days = config.tags.distill_days
    reads = {**lesson_reads(lake, day, days), **event_reads(lake, day, days)}
    pages: dict[str, Page] = {}
    if config.tags.use_handbook:
        pages, handbook = current_pages(lake, day)
        reads |= handbook
    top_k = {p.name: file_hash(p) for p in sorted(top_k_room(lake).glob("*.safetensors"))}
    return Inputs(reads, pages, started_from(config), top_k)


def started_from(config: Config) -> str:
    """The student before it learns anything, in words that change when its files do."""
    named = folder_of(config.tags.student, config.home) if config.tags.student else ""
    if named and Path(named).is_dir():
        return f"{Path(named).name}@{_files_hash(Path(named))}"
    if named:
        return named
    teacher = compact_after(config)
    if not teacher:
        return "a compact model"
    return f"a compact model with the tokenizer of {Path(teacher).name}@{_files_hash(Path(teacher))}"


def compact_after(config: Config) -> str | None:
    """The folder of a local teacher, whose tokenizer a compact student takes over; None where the teacher is no folder."""
    named = folder_of(config.tags.teacher, config.home) if config.tags.teacher else ""
    return named if named and Path(named).is_dir() else None


def _files_hash(folder: Path) -> str:
    files = {p.name: file_hash(p) for p in sorted(folder.iterdir()) if p.is_file()}
    return hashlib.sha256(canonical_json(files)).hexdigest()[:12]


def folder_of(name: str, home: Path) -> str:
    """A folder beside the configuration as its whole path; anything else as it is, a hub's id."""
    return str((home / name).resolve()) if (home / name).is_dir() else name
