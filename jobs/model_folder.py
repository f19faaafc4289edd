"""The folder of a model that a configuration names, and the hash that stands for what is in it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from jobs.config import ConfigError
from jobs.staging import file_hash

_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja")


def model_folder(name: str, home: Path, key: str) -> Path:
    """A folder (relative to `home`), or what the Hugging Face hub gives for an id.

    Raises `ConfigError`, which names the configuration's `key`, where there is neither or no safetensors weights.
    """
    folder = home / name
    if not folder.is_dir():
        folder = _from_hub(name, key)
    if not any(folder.rglob("*.safetensors")):
        raise ConfigError(
            f"{key}: {name!r} has no .safetensors weights in {folder}: convert it, pickles are not read"
        )
    return folder


def hashed_files(folder: Path) -> list[list[str]]:
    """Name and SHA-256 of every file that decides what the model in `folder` computes."""
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in _SUFFIXES and p.is_file()]
    return [[p.name, _cached_hash(p, p.stat().st_mtime_ns)] for p in files]


@cache
def _cached_hash(path: Path, _mtime_ns: int) -> str:
    return file_hash(path)


def _from_hub(name: str, key: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=[f"*{suffix}" for suffix in _SUFFIXES]))
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") not in (None, "0") else ""
        raise ConfigError(
            f"{key}: {name!r} is neither a folder nor a model that the Hugging Face hub gives{offline}: {error}"
        ) from None
