"""What the tests of the recommender share with those of other models."""

from tests.jobs.model_fixtures import lake, quick_publish, torch_settings

__all__ = ["lake", "quick_publish", "torch_settings"]
