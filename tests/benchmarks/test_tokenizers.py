"""What the tokenizer table says, on a set of six items worked by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.tokenizer_data import Items, alignment, bits, gini, load, published, share_without_own
from benchmarks.tokenizers import BEST, CONTROL, PUBLISHED, bars, controls, new_shared

# Two users: 0 reads a b c a, 1 reads c d; items e and f are read by nobody.
EVENTS = [(0, 0, "a"), (0, 1, "b"), (0, 2, "c"), (0, 3, "a"), (1, 0, "c"), (1, 1, "d")]
SPLITS = ["train", "train", "valid", "test", "train", "train"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as `--source` names it, with vectors in the cache."""
    items = [
        {"item_id": name, "title": name, "categories": [["Root", "X" if name in "abc" else "Y, Z", name]]}
        for name in "abcdef"
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(json.dumps(item) for item in items))
    frame = pd.DataFrame(EVENTS, columns=["user_id", "pos", "item_id"]).assign(split=SPLITS)
    frame.to_parquet(tmp_path / "interactions.parquet")
    (tmp_path / "published_sids").mkdir()
    index = {name: ["<a_1>", f"<b_{at}>"] for at, name in enumerate("abcdef")}
    (tmp_path / "published_sids" / "theirs.json").write_text(json.dumps(index))
    return tmp_path


@pytest.fixture
def items(source: Path, monkeypatch: pytest.MonkeyPatch) -> Items:
    vectors = np.eye(6, dtype=np.float32)
    vectors[5] = vectors[4]
    monkeypatch.setattr("benchmarks.tokenizer_data._vectors", lambda texts, cache, encoder: vectors)
    return load(source, source, "minilm")


CODES = np.array([[0, 0], [0, 0], [0, 1], [1, 0], [1, 1], [1, 1]], dtype=np.int32)


def test_pairs_are_consecutive_and_belong_to_the_split_of_the_second(items: Items) -> None:
    assert {split: pairs.tolist() for split, pairs in items.pairs.items()} == {
        "train": [[0, 1], [2, 3]],
        "valid": [[1, 2]],
        "test": [[2, 0]],
    }
    assert sorted(items.history_M2.tolist()) == [[0, 0], [0, 1], [1, 2], [1, 3]]
    assert items.content_N[4] == items.content_N[5]


def test_alignment_by_hand_beside_chance(items: Items) -> None:
    # In train each of a, b, c, d is read once: three of four have first code 0.
    assert alignment(items, CODES, 1) == {"train": 0.5, "valid": 1.0, "test": 1.0, "chance": 10 / 16}
    assert alignment(items, CODES, 2) == {"train": 0.5, "valid": 0.0, "test": 0.0, "chance": 6 / 16}


def test_bits_gini_and_the_share_of_single_contents_that_share_an_id(items: Items) -> None:
    assert bits(CODES)[0] == 1.0
    assert sum(bits(CODES)) == pytest.approx(2 * (1 / 3 * np.log2(3)) + 2 * (1 / 6 * np.log2(6)))
    assert gini(np.array([0, 1, 2, 3]), 4) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 0]), 4) == pytest.approx(0.75)
    assert share_without_own(CODES, items.content_N) == 0.5  # a and b, of a b c d; e and f are copies


def test_published_indexes_are_read_and_controls_stand_beside_each_other(items: Items, source: Path) -> None:
    assert published(source, items)["theirs"].tolist() == [[1, at] for at in range(6)]
    assert [row["tokenizer"] for row in controls(items)] == [CONTROL, f"{CONTROL}, cut at every comma"]


def test_a_new_item_shares_where_its_code_is_taken(items: Items) -> None:
    big = items._replace(
        ids=list(range(20)),
        x_ND=np.arange(20, dtype=np.float32)[:, None] + 1,
        content_N=np.arange(20),
        paths=[("X",)] * 20,
    )

    def run(part: Items, levels: int, seed: int) -> Any:
        return np.arange(len(part.ids), dtype=np.int32)[:, None], lambda x_ND: np.array(
            [[0], [99]], dtype=np.int32
        )

    assert new_shared(big, 1, run, 7) == 50.0


def row(name: str, **more: Any) -> dict[str, Any]:
    plain = {"levels": 3, "used": "256/256/256", "perplexity": "30/70/154", "shared_single_pct": 1.0}
    return {"tokenizer": name, **plain, "align2": "0.3/0.2/0.1", **more}


def test_bars_hold_at_the_boundary_and_compare_alignment_split_by_split() -> None:
    rows = [row(BEST), row(CONTROL, align2="0.2/0.2/0.0"), row(PUBLISHED + "theirs", align2="0.1/0.1/0.1")]
    found = {words.split(": ", 1)[1]: held for words, held in bars(rows).items()}
    assert found["at most 1 % of non-duplicate items without an ID of their own"]
    assert found["every code used in every level"]
    assert found["last-level perplexity at least 60 % of the codes"]
    assert found["two-code alignment above the category control, train"]
    assert not found["two-code alignment above the category control, valid"]
    assert not found["two-code alignment above the best published index, test"]


def test_a_set_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"items\.jsonl is not there: --source is a folder"):
        load(tmp_path, tmp_path, "minilm")
