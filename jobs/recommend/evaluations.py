"""Evaluations on the disk: what a recommender's figures were, for the gate, the page and people.

    <lake>/artifacts/recommender_evaluation/{recommender}-{fingerprint}/
        figures.json    the bars that the gate looks at, figures by arm, examples, the training curve
        manifest.json   the recommender, the day, and the hash of the file above; written last

The fingerprint is that of the plan under which the day's `recommender_metrics` were staged, so that figures which were not
published cannot be taken for those that were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError, write_atomically
from jobs.staging import file_hash
from schemas.recommend_tables import RECOMMENDER_METRICS

KIND = "recommender_evaluation"
FIGURES = "figures.json"


def evaluation_name(recommender: str, fingerprint: str) -> str:
    """The evaluation's name among the artifacts."""
    return f"{recommender}-{fingerprint[:16]}"


def write_evaluation(
    lake: Lake, recommender: str, day: str, fingerprint: str, facts: Mapping[str, Any]
) -> Path:
    """Write the figures, whole or not at all; an evaluation that is there is left as it is."""

    def fill(folder: Path) -> dict[str, Any]:
        text = json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_atomically(folder / FIGURES, text.encode())
        return {"recommender": recommender, "day": day, "fingerprint": fingerprint}

    return Artifacts(lake, KIND).write(evaluation_name(recommender, fingerprint), fill)


def published_evaluation(lake: Lake, day: str) -> dict[str, Any]:
    """The figures behind the day's published `recommender_metrics`.

    Raises `LakeError` where none are published, or where the file is not the one that its manifest names.
    """
    published = lake.manifest(RECOMMENDER_METRICS, day)
    recommender = published["artifacts"].get("recommender", "")
    if not recommender:
        raise LakeError(
            f"recommender_metrics ds={day} judge no recommender: run evaluate_recommender --day {day} again"
        )
    return read_evaluation(lake, evaluation_name(recommender, published["fingerprint"]))


def read_evaluation(lake: Lake, name: str) -> dict[str, Any]:
    """The figures of an evaluation. Raises `LakeError` where there is none, or its file is another than was written."""
    artifacts = Artifacts(lake, KIND)
    path = artifacts.folder(name) / FIGURES
    if not path.exists() or file_hash(path) != artifacts.manifest(name)["files"].get(FIGURES):
        raise LakeError(
            f"{path} is not the file that its manifest names: delete its folder and run evaluate_recommender"
        )
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
