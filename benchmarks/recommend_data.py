"""A set's users as sequences and held-out answers, and its items' titles and categories, for the recommenders.

A user's last item is test, the one before it valid, the rest train; the history of a test answer has the valid one in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.tokenizer_data import SPLITS, path_of, read_items
from models.ids.category import without_root
from models.recommend.sequences import Cases, Items, Sequences, padded, sequences_of

HISTORY = 20


class RecommendSet(NamedTuple):
    """Items by number (their order in `items.jsonl`), users by number, and what is learned and judged on."""

    name: str
    ids: list[Any]
    titles: list[str]
    paths: list[tuple[str, ...]]
    users: list[Any]
    train: Sequences
    valid: Cases
    test: Cases

    @property
    def num_items(self) -> int:
        return len(self.ids)

    @property
    def case_users(self) -> Items:
        """user_Q: whose case it is; every user has one of each kind."""
        return np.arange(len(self.users))

    @property
    def categories(self) -> list[str]:
        """The first name of each path that tells items apart."""
        return [path[0] if path else "" for path in self.paths]


def load(source: Path, history: int = HISTORY) -> RecommendSet:
    """Read a folder of `items.jsonl` and `interactions.parquet` (user_id, pos, item_id, split); ends with a message where
    it is not there, or where its splits are not the last two items of each user."""
    items = read_items(source)
    ids = [item["item_id"] for item in items]
    events = pd.read_parquet(source / "interactions.parquet").sort_values(["user_id", "pos"])
    events["item"] = events["item_id"].map({item: at for at, item in enumerate(ids)})
    lists, splits = (events.groupby("user_id")[name].agg(list) for name in ("item", "split"))
    expected = [(*["train"] * (len(items) - 2), *SPLITS[1:]) for items in lists]
    if any(len(items) < 3 for items in lists) or [tuple(names) for names in splits] != expected:
        raise SystemExit(
            f"{source}: the last two items of each user must be valid and test, those before them train"
        )
    histories = lists.tolist()
    return RecommendSet(
        source.name,
        ids,
        [item["title"] or "" for item in items],
        without_root([path_of(item) for item in items]),
        lists.index.tolist(),
        sequences_of([items[:-2] for items in histories]),
        Cases(
            padded([items[:-2] for items in histories], history), np.array([items[-2] for items in histories])
        ),
        Cases(
            padded([items[:-1] for items in histories], history), np.array([items[-1] for items in histories])
        ),
    )
