"""The state of a training between steps as one safetensors file, and the one before it.

A kill leaves the new file, or the old one. A file that was cut short or belongs to another training is told and left aside.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from jobs.lake import write_atomically

log = logging.getLogger("notemill")


class State(NamedTuple):
    """Tensors by name, and facts as plain data."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, without it."""
        return {
            name.removeprefix(prefix): value
            for name, value in self.tensors.items()
            if name.startswith(prefix)
        }


def save_state(path: Path, state: State) -> None:
    """Write the state; the one before it is kept beside it."""
    content = save(
        {name: value.contiguous() for name, value in state.tensors.items()},
        {"facts": json.dumps(state.facts)},
    )
    if path.exists():
        path.replace(earlier(path))
    write_atomically(path, content)


def load_state(path: Path, recipe: str) -> State | None:
    """The latest state of the training with this recipe that is whole; None where there is none."""
    for candidate in (path, earlier(path)):
        if not candidate.exists():
            continue
        found = _read(candidate)
        if found is not None and found.facts.get("recipe") == recipe:
            return found
        log.warning(
            "recommender: %s is %s, left aside", candidate, "of another training" if found else "cut short"
        )
    return None


def earlier(path: Path) -> Path:
    """Where the state before the last one is."""
    return path.with_name(f"{path.stem}.before{path.suffix}")


def _read(path: Path) -> State | None:
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return State({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError):
        return None
