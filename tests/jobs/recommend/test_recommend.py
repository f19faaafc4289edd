"""Who is recommended what, by whom, and what is refused: on a tiny lake whose users follow a ring.

A run costs seconds, so that two of them are shared: of a day with a recommender, and of one before it was promoted.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.recommend.recommend import main
from schemas.recommend_tables import RECOMMENDATIONS
from schemas.tables import NOTE_EMBEDDINGS
from tests.jobs.recommend.served import (
    D1,
    D2,
    IDS_2,
    config_file,
    generation_of,
    lists_of,
    publish_events,
    publish_ids,
)

D3 = "2026-06-01"


def run(lake: Lake, day: str, **settings: Any) -> None:
    main([f"--config={config_file(lake, **settings)}", f"--day={day}"])


def promote(lake: Lake, since: str = D1) -> None:
    Artifacts(lake, "recommender").promote(generation_of(lake), since)


def copied(template: Path, home: Path) -> Lake:
    shutil.copytree(template, home / "world")
    return Lake.open(home / "world" / "lake")


def rows(lake: Lake, day: str, user_id: str) -> list[dict[str, Any]]:
    found = pq.read_table(lake.files(RECOMMENDATIONS, day)).to_pylist()
    return sorted((row for row in found if row["user_id"] == user_id), key=lambda row: row["rank"])


@pytest.fixture(scope="module")
def spoken(world_template: Path, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Lake:
    """The second day with a recommender, published with all checks."""
    lake = copied(world_template, tmp_path_factory.mktemp("spoken"))
    promote(lake)
    run(lake, D2)
    publish(lake, RECOMMENDATIONS, D2)
    return lake


@pytest.fixture(scope="module")
def unspoken(world_template: Path, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Lake:
    """The first day, when the recommender was promoted for the second."""
    lake = copied(world_template, tmp_path_factory.mktemp("unspoken"))
    promote(lake, D2)
    run(lake, D1)
    publish(lake, RECOMMENDATIONS, D1)
    return lake


def test_what_comes_next_in_the_ring_is_first(spoken: Lake) -> None:
    found = lists_of(spoken, D2)
    assert set(found) == {"u1", "u3", "u5", "u6"}  # u2 was shown a note and did nothing with it
    assert found["u1"][0] == ("n03", "generative")
    assert found["u5"][0] == found["u6"][0] == ("n09", "generative")


def test_every_list_is_as_long_as_asked_and_without_notes_of_the_history(spoken: Lake) -> None:
    found = {user: [note_id for note_id, _ in notes] for user, notes in lists_of(spoken, D2).items()}
    assert {len(set(notes)) for notes in found.values()} == {4}
    assert not {"n01", "n02"} & set(found["u1"])
    assert not {"n07", "n08"} & set(found["u5"])


def test_rows_say_what_they_were_made_from(spoken: Lake) -> None:
    first = rows(spoken, D2, "u1")[0]
    # Clicking and then liking n02 is one step.
    assert (first["num_history"], first["recommender"]) == (2, generation_of(spoken))
    assert first["semantic_id"] == "<a_0><b_3><c_1>"
    scores = [row["score"] for row in rows(spoken, D2, "u1")]
    assert scores == sorted(scores, reverse=True)
    assert [round(score, 5) for score in scores] == scores


def test_who_acted_on_withdrawn_notes_alone_gets_what_most_users_acted_on(spoken: Lake) -> None:
    found = [
        (row["note_id"], row["score"], row["source"], row["num_history"]) for row in rows(spoken, D2, "u3")
    ]
    # Two users acted on n08, one each on n01, n02 and n07.
    assert found == [
        (n, s, "popular", 0) for n, s in (("n08", 2.0), ("n01", 1.0), ("n02", 1.0), ("n07", 1.0))
    ]


def test_users_are_counted_by_what_their_lists_begin_with(spoken: Lake) -> None:
    counts = spoken.manifest(RECOMMENDATIONS, D2)["counts"]
    assert counts == {
        "num_active_users": 4,
        "num_withdrawn": 1,
        "num_generative": 3,
        "num_neighbours": 0,
        "num_popular": 1,
        "num_top": 4,
        "num_masked": 5,
    }


def test_the_same_rows_come_out_however_spark_cuts_them(
    spoken: Lake, spark: SparkSession, quick_publish: None, tmp_path: Path
) -> None:
    other = copied(spoken.root.parent, tmp_path)
    shutil.rmtree(other.place("tables", RECOMMENDATIONS, D2))
    keys = {"spark.sql.shuffle.partitions": "7", "spark.sql.execution.arrow.maxRecordsPerBatch": "1"}
    before = {key: spark.conf.get(key) for key in keys}
    try:
        for key, value in keys.items():
            spark.conf.set(key, value)
        run(other, D2)
    finally:
        for key, old in before.items():
            spark.conf.set(key, str(old))
    publish(other, RECOMMENDATIONS, D2)
    one, two = (Path(lake.files(RECOMMENDATIONS, D2)[0]) for lake in (spoken, other))
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())


def test_a_rerun_from_the_same_inputs_computes_nothing(spoken: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.recommend.recommend.stage", lambda *_: pytest.fail("it was computed again"))
    run(spoken, D2)
    assert publish(spoken, RECOMMENDATIONS, D2)["rows"] == 16


def test_before_any_promotion_the_neighbours_of_the_history_stand_in(unspoken: Lake) -> None:
    found = [(row["note_id"], row["score"], row["source"]) for row in rows(unspoken, D1, "u1")]
    # n03 after n02: 0.5, and after n01, one step earlier: 0.5 * 0.8. n01 and n02 were seen; n00 has one user.
    assert found == [
        ("n03", 0.9, "neighbours"),
        ("n00", 1.0, "popular"),
        ("n04", 0.0, "popular"),
        ("n05", 0.0, "popular"),
    ]
    assert {row["recommender"] for row in rows(unspoken, D1, "u1")} == {""}


def test_a_history_without_neighbours_is_filled_up_by_popular_notes(unspoken: Lake) -> None:
    assert lists_of(unspoken, D1)["u3"] == [(n, "popular") for n in ("n01", "n02", "n03", "n04")]
    counts = unspoken.manifest(RECOMMENDATIONS, D1)["counts"]
    assert [counts[f"num_{name}"] for name in ("generative", "neighbours", "popular")] == [0, 1, 1]


def test_a_day_after_a_month_of_silence_is_published_empty(
    world: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(world)
    with monkeypatch.context() as quick:
        quick.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
        publish_ids(world, D3, IDS_2)
        publish_events(world, D3, [("u1", "n01", "impression", f"{D3} 10:00:00")])
        run(world, D3)
        record = publish(world, RECOMMENDATIONS, D3)
    assert (record["rows"], record["counts"]["num_active_users"]) == (0, 0)
    assert json.loads(json.dumps(record["counts"]))["num_generative"] == 0


def test_with_a_share_of_content_lists_are_of_the_days_embeddings_too(
    world: Lake, spark: SparkSession, quick_publish: None
) -> None:
    promote(world)
    run(world, D2, content=0.2)
    publish(world, RECOMMENDATIONS, D2)
    manifest = world.manifest(RECOMMENDATIONS, D2)
    assert manifest["reads"][f"note_embeddings/ds={D2}"] == world.partition(NOTE_EMBEDDINGS, D2)
    assert len(Artifacts(world, "content_neighbours").generations()) == 1
    assert lists_of(world, D2)["u5"][0] == ("n09", "generative")
    shutil.rmtree(world.place("manifests", NOTE_EMBEDDINGS, D2))
    shutil.rmtree(world.place("tables", NOTE_EMBEDDINGS, D2))
    with pytest.raises(LakeError, match=r"note_embeddings ds=2026-03-02 are not published, .*recommend\.content: 0"):
        run(world, D2, content=0.2)
