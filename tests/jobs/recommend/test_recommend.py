"""Who is recommended what, by whom, and what is refused: on a tiny lake whose users follow a ring."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.recommend.recommend import main
from schemas.recommend_tables import RECOMMENDATIONS
from tests.jobs.recommend.served import D1, D2, config_file, generation_of, lists_of

pytestmark = pytest.mark.usefixtures("spark", "quick_publish")


def run(lake: Lake, day: str, **settings: Any) -> dict[str, list[tuple[str, str]]]:
    main([f"--config={config_file(lake, **settings)}", f"--day={day}"])
    publish(lake, RECOMMENDATIONS, day)
    return lists_of(lake, day)


def promote(lake: Lake, since: str = D1) -> None:
    Artifacts(lake, "recommender").promote(generation_of(lake), since)


def test_the_note_that_comes_next_in_the_ring_is_first(world: Lake) -> None:
    promote(world)
    found = run(world, D2)
    assert found["u1"][0] == ("n03", "generative")
    assert found["u5"][0] == ("n09", "generative")
