"""Which teacher a configuration names: nobody, a local model, or a server."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from jobs.config import ConfigError, Tags
from jobs.lake import canonical_json
from jobs.tags.asking import Teacher
from jobs.tags.local_model import find_local_model
from jobs.tags.pictures import OPTIONS
from jobs.tags.server import KEY_VARIABLE, Server

NO_TEACHER = (
    "no teacher is configured: name one as tags.teacher, a folder or Hugging Face id of an image-text-to-text model, or "
    "the address of an OpenAI-compatible server (with tags.teacher_model)"
)

NO_HANDBOOK = (
    "no handbook is published yet, and without one every note would be asked twice: run build_handbook "
    "(notemill_training), or set tags.use_handbook to false"
)


def find_teacher(tags: Tags, home: Path) -> Teacher | None:
    """The teacher that `tags.teacher` names, or None where it is empty. No weights are loaded and no server is called.

    Raises `ConfigError` where it cannot be had.
    """
    if not tags.teacher:
        return None
    if tags.teacher.startswith(("http://", "https://")):
        return _server(tags)
    return find_local_model(tags.teacher, home, tags.max_new_tokens, tags.teacher_top_k)


def is_on_server(tags: Tags) -> bool:
    """Whether the configured teacher is a server."""
    return tags.teacher.startswith(("http://", "https://"))


def _server(tags: Tags) -> Server:
    parts = urlsplit(tags.teacher)
    if not tags.teacher_model:
        raise ConfigError("tags.teacher_model is empty: say which of the server's models teaches")
    if parts.username or parts.password or not parts.hostname:
        raise ConfigError(
            f"tags.teacher must be an address such as http://127.0.0.1:8000/v1; a key belongs into {KEY_VARIABLE}"
        )
    options = {"temperature": 0, "max_new_tokens": tags.max_new_tokens, "picture": OPTIONS}
    where = f"{parts.netloc}{parts.path.rstrip('/')}"
    digest = hashlib.sha256(canonical_json([tags.teacher_model, where, options])).hexdigest()
    return Server(
        tags.teacher,
        tags.teacher_model,
        f"{tags.teacher_model}@{where}+{digest[:12]}",
        tags.max_new_tokens,
        max(tags.concurrency, 1),
        tags.timeout_s or 120.0,
        os.environ.get(KEY_VARIABLE, ""),
    )
