"""Codes that no note has are moved to the nearest note; a list's valid codes stay where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.ids.quantizer import IDS_SCHEMA, save_quantizer
from jobs.lake import Lake
from jobs.recommend.grounded import grounded
from jobs.recommend.search import Leaves
from models.ids.residual_codes import ResidualTokenizer
from models.ids.trie import Trie
from models.ids.trie_build import build

# Code c of level 0 stands for 10 c, of level 1 for c: the ID (1, 2) for 12.
BOOKS_LKD = np.array([[[0.0], [10.0], [20.0], [30.0]], [[0.0], [1.0], [2.0], [3.0]]], dtype=np.float32)
MINUS_INFINITY = float("-inf")


@pytest.fixture
def tens(lake: Lake) -> Lake:
    def fill(folder: Path) -> dict[str, Any]:
        save_quantizer(
            folder, "residual_kmeans", ResidualTokenizer(BOOKS_LKD), None, IDS_SCHEMA.empty_table(), ""
        )
        return {"settings": {"codes": 4, "levels": 2}}

    Artifacts(lake, "quantizer").write("g1", fill)
    return lake


def trie_of(*ids: tuple[int, ...]) -> Trie:
    codes_NL = np.array(ids, dtype=np.int32)
    return build(codes_NL, np.zeros(len(ids), dtype=np.int64), [4] * codes_NL.shape[1]).trie


def beams(
    *codes: tuple[int, ...], leaves: tuple[int, ...], scores: tuple[float, ...] | None = None
) -> Leaves:
    return Leaves(
        np.array([leaves]),
        np.array([scores or [-1.0] * len(leaves)], dtype=np.float32),
        np.array([codes], dtype=np.int64),
    )


def test_an_id_that_no_note_has_becomes_the_nearest_one(tens: Lake) -> None:
    trie = trie_of((0, 1), (1, 2), (3, 3))  # 1, 12 and 33
    free = beams((3, 3), (1, 0), (2, 3), leaves=(2, -1, -1))  # 33, then 10 and 23
    found = grounded(tens, "g1", trie, free, depth=3)
    assert found is not None
    assert found.leaf_QB.tolist() == [[2, 1, 2]]
    assert found.codes_QBL.tolist() == [[[3, 3], [1, 2], [3, 3]]]
    assert free.leaf_QB.tolist() == [[2, -1, -1]]


def test_only_the_first_beams_are_kept_and_what_is_no_beam_stays_none(tens: Lake) -> None:
    trie = trie_of((0, 1), (1, 2))
    free = beams((0, 0), (0, 0), (0, 0), leaves=(-1, -1, -1), scores=(-1.0, MINUS_INFINITY, -1.0))
    found = grounded(tens, "g1", trie, free, depth=2)
    assert found is not None
    assert found.leaf_QB.tolist() == [[0, -1]]


def test_a_code_that_only_tells_equal_ids_apart_says_nothing(tens: Lake) -> None:
    trie = trie_of((0, 1, 0), (1, 2, 0))
    found = grounded(tens, "g1", trie, beams((1, 1, 3), leaves=(-1,)), depth=1)
    assert found is not None
    assert found.leaf_QB.tolist() == [[1]]


def test_without_the_quantizer_the_arm_is_left_out(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "notemill"):
        assert grounded(lake, "g1", trie_of((0, 1)), beams((1, 1), leaves=(-1,)), depth=1) is None
    assert "free_grounded   left out: quantizer g1" in caplog.text
