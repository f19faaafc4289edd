"""Training end to end on a tiny lake."""

from __future__ import annotations

import pytest

from jobs.lake import Lake
from jobs.recommend.recommender import load_recommender
from jobs.recommend.train_recommender import run
from tests.jobs.recommend.taught import DAY, PROFILES, configured, make_quantizer, publish_taught, rings, rows_of, semantic_id

pytestmark = pytest.mark.usefixtures("quick_publish")


@pytest.fixture
def taught(lake: Lake) -> Lake:
    make_quantizer(lake)
    publish_taught(lake, rows_of(rings(24, 9)))
    return lake


def test_a(taught: Lake) -> None:
    generation = run(configured(taught, epochs=30), DAY)
    recommender = load_recommender(taught, generation)
    print(recommender.manifest)
    t, m = recommender.prompt_rows([[semantic_id("n01")], []], list(PROFILES))
    print(t, m)
