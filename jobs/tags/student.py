"""The student that is current as of a day, ready to be asked."""

from __future__ import annotations

from pathlib import Path

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.lake import Lake, LakeError
from jobs.staging import file_hash
from jobs.tags.local_model import LocalModel

KIND = "tagger"


def student_generation(lake: Lake, day: str) -> str | None:
    """The generation of the student that is current as of a day; None where none was promoted."""
    return Artifacts(lake, KIND).current(day)


def load_student(lake: Lake, day: str, config: Config) -> LocalModel | None:
    """The promoted tagger as of the day; None where none was ever promoted. Raises `LakeError` as `load_generation`."""
    generation = student_generation(lake, day)
    return load_generation(lake, generation, config.tags.max_new_tokens) if generation else None


def load_generation(lake: Lake, generation: str, max_new_tokens: int) -> LocalModel:
    """A tagger by its name. Raises `LakeError` where a file is not the one that its manifest names."""
    artifacts = Artifacts(lake, KIND)
    folder = artifacts.folder(generation)
    for name, written in artifacts.manifest(generation)["files"].items():
        if not (folder / name).exists() or file_hash(folder / name) != written:
            raise LakeError(f"{folder / name} is not the file that its manifest names: restore it or train again")
    return load_folder(folder, f"{KIND}/{generation}/{max_new_tokens}", max_new_tokens)


def load_folder(folder: Path, identity: str, max_new_tokens: int) -> LocalModel:
    """A tagger's folder as a model that answers."""
    return LocalModel(folder, identity, max_new_tokens)
