"""A training in this process, or in several that Spark's TorchDistributor starts."""

from __future__ import annotations

from pathlib import Path

from jobs.recommend import training_process


def learn_in_processes(room: Path, processes: int) -> None:
    """Train what the room holds."""
    if processes == 1:
        training_process.learn(room)
        return
    raise NotImplementedError
