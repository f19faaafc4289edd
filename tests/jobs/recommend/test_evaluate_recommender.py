"""The evaluation of a recommender: figures, page and bars of the gate, on a tiny lake whose users follow a ring."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.recommend import evaluate_recommender
from jobs.recommend.evaluations import published_evaluation
from schemas.recommend_tables import RECOMMENDER_METRICS
from tests.jobs.recommend.served import D1, config_file, generation_of


def run(lake: Lake, *more: str, day: str = D1, **settings: Any) -> None:
    evaluate_recommender.main([f"--config={config_file(lake, **settings)}", f"--day={day}", *more])


def figures(lake: Lake) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    rows = pq.read_table(lake.files(RECOMMENDER_METRICS, D1)).to_pylist()
    return {(row["arm"], row["slice"], row["metric"], row["k"]): row for row in rows}


def test_all(world: Lake) -> None:
    run(world)
    publish(world, RECOMMENDER_METRICS, D1)
    facts = published_evaluation(world, D1)
    print({k: v for k, v in facts.items() if k not in ("figures", "examples", "curve")})
    print(facts["examples"][0])
    for key, row in figures(world).items():
        if key[1] == "all" and key[3] in (1, 10, 9):
            print(key, row["value"], row["low"], row["high"], row["num_cases"])
    assert 0
