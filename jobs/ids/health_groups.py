"""The notes that the health page shows: the largest groups by first code, and the IDs that most notes share, with why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.ids.health_inputs import Contents, DayIds
from jobs.ids.vectors import vectors_of
from jobs.lake import Lake
from jobs.tags.thumbnails import thumbnails
from models.ids.health import Codes, prefix_groups
from models.ids.text import codes_to_text
from schemas.tables import NOTE_EMBEDDINGS, NOTES

MAX_GROUPS = 18  # groups by first code
MAX_COLLISIONS = 12  # IDs that several notes share
MAX_CARDS = 5  # notes shown of a group
LOOKED_AT = 4000  # notes of a group whose categories are counted
NEAR, ALIKE = 0.95, 0.8  # cosines from which two texts count as variants of one, and as alike


class Card(NamedTuple):
    """One note as a person knows it; `picture` is a `data:` address, empty where there is none."""

    note_id: str
    title: str
    category: str
    picture: str


class CodeGroup(NamedTuple):
    """All notes of one first code: how many, their most frequent categories with their shares, some of the notes."""

    text: str
    num_notes: int
    num_second: int
    categories: Sequence[tuple[str, float]]
    cards: Sequence[Card]


class Collision(NamedTuple):
    """All notes of one ID: how many, how many different texts, the least cosine among those shown, some of the notes."""

    text: str
    num_notes: int
    num_texts: int
    closeness: float | None
    cards: Sequence[Card]

    @property
    def why(self) -> str:
        """Why these notes share an ID, as far as it can be seen."""
        if self.num_texts == 1:
            return "the same text word for word: no quantizer of texts separates them"
        of = f"{self.num_texts} different texts"
        if self.closeness is None:
            return of
        if self.closeness >= NEAR:
            return f"{of}, nearly one vector (cosine {self.closeness:.3f} or more): variants of one thing"
        if self.closeness >= ALIKE:
            return f"{of}, vectors alike (cosine down to {self.closeness:.2f}): a finer quantizer separates them"
        return f"{of}, vectors well apart (cosine down to {self.closeness:.2f}): the quantizer is far too coarse here"


class _Places(NamedTuple):
    codes: list[int]
    all_M: NDArray[np.int64]
    shown: list[int]


def code_groups(
    lake: Lake, day: str, ids: DayIds, contents: Contents, weight_N: NDArray[np.float64], roots: tuple[Path, ...]
) -> list[CodeGroup]:
    """The largest groups by first code; of each the notes with most weight in the pairs stand first."""
    codes_NL = ids.entries.codes_NL
    found = _largest(codes_NL[:, :1], prefix_groups(codes_NL[:, :1])[0], weight_N, MAX_GROUPS, at_least=1)
    cards = _cards(lake, day, ids, [place for group in found for place in group.shown], roots)
    return [
        CodeGroup(
            codes_to_text(group.codes),
            len(group.all_M),
            len(np.unique(codes_NL[group.all_M, 1])) if codes_NL.shape[1] > 1 else 0,
            _categories(contents, group.all_M),
            [cards[place] for place in group.shown],
        )
        for group in found
    ]


def collisions(
    lake: Lake, day: str, ids: DayIds, contents: Contents, weight_N: NDArray[np.float64], roots: tuple[Path, ...]
) -> list[Collision]:
    """The IDs that most notes share, largest first; of different texts one each stands first."""
    codes_NL = ids.entries.codes_NL
    # Every text's first note counts above all others, so that a person sees what differs.
    first_N = np.zeros(len(codes_NL))
    group_N = prefix_groups(codes_NL)[-1]
    twin_N = prefix_groups(np.stack([group_N, contents.text_N], axis=1))[-1]
    first_N[np.unique(twin_N, return_index=True)[1]] = weight_N.sum() + 1
    found = _largest(codes_NL, group_N, weight_N + first_N, MAX_COLLISIONS, at_least=2)
    shown = [place for group in found for place in group.shown]
    cards, vectors = _cards(lake, day, ids, shown, roots), _vectors(lake, day, ids, shown)
    return [
        Collision(
            codes_to_text(group.codes),
            len(group.all_M),
            len(np.unique(contents.text_N[group.all_M])),
            _closeness([vectors[place] for place in group.shown if place in vectors]),
            [cards[place] for place in group.shown],
        )
        for group in found
    ]


def _largest(
    codes_NL: Codes, group_N: NDArray[np.int64], weight_N: NDArray[np.float64], count: int, at_least: int
) -> list[_Places]:
    size_G = np.bincount(group_N)
    chosen = [g for g in np.argsort(-size_G, kind="stable")[:count].tolist() if size_G[g] >= at_least]
    found = []
    for group in chosen:
        all_M = np.flatnonzero(group_N == group)
        shown = all_M[np.argsort(-weight_N[all_M], kind="stable")[:MAX_CARDS]]
        found.append(_Places(codes_NL[all_M[0]].tolist(), all_M, shown.tolist()))
    return found


def _categories(contents: Contents, all_M: NDArray[np.int64]) -> list[tuple[str, float]]:
    looked = contents.categories.take(pa.array(all_M[:: max(1, len(all_M) // LOOKED_AT)])).to_pylist()
    counts = Counter(category_text(path) for path in looked)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    return [(name, count / len(looked)) for name, count in ranked]


def category_text(path: Sequence[str] | None) -> str:
    """The last two steps of a category path: what tells it from others."""
    return " › ".join(path[-2:]) if path else "no category"


def _cards(lake: Lake, day: str, ids: DayIds, places: Sequence[int], roots: tuple[Path, ...]) -> dict[int, Card]:
    by_id = {ids.entries.note_ids[place].as_py(): place for place in places}
    wanted = pc.field("note_id").isin(pa.array(list(by_id), pa.string()))
    columns = ["note_id", "title", "category", "image_uris"]
    rows: list[Mapping[str, Any]] = pq.read_table(lake.files(NOTES, day), columns=columns, filters=wanted).to_pylist()
    folders = tuple(str(root) for root in roots)
    return {
        by_id[row["note_id"]]: Card(
            row["note_id"],
            row["title"],
            category_text(row["category"]),
            next(iter(thumbnails(row["image_uris"][:1], folders)), ""),
        )
        for row in rows
    }


def _vectors(lake: Lake, day: str, ids: DayIds, places: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    if lake.partition(NOTE_EMBEDDINGS, day) is None or not places:
        return {}
    by_id = {ids.entries.note_ids[place].as_py(): place for place in places}
    pieces = vectors_of(lake, day, pa.array(list(by_id), pa.string()))
    return {by_id[n]: row for piece in pieces for n, row in zip(piece.note_ids, piece.vectors_ND, strict=True)}


def _closeness(vectors: Sequence[NDArray[np.float32]]) -> float | None:
    """The least cosine between any two; vectors have length 1."""
    if len(vectors) < 2:
        return None
    rows = np.stack(vectors).astype(np.float64)
    return float(np.clip(rows @ rows.T, -1, 1).min())
