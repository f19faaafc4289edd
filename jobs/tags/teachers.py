"""The teacher that the configuration names."""

from __future__ import annotations

from jobs.config import Config, ConfigError
from jobs.tags.asking import Teacher


def find_teacher(config: Config) -> Teacher | None:
    """The teacher, or None where `tags.teacher` is empty. Raises `ConfigError` where it cannot be had."""
    if not config.tags.teacher:
        return None
    raise ConfigError(f"tags.teacher is {config.tags.teacher!r}: no teacher can be loaded yet")
