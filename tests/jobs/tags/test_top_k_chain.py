"""From a local teacher's answers to what a student learns from them: the best tokens are stored, found and used."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from safetensors.numpy import load_file

from jobs.artifact import Artifacts
from jobs.config import load_config
from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.tags import distill_tagger, extract_tags
from schemas.tag_tables import TEACHER_TAGS
from tests.jobs.lakes import note, publish_notes, tree
from tests.jobs.tags.tiny_models import reciting_llama

DAY = "2026-01-05"
PARTS = (
    '{"text": ["tent"], "picture": "", "dimensions": ["kind"], ',
    '"values": [{"dimension": "kind", "value": "tent", "evidence": "tent"}], ',
    '"tags": ["kind: tent"]}',
)
BEST, SECOND = 8.0, 5.0  # scores of the token that is said and of the next best; all others have 0


def deployed(home: Path) -> Lake:
    """Sixty notes and a teacher that says the same of each."""
    reciting_llama(home / "teacher", PARTS, BEST, SECOND)
    tags = {
        "teacher": "teacher",
        "use_handbook": False,
        "use_pictures": False,
        "teacher_top_k": 2,
        "max_new_tokens": 16,
        "distill_steps": 1,
        "rationale_weight": 100.0,  # so that chains are nearly all that is learned
    }
    (home / "config.yaml").write_text(f"lake: lake\ntimezone: UTC\nsources: {{}}\ntags: {json.dumps(tags)}\n")
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(lake, DAY, [note(f"n{i}", f"A tent for {i}") for i in range(60)])
    extract_tags.main(["--config", str(home / "config.yaml"), "--day", DAY])
    counts = publish(lake, TEACHER_TAGS, DAY)["counts"]
    assert (counts["num_ok"], counts["num_asked"]) == (60, 60)
    return lake


@pytest.mark.usefixtures("quick_publish")
def test_the_teachers_best_tokens_are_stored_with_its_answers_and_the_student_learns_from_them(
    spark: SparkSession, tmp_path: Path
) -> None:
    homes = [tmp_path / name for name in ("first", "again")]
    for home in homes:
        home.mkdir()
    lake = deployed(homes[0])
    shards = tree(lake.root / "teacher_top_k")
    tensors = {name: t for path in shards for name, t in load_file(lake.root / "teacher_top_k" / path).items()}
    assert len(tensors) == 3 * 60
    filed = {path.stem for path in (lake.root / "answers").rglob("*.json")}
    assert {name.partition(".")[0] for name in tensors} == filed
    # By hand: four tokens, the last the end of the reply, each with the same two probabilities.
    num_words = json.loads((homes[0] / "teacher" / "config.json").read_text())["vocab_size"]
    whole = math.exp(BEST) + math.exp(SECOND) + num_words - 2
    best, second = BEST - math.log(whole), SECOND - math.log(whole)
    answer = min(filed)
    assert tensors[f"{answer}.tokens"].tolist() == [num_words - 3, num_words - 2, num_words - 1, 2]
    assert tensors[f"{answer}.ids"].tolist() == [[t, 0] for t in tensors[f"{answer}.tokens"].tolist()]
    assert tensors[f"{answer}.logprobs"].astype(float).tolist() == [pytest.approx([best, second], abs=2e-3)] * 4
    # The first step's student knows nothing yet: all its words are about as likely.
    distill_tagger.main([f"--config={homes[0] / 'config.yaml'}", f"--day={DAY}", "--promote=false"])
    artifacts = Artifacts(lake, "tagger")
    (generation,) = artifacts.generations()
    facts = artifacts.manifest(generation)
    assert (facts["num_top_k"], facts["depends_on"]["top_k"].keys()) == (facts["num_training"], shards.keys())
    folder = artifacts.folder(generation)
    know = json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]
    p, q = math.exp(best), math.exp(second)
    rest = 1 - p - q
    apart = p * (best + math.log(know)) + q * (second + math.log(know)) + rest * math.log(rest / (1 - 2 / know))
    (point,) = json.loads((folder / "curve.json").read_text())
    assert point["divergence"] == pytest.approx(apart, abs=0.3)
    assert 4 < apart < 6
    assert tree(deployed(homes[1]).root / "teacher_top_k") == shards
