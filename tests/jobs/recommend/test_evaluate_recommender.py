"""The evaluation of a recommender: figures, page and what the gate is told, on a tiny lake whose users follow a ring."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.recommend import evaluate_recommender
from jobs.recommend.evaluations import published_evaluation
from models.recommend.ranking import KS
from schemas.recommend_tables import ARMS, RECOMMENDER_METRICS
from tests.jobs.lakes import note, publish_notes
from tests.jobs.recommend.served import D1, config_file, generation_of, make_recommender
from tests.jobs.recommend.taught import NOTES

Figures = dict[tuple[str, str, str, int], dict[str, Any]]
HOSTILE = "<script>alert(1)</script>"


def run(lake: Lake, *more: str, **settings: Any) -> None:
    chosen = {"content": 0.2, **settings}
    evaluate_recommender.main([f"--config={config_file(lake, **chosen)}", f"--day={D1}", *more])


def page(lake: Lake) -> Path:
    return lake.root / "pages" / "recommender_metrics_v1" / f"ds={D1}.html"


@pytest.fixture(scope="module")
def judged(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The first day's recommender beside a current one, published with all checks; a note's title is hostile."""
    home = tmp_path_factory.mktemp("judged")
    shutil.copytree(world_template, home / "world")
    lake = Lake.open(home / "world" / "lake")
    make_recommender(lake, "r0")
    Artifacts(lake, "recommender").promote("r0", D1)
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
        titles = {name: HOSTILE if name == "n03" else f"Title of {name}" for name in NOTES}
        publish_notes(
            lake, D1, [note(n, title, category=[f"c{n[1]}"]) for n, title in titles.items()], "hostile"
        )
    run(lake, "--generation", generation_of(lake))
    publish(lake, RECOMMENDER_METRICS, D1)
    return lake


@pytest.fixture(scope="module")
def figures(judged: Lake) -> Figures:
    rows = pq.read_table(judged.files(RECOMMENDER_METRICS, D1)).to_pylist()
    return {(row["arm"], row["slice"], row["metric"], row["k"]): row for row in rows}


def test_every_arm_has_hit_rate_and_ndcg_at_every_length(figures: Figures) -> None:
    wanted = {(arm, "all", metric, k) for arm in ARMS for metric in ("hr", "ndcg") for k in KS}
    assert wanted <= set(figures)
    assert {row["num_cases"] for key, row in figures.items() if key[1] == "all"} == {24}


def test_whoever_follows_the_ring_finds_every_next_note_and_popularity_one_of_seven(figures: Figures) -> None:
    for arm in ("generative", "generative_mixed", "markov_knn", "counts_content", "sasrec"):
        assert figures[arm, "all", "hr", 1]["value"] == 1, arm
    # All twelve notes are as popular; of the seven that are not in the history any may be first.
    assert figures["popularity", "all", "hr", 1]["value"] == pytest.approx(1 / 7)
    assert figures["popularity", "all", "hr", 5]["value"] == pytest.approx(5 / 7)


def test_constrained_beams_hold_ids_of_the_catalogue_alone_and_free_ones_others_too(figures: Figures) -> None:
    shares = {key[0]: row["value"] for key, row in figures.items() if key[2] == "valid_ids"}
    assert shares["generative"] == shares["generative_mixed"] == 1
    assert 0 < shares["free"] < 1
    assert shares["free_grounded"] == 1


def test_hits_by_id_are_told_of_ways_to_decode_and_equal_where_no_id_is_shared(figures: Figures) -> None:
    by_id = {key[0] for key in figures if key[2] == "hr_of_ids"}
    assert by_id == {"generative", "generative_mixed", "free", "free_grounded"}
    assert (
        figures["generative", "all", "hr_of_ids", 1]["value"]
        == figures["generative", "all", "hr", 1]["value"]
    )


def test_parts_are_told_beside_the_whole(figures: Figures) -> None:
    parts = {key[1] for key in figures}
    assert {"all", "warm", "category: c0", "category: c1"} <= parts
    ten, two = (figures["popularity", f"category: c{part}", "hr", 1]["num_cases"] for part in (0, 1))
    assert (ten, two) == (20, 4)  # n00 to n09, and n10 and n11: each is the answer of two users


def test_the_gate_is_told_paired_differences_and_the_current_one(judged: Lake) -> None:
    facts = published_evaluation(judged, D1)
    assert (facts["recommender"], facts["deployed"], facts["valid_ids"]) == (
        generation_of(judged),
        "generative_mixed",
        1,
    )
    assert facts["deployed_less"]["markov_knn"] == {"value": 0, "low": 0, "high": 0}
    assert facts["deployed_less"]["popularity"]["value"] == pytest.approx(1 - _mean_discount(7))
    assert facts["current"] == {"recommender": "r0", "difference": {"value": 0, "low": 0, "high": 0}}
    assert facts["remarks"] == []


def _mean_discount(places: int) -> float:
    """NDCG of an answer that may stand at any of the first places."""
    return float((1 / np.log2(np.arange(places) + 2)).mean())


def test_examples_show_titles_and_where_the_answer_stood(judged: Lake) -> None:
    first = published_evaluation(judged, D1)["examples"][0]
    assert len(first["history"]) == 5
    assert first["recommended"][0] == {"title": first["answer"], "is_answer": True}
    assert first["rank"] == 1


def test_the_page_is_one_file_without_scripts_and_titles_are_text(judged: Lake) -> None:
    text = page(judged).read_text()
    assert "default-src 'none'" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script" not in text
    assert not {"http://", "https://", "url(", "@import"} & set(text.split("'")), "something is fetched"
    for words in ("NDCG@10", "Was the answer seen in training?", "Loss by epoch", "What came next"):
        assert words in text
    assert json.loads(page(judged).with_suffix(".json").read_bytes()) == published_evaluation(judged, D1)


def test_a_rerun_judges_nothing_and_puts_a_lost_page_back(
    judged: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "jobs.recommend.judging_day.judged_day", lambda *_: pytest.fail("it was judged again")
    )
    before = page(judged).read_bytes()
    page(judged).unlink()
    run(judged, "--generation", generation_of(judged))
    assert page(judged).read_bytes() == before


def test_figures_that_were_changed_by_hand_are_refused(judged: Lake) -> None:
    (path,) = (judged.root / "artifacts" / "recommender_evaluation").glob("*/figures.json")
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"valid_ids": 1.0', b'"valid_ids": 2.0'))
    try:
        with pytest.raises(LakeError, match=r"figures\.json is not the file that its manifest names"):
            published_evaluation(judged, D1)
    finally:
        path.write_bytes(content)


def test_a_current_one_of_other_codes_is_not_judged_and_the_reason_is_kept(world: Lake) -> None:
    make_recommender(world, "r0", quantizer="g0")
    Artifacts(world, "recommender").promote("r0", D1)
    run(world, "--generation", generation_of(world), guidance=1)
    (path,) = (world.root / "artifacts" / "recommender_evaluation").glob("*/figures.json")
    facts = json.loads(path.read_bytes())
    assert facts["deployed"] == "generative"  # the model alone
    assert "r0 speaks codes of quantizer g0, this one of g1" in facts["current"]["why"]
    assert facts["remarks"] == [facts["current"]["why"]]


def test_a_damaged_current_one_does_not_stand_in_the_way(world: Lake) -> None:
    make_recommender(world, "r0")
    Artifacts(world, "recommender").promote("r0", D1)
    (Artifacts(world, "recommender").folder("r0") / "model.safetensors").write_bytes(b"r")
    run(world, "--generation", generation_of(world))
    (path,) = (world.root / "artifacts" / "recommender_evaluation").glob("*/figures.json")
    why = json.loads(path.read_bytes())["current"]["why"]
    assert why.startswith("the current recommender r0 cannot be judged: ")
    assert "model.safetensors is not the file" in why


def test_validation_answers_are_told_and_nothing_is_staged(
    world: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "notemill"):
        run(world, "--part", "valid")
    assert "generative       hr@1 1.0000 (1.0000 to 1.0000)" in caplog.text
    assert not world.place("staging", RECOMMENDER_METRICS, D1).exists()


def test_the_recommender_of_the_day_is_found_and_another_is_named(world: Lake) -> None:
    config = load_config(config_file(world))
    found = evaluate_recommender.judged_generation(world, D1, config, "")
    assert found == generation_of(world)
    make_recommender(world, "r0")
    assert evaluate_recommender.judged_generation(world, D1, config, "r0") == "r0"
    with pytest.raises(LakeError, match="artifact recommender has no generation 'r9'"):
        evaluate_recommender.judged_generation(world, D1, config, "r9")


def test_a_day_that_nothing_was_trained_on_says_what_to_run(world: Lake) -> None:
    shutil.rmtree(Artifacts(world, "recommender").room)
    with pytest.raises(
        LakeError, match=r"no recommender was trained from recommend_instructions ds=2026-03-01 .*train_rec"
    ):
        run(world)


def test_weights_cut_short_are_refused(world: Lake) -> None:
    path = Artifacts(world, "recommender").folder(generation_of(world)) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LakeError, match=r"model\.safetensors is not the file that its manifest names"):
        run(world)
    assert not world.place("staging", RECOMMENDER_METRICS, D1).exists()


def test_a_recommender_of_other_codes_is_refused(world: Lake) -> None:
    make_recommender(world, "r0", quantizer="g0")
    with pytest.raises(LakeError, match="wrong vocabulary: the decoder speaks codes of quantizer g0"):
        run(world, "--generation", "r0")
