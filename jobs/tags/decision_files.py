"""The files that people write for the tag stage: where they lie in a lake, and what is wrong with them in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobs.config import ConfigError
from jobs.lake import DECISIONS, Lake, LakeError
from models.tags.decisions import Decision, DecisionError, parse_decisions
from models.tags.dimension_names import NO_NAMES, Names, parse_names

MAX_FILE_BYTES = 64 * 2**20


def decisions_path(lake: Lake) -> Path:
    """Where a person's decisions about tags lie."""
    return lake.root / DECISIONS / "tag_vocabulary.csv"


def names_path(lake: Lake) -> Path:
    """Where a person's names for the handbook's dimensions lie."""
    return lake.root / DECISIONS / "interest_handbook.csv"


def read_decisions(path: Path) -> Mapping[str, Mapping[str, Decision]]:
    """Decisions by dimension and surface, none where there is no file. Raises `LakeError` naming file and line."""
    if not path.exists():
        return {}
    try:
        return parse_decisions(text_of(path, "decisions"))
    except DecisionError as error:
        raise LakeError(f"{path}: {error}") from None


def read_names(path: Path) -> Names:
    """Names of dimensions, none where there is no file. Raises `LakeError` naming file and line."""
    if not path.exists():
        return NO_NAMES
    try:
        return parse_names(text_of(path, "decisions"))
    except DecisionError as error:
        raise LakeError(f"{path}: {error}") from None


def text_of(path: Path, parameter: str) -> str:
    """The text of a file that a person wrote. Raises `ConfigError` naming the parameter where it cannot be read."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{parameter}: {path} is larger than {MAX_FILE_BYTES >> 20} MiB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{parameter}: {path} is no UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{parameter}: {path} cannot be read: {error.strerror}") from None
