"""A recommender trained in seconds on notes that users act on in a ring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.config import Config
from jobs.lake import Lake
from jobs.recommend.recommender import KIND, Recommender
from jobs.recommend.train_recommender import run
from models.ids.text import codes_to_text
from models.ids.trie_build import build
from models.ids.trie_torch import on_device
from models.recommend import networks
from models.recommend.decoding import beam_search
from tests.jobs.lakes import tree
from tests.jobs.recommend.taught import (
    CODES,
    DAY,
    NOTES,
    PROFILES,
    configured,
    make_quantizer,
    publish_taught,
    rings,
    rows_of,
    semantic_id,
)

TIMES = ("seconds", "clock")  # measured, so not the same twice
SMALL = networks.Config(hidden=32, layers=2, heads=2, head_width=16, feed_forward=64)


def small_and_quick(patch: pytest.MonkeyPatch) -> None:
    """Small networks, and publishing without checks."""
    patch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
    patch.setattr(networks, "CAUSAL", SMALL)
    patch.setattr(networks, "TIGER", SMALL)


def taught_lake(folder: Path, mixed: bool = False) -> Lake:
    lake = Lake.open(folder / "lake")
    make_quantizer(lake)
    publish_taught(lake, rows_of(rings(24, 9), mixed=mixed))
    return lake


def trained_once(folder: Path) -> tuple[Config, str]:
    """A lake with a trained recommender. A ring is all order, so nothing is learned in another one."""
    with pytest.MonkeyPatch.context() as patch:
        small_and_quick(patch)
        config = configured(taught_lake(folder), epochs=30, learning_rate=0.005, noise=False)
        return config, run(config, DAY)


def best_ids(recommender: Recommender, histories: list[list[str]]) -> list[str]:
    """The best ID inside the catalogue after each history of notes."""
    prompt = recommender.prompt(
        [[semantic_id(n) for n in notes] for notes in histories], [PROFILES[0]] * len(histories)
    )
    ids = np.array(list(NOTES.values()), dtype=np.int32)
    trie = on_device(build(ids, np.zeros(len(ids), dtype=np.int64), [CODES] * 3).trie)
    found = beam_search(recommender.decoder, prompt, trie, num_beams=3)
    return [codes_to_text(codes[0].tolist()) for codes in found.code_QBL]


def files_of(lake: Lake, generation: str) -> dict[str, Any]:
    """Every file of an artifact but what was measured."""
    found: dict[str, Any] = dict(tree(Artifacts(lake, KIND).folder(generation)))
    manifest = json.loads(found.pop("manifest.json"))
    kept = {name: value for name, value in manifest.items() if name not in (*TIMES, "files")}
    return {**found, "facts": kept, "files": manifest["files"]}
