"""Promotion by figures, by hand, and back: which recommender is current after it, and what the log says."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError, write_atomically
from jobs.publish_table import publish
from jobs.recommend.evaluations import write_evaluation
from jobs.recommend.promote_recommender import main
from jobs.recommend.promotions import current_recommender
from jobs.staging import Plan, stage_arrow
from schemas.recommend_tables import RECOMMENDER_METRICS
from tests.jobs.recommend.judged import ABOVE, facts

D1, D2 = "2026-01-05", "2026-01-06"
BELOW = {"value": -0.02, "low": -0.03, "high": -0.01}
pytestmark = pytest.mark.usefixtures("quick_publish")


@pytest.fixture
def two(lake: Lake) -> Lake:
    """A lake with two recommenders, of which nothing but their files is looked at."""
    for name in ("r0", "r1"):

        def fill(folder: Path, name: str = name) -> dict[str, Any]:
            write_atomically(folder / "model.safetensors", name.encode())
            return {"quantizer": "g1"}

        Artifacts(lake, "recommender").write(name, fill)
    return lake


def publish_figures(lake: Lake, day: str = D1, **other: Any) -> None:
    """Publish figures as `evaluate_recommender` would."""
    found = facts(**other)
    plan = Plan("test", day, artifacts={"recommender": found["recommender"]}, params={"salt": str(other)})
    rows = [{"recommender": found["recommender"], **figure} for figure in found["figures"]]
    write_evaluation(lake, found["recommender"], day, plan.fingerprint, found)
    stage_arrow(
        lake, RECOMMENDER_METRICS, plan, pa.Table.from_pylist(rows, schema=RECOMMENDER_METRICS.arrow_schema())
    )
    publish(lake, RECOMMENDER_METRICS, day)


def run(lake: Lake, *more: str, day: str = D1) -> str | None:
    """The recommender that is current after it."""
    file = lake.root.parent / "notemill.yaml"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\nsources: {{}}\n")
    main([f"--config={file}", f"--day={day}", *more])
    return current_recommender(lake, day)


def test_good_figures_promote_from_the_day_on_and_not_before_it(
    two: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    publish_figures(two)
    with caplog.at_level(logging.INFO, "notemill"):
        assert run(two) == "r1"
    assert "recommender r1: current since ds=2026-01-05 (before: none)" in caplog.text
    assert current_recommender(two, "2026-01-04") is None


@pytest.mark.parametrize("how", ["if-better", "true"])
def test_below_a_floor_none_is_promoted_and_the_log_says_why(
    two: Lake, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish_figures(two, deployed_less={"popularity": ABOVE, "markov_knn": BELOW})
    with caplog.at_level(logging.INFO, "notemill"):
        assert run(two, "--promote", how) is None
    assert (
        "r1 is not promoted, none is current yet: NDCG@10 of generative_mixed is below markov_knn"
        in caplog.text
    )


def test_worse_than_the_current_one_stays_out_unless_only_floors_are_asked(
    two: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    Artifacts(two, "recommender").promote("r0", D1)
    publish_figures(two, current={"recommender": "r0", "difference": BELOW})
    with caplog.at_level(logging.INFO, "notemill"):
        assert run(two) == "r0"
    assert "r1 is not promoted, r0 stays current: NDCG@10 is below that of the current r0" in caplog.text
    assert run(two, "--promote", "true") == "r1"


def test_a_current_one_that_cannot_be_compared_leaves_the_floors(
    two: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    Artifacts(two, "recommender").promote("r0", D1)
    publish_figures(two, current={"recommender": "r0", "why": "it speaks other codes"})
    with caplog.at_level(logging.INFO, "notemill"):
        assert run(two) == "r1"
    assert "only the floors are asked: it speaks other codes" in caplog.text


def test_figures_made_beside_another_current_one_are_refused(two: Lake) -> None:
    publish_figures(two)
    Artifacts(two, "recommender").promote("r0", D1)
    with pytest.raises(
        LakeError, match="r0 is current as of ds=2026-01-05, the figures were made beside none: run"
    ):
        run(two)


def test_asked_not_to_promote_it_does_not(two: Lake) -> None:
    publish_figures(two)
    assert run(two, "--promote", "false") is None


def test_the_current_one_is_not_promoted_again(two: Lake) -> None:
    publish_figures(two)
    assert (run(two), run(two)) == ("r1", "r1")
    assert len(Artifacts(two, "recommender").promotions()) == 1


def test_figures_of_another_recommender_promote_none(two: Lake) -> None:
    publish_figures(two)
    with pytest.raises(
        LakeError, match="recommender_metrics ds=2026-01-05 judge r1, not r0: run evaluate_recommender"
    ):
        run(two, "--generation", "r0")


def test_a_day_without_figures_says_what_is_missing(two: Lake) -> None:
    with pytest.raises(LakeError, match="table recommender_metrics has no published partition ds=2026-01-05"):
        run(two)


def test_by_hand_any_whole_generation_is_promoted_without_figures(two: Lake) -> None:
    assert run(two, "--generation", "r0", "--force") == "r0"
    with pytest.raises(LakeError, match="--force promotes a generation by its name"):
        run(two, "--force")
    with pytest.raises(LakeError, match="artifact recommender has no generation 'r9'"):
        run(two, "--generation", "r9", "--force")


def test_a_damaged_generation_is_promoted_neither_by_hand_nor_by_figures(two: Lake) -> None:
    publish_figures(two)
    (Artifacts(two, "recommender").folder("r1") / "model.safetensors").write_bytes(b"r")
    for more in (["--generation", "r1", "--force"], []):
        with pytest.raises(LakeError, match=r"model\.safetensors is not the file that its manifest names"):
            run(two, *more)
    assert current_recommender(two, D1) is None


def test_a_recommender_of_later_days_can_be_made_current_for_earlier_ones(two: Lake) -> None:
    assert run(two, "--generation", "r0", "--force", day=D2) == "r0"
    assert current_recommender(two, D1) is None
    assert run(two, "--generation", "r0", "--force", day=D1) == "r0"


def test_back_to_the_one_before_and_again_to_the_newer(two: Lake, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("r0", "r1"):
        run(two, "--generation", name, "--force")
    with caplog.at_level(logging.INFO, "notemill"):
        assert run(two, "--rollback", day=D2) == "r0"
    assert "recommender r0: current since ds=2026-01-06 (before: r1)" in caplog.text
    assert current_recommender(two, D1) == "r1"
    assert run(two, "--rollback", day=D2) == "r1"


def test_there_is_no_way_back_without_an_older_one(two: Lake) -> None:
    with pytest.raises(
        LakeError, match="no recommender to go back to: none is ever promoted for ds=2026-01-05"
    ):
        run(two, "--rollback")
    run(two, "--generation", "r0", "--force", day=D2)
    with pytest.raises(LakeError, match="none is ever promoted for ds=2026-01-05 or earlier"):
        run(two, "--rollback")
    with pytest.raises(LakeError, match="r0 is the only one"):
        run(two, "--rollback", day=D2)
    with pytest.raises(LakeError, match="it takes neither --generation nor --force"):
        run(two, "--rollback", "--force")
