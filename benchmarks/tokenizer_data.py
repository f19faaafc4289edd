"""A set of items with texts, categories and histories, ready for the tokenizers, and what is measured on their IDs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from jobs.importers.amazon_scientific import category_path
from jobs.notes.encoders import embed_texts, find_encoder
from models.ids.category import without_root
from models.ids.collaborative import co_occurrence
from models.ids.health import health
from models.ids.text import text_to_codes
from models.notes.text import note_text

DESCRIPTION = 1200
SPLITS = ("train", "valid", "test")


class Items(NamedTuple):
    """Row by row: vectors, which rows have the same content, category paths; the train histories as (user, item)."""

    name: str
    ids: list[Any]
    x_ND: np.ndarray
    content_N: np.ndarray
    paths: list[tuple[str, ...]]
    history_M2: np.ndarray
    pairs: dict[str, np.ndarray]

    @property
    def together(self) -> sp.csr_array:
        return co_occurrence(self.history_M2[:, 0], self.history_M2[:, 1], len(self.ids))

    def subset(self, rows: np.ndarray) -> Items:
        """Only these items; their histories shrink with them."""
        number = np.full(len(self.ids), -1)
        number[rows] = np.arange(len(rows))
        history = np.stack([self.history_M2[:, 0], number[self.history_M2[:, 1]]], axis=1)
        ids, paths = [self.ids[row] for row in rows], [self.paths[row] for row in rows]
        return Items(
            self.name, ids, self.x_ND[rows], self.content_N[rows], paths, history[history[:, 1] >= 0], {}
        )


def load(source: Path, cache: Path, encoder: str) -> Items:
    """Read, embed what is not in the cache, and pair consecutive interactions of a user by the split of the second."""
    items = read_items(source)
    paths = [path_of(item) for item in items]
    texts = [_text(item, path) for item, path in zip(items, paths, strict=True)]
    _, first, content = np.unique(texts, return_index=True, return_inverse=True)
    x_ND = _vectors(texts, cache / f"{source.name}.npz", encoder)[first][content]
    content_N = np.unique(x_ND, axis=0, return_inverse=True)[1].reshape(-1)
    ids = [item["item_id"] for item in items]
    history_M2, pairs = _histories(source / "interactions.parquet", ids)
    return Items(source.name, ids, x_ND, content_N, without_root(paths), history_M2, pairs)


def read_items(source: Path) -> list[dict[str, Any]]:
    """The items of a set as they lie in its folder; ends with a message where a file of it is missing."""
    for needed in ("items.jsonl", "interactions.parquet"):
        if not (source / needed).exists():
            raise SystemExit(f"{source / needed} is not there: --source is a folder with both files of a set")
    return [json.loads(line) for line in (source / "items.jsonl").read_text(encoding="utf-8").splitlines()]


def path_of(item: dict[str, Any]) -> tuple[str, ...]:
    """Scientific holds one path as text, Beauty several as lists, of which the first counts."""
    found = item.get("categories") or ""
    return category_path(found) if isinstance(found, str) else tuple(found[0])


def _text(item: dict[str, Any], path: tuple[str, ...]) -> str:
    return note_text(item["title"] or "", (item.get("description") or "")[:DESCRIPTION], path, ())


def _vectors(texts: list[str], cache: Path, encoder: str) -> np.ndarray:
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    if cache.exists():
        with np.load(cache) as kept:
            if kept["h"].tolist() == hashes:
                return np.ascontiguousarray(kept["v"], dtype=np.float32)
    cache.parent.mkdir(parents=True, exist_ok=True)
    x_ND = embed_texts(find_encoder(encoder, cache.parent).folder, texts)
    np.savez(cache, v=x_ND, h=hashes)
    return np.ascontiguousarray(x_ND, dtype=np.float32)


def _histories(path: Path, ids: list[Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    number = {item: at for at, item in enumerate(ids)}
    events = pd.read_parquet(path).sort_values(["user_id", "pos"])
    events["item"] = events["item_id"].map(number)
    users = events.groupby("user_id")
    events["next"], events["next_split"] = users["item"].shift(-1), users["split"].shift(-1)
    train = events[events["split"] == "train"][["user_id", "item"]].to_numpy(dtype=np.int64)
    pairs = {}
    for split in SPLITS:
        found = events[events["next_split"] == split][["item", "next"]].to_numpy(dtype=np.int64)
        pairs[split] = found[found[:, 0] != found[:, 1]]
    return train, pairs


def published(source: Path, items: Items) -> dict[str, np.ndarray]:
    """The indexes that lie beside the set, by name."""
    found = {}
    for path in sorted((source / "published_sids").glob("*.json")):
        index = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = np.array(
            [text_to_codes("".join(index[str(item)])) for item in items.ids], dtype=np.int32
        )
    return found


def alignment(items: Items, codes_NL: np.ndarray, depth: int) -> dict[str, float]:
    """The share of consecutive pairs whose first `depth` codes are equal, by split; `chance` is that of two items drawn by
    popularity.
    """
    _, group_N = np.unique(codes_NL[:, :depth], axis=0, return_inverse=True)
    group_N = group_N.reshape(-1)
    shares = {s: float(np.mean(group_N[p[:, 0]] == group_N[p[:, 1]])) for s, p in items.pairs.items()}
    weight = np.bincount(group_N[items.history_M2[:, 1]]) / len(items.history_M2)
    return {**shares, "chance": float(np.square(weight).sum())}


def bits(codes_NL: np.ndarray) -> list[float]:
    """The entropy of each code given those before it."""
    found: list[float] = []
    for level in range(codes_NL.shape[1]):
        share = np.unique(codes_NL[:, : level + 1], axis=0, return_counts=True)[1] / len(codes_NL)
        found.append(float(-(share * np.log2(share)).sum()) - sum(found))
    return found


def gini(codes_N: np.ndarray, num_codes: int) -> float:
    """0 where all codes are used alike, near 1 where one has all."""
    count_K = np.sort(np.bincount(codes_N, minlength=num_codes))
    return float(1 + 1 / num_codes - 2 * np.cumsum(count_K).sum() / (num_codes * count_K.sum()))


def share_without_own(codes_NL: np.ndarray, content_N: np.ndarray) -> float:
    """Of the items whose content no other has, the share whose ID another has."""
    _, group_N, size_G = np.unique(codes_NL, axis=0, return_inverse=True, return_counts=True)
    is_single_N = np.bincount(content_N)[content_N] == 1
    return float(np.mean(size_G[group_N.reshape(-1)][is_single_N] > 1))


def figures(items: Items, codes_NL: np.ndarray, num_codes: int) -> dict[str, Any]:
    """A row of the table, without the seconds."""
    found = health(codes_NL, num_codes, items.content_N)
    row: dict[str, Any] = {
        "levels": codes_NL.shape[1],
        "shared_pct": round(100 * found.shared_share, 2),
        "shared_single_pct": round(100 * share_without_own(codes_NL, items.content_N), 2),
        "unique_pct": round(100 * found.unique_rate, 2),
        "largest": found.largest_group,
        "used": "/".join(str(level.codes_used) for level in found.levels),
        "perplexity": "/".join(f"{level.perplexity:.0f}" for level in found.levels),
        "gini": "/".join(f"{gini(codes_N, num_codes):.2f}" for codes_N in codes_NL.T),
        "bits": "/".join(f"{part:.1f}" for part in bits(codes_NL)),
    }
    for depth in (1, 2, 3):
        shares = alignment(items, codes_NL, min(depth, codes_NL.shape[1]))
        row[f"align{depth}"] = "/".join(f"{shares[split]:.3f}" for split in SPLITS)
        row[f"chance{depth}"] = f"{shares['chance']:.3f}"
    return row
