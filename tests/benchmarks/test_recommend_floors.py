"""The floors' set and controls, on three users worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.recommend_data import RecommendSet, load
from benchmarks.recommend_floors import FLOOR, by_slice, controls, counted, in_any_order, row_of
from models.recommend.judging import judge_scores

SPLITS = ("train", "train", "valid", "test")
HISTORIES = {7: "abcd", 8: "abdc", 9: "bcad"}


def write(folder: Path, splits: dict[int, tuple[str, ...]]) -> Path:
    items = [
        {"item_id": name, "title": f"The {name}", "categories": f"All,{name.upper()}"} for name in "abcd"
    ]
    (folder / "items.jsonl").write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    rows = [
        (user, at, item, splits[user][at])
        for user, items_of in HISTORIES.items()
        for at, item in enumerate(items_of)
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "pos", "item_id", "split"])
    frame.iloc[::-1].to_parquet(folder / "interactions.parquet")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> RecommendSet:
    return load(write(tmp_path, dict.fromkeys(HISTORIES, SPLITS)), history=2)


def test_the_last_item_is_test_and_its_history_has_the_one_before(data: RecommendSet) -> None:
    assert data.train.item_M.tolist() == [0, 1, 0, 1, 1, 2]
    assert (data.valid.history_QT.tolist(), data.valid.target_Q.tolist()) == (
        [[0, 1], [0, 1], [1, 2]],
        [2, 3, 0],
    )
    assert (data.test.history_QT.tolist(), data.test.target_Q.tolist()) == (
        [[1, 2], [1, 3], [2, 0]],
        [3, 2, 3],
    )
    assert (data.titles[0], data.categories, data.users) == ("The a", ["A", "B", "C", "D"], [7, 8, 9])


def test_a_folder_that_is_not_there_or_split_otherwise_ends_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"items\.jsonl is not there: --source is a folder"):
        load(tmp_path / "none")
    splits = dict.fromkeys(HISTORIES, SPLITS) | {8: ("train", "test", "valid", "test")}
    with pytest.raises(SystemExit, match="the last two items of each user must be valid and test"):
        load(write(tmp_path, splits))


def test_the_order_is_lost_and_the_items_of_each_user_are_not(data: RecommendSet) -> None:
    found = in_any_order(data.train, np.random.default_rng(0))
    assert sorted(zip(found.users.tolist(), found.item_M.tolist(), strict=True)) == sorted(
        zip(data.train.users.tolist(), data.train.item_M.tolist(), strict=True)
    )
    orders = {
        tuple(in_any_order(data.train, np.random.default_rng(seed)).item_M.tolist()) for seed in range(9)
    }
    assert len(orders) > 1


def test_a_line_of_the_table_by_hand(data: RecommendSet) -> None:
    arms = {arm: judge_scores(scores, data.test, exclude_seen=True) for arm, scores in counted(data).items()}
    # Two of four items are left to each user: any list of five has the target.
    row = row_of("popularity", arms["popularity"], arms[FLOOR], data.case_users, 1)
    assert (row["hr5"], row["hr10"], row["hr5_95"]) == (100.0, 100.0, "100.00-100.00")
    # d was trained on by nobody; user 7's other choice is a (two users), user 8's a and then c, user 9's b.
    assert row["ndcg10"] == pytest.approx(100 / np.log2(3), abs=0.01)
    chance = controls(data, 1)["chance"]
    assert chance.hr_QK[:, 0].tolist() == [0.5] * 3
    parts = {line["slice"]: line for line in by_slice(arms, data)}
    assert (parts["warm"]["cases"], parts["cold"]["cases"]) == (1, 2)
    assert parts["category: D"]["popularity"] == row["ndcg10"]
