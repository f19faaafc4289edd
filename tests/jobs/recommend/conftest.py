"""What the tests of the recommender share with those of other models, and with each other: recommenders trained once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.config import Config
from jobs.lake import Lake
from tests.jobs.model_fixtures import lake, quick_publish, torch_settings
from tests.jobs.recommend.served import make_world

__all__ = ["lake", "quick_publish", "torch_settings", "trained", "world", "world_template"]


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """A lake with a trained recommender that tests only look at."""
    from tests.jobs.recommend.trained import trained_once

    return trained_once(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def world_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two days to recommend in, with a recommender of the first: its tests change copies."""
    home = tmp_path_factory.mktemp("served")
    make_world(home)
    return home


@pytest.fixture
def world(world_template: Path, tmp_path: Path) -> Lake:
    """A copy of it."""
    shutil.copytree(world_template, tmp_path / "world")
    return Lake.open(tmp_path / "world" / "lake")
