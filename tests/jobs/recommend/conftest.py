"""What the tests of the recommender share with those of other models, and with each other."""

import pytest

from jobs.config import Config
from tests.jobs.model_fixtures import lake, quick_publish, torch_settings

__all__ = ["lake", "quick_publish", "torch_settings", "trained"]


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """A lake with a trained recommender that tests only look at."""
    from tests.jobs.recommend.trained import trained_once

    return trained_once(tmp_path_factory.mktemp("trained"))
