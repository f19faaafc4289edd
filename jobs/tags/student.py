"""The student that is current as of a day, ready to be asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.lake import Lake, LakeError
from jobs.staging import file_hash

if TYPE_CHECKING:
    from jobs.tags.student_model import StudentModel

KIND = "tagger"


def load_student(lake: Lake, day: str, config: Config) -> StudentModel | None:
    """The promoted tagger as of the day; None where none was ever promoted. Raises `LakeError` as `load_generation`."""
    generation = Artifacts(lake, KIND).current(day)
    return load_generation(lake, generation, config.tags.max_new_tokens) if generation else None


def load_generation(lake: Lake, generation: str, max_new_tokens: int) -> StudentModel:
    """A tagger by its name. Raises `LakeError` where a file is not the one that its manifest names."""
    artifacts = Artifacts(lake, KIND)
    folder = artifacts.folder(generation)
    for name, written in artifacts.manifest(generation)["files"].items():
        if not (folder / name).exists() or file_hash(folder / name) != written:
            raise LakeError(
                f"{folder / name} is not the file that its manifest names: restore it or train again"
            )
    return load_folder(folder, f"{KIND}/{generation}/{max_new_tokens}", max_new_tokens)


def load_folder(folder: Path, identity: str, max_new_tokens: int) -> StudentModel:
    """A tagger's folder as a model that answers."""
    from jobs.tags.student_model import open_student

    return open_student(str(folder), identity, max_new_tokens)
