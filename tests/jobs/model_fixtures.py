"""Fixtures for jobs that train or run models: a lake, publishing without checks, and torch's settings put back after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from jobs.audit import Audit
from jobs.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def quick_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish without the checks, which cost seconds and are proven elsewhere and in the whole chain's test here."""
    monkeypatch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
