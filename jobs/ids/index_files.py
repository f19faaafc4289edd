"""Indexes and pairs as other projects publish them, read as files.

An index is a JSON object from an item to its codes as text: {"17": ["<a_99>", "<b_225>", "<c_67>"]}. Pairs are a Parquet
file of the columns of `note_pairs` (note_id, related_note_id, score), or of events (user_id, pos, item_id, split): there
the items that a user took one right after the other in `train` are pairs, and those of `test` are targets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.ids.health_inputs import placed
from jobs.lake import LakeError
from models.ids.prefixes import consecutive_pairs
from models.ids.text import text_to_codes

PAIR_COLUMNS = ("note_id", "related_note_id", "score")
EVENT_COLUMNS = ("user_id", "pos", "item_id", "split")


class FileIndex(NamedTuple):
    """The items of an index file and their codes_NL."""

    items: pa.Array
    codes_NL: NDArray[np.int64]


class FilePairs(NamedTuple):
    """pairs_P2 of places among the items, their weights, targets of each item, and pairs of items without ID."""

    pairs_P2: NDArray[np.int32]
    weight_P: NDArray[np.float64]
    target_N: NDArray[np.float64]
    num_unknown: int


def read_index(path: Path) -> FileIndex:
    """An index file. Raises `LakeError` naming the file and the first item that does not read."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        codes = [text_to_codes("".join(tokens)) for tokens in index.values()]
        lengths = sorted({len(each) for each in codes})
        if len(lengths) != 1:
            raise ValueError(f"items have {lengths} codes; expected one number, of one item or more")
        return FileIndex(pa.array(index, pa.string()), np.array(codes))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LakeError(f"{path} is no index of semantic IDs: {error}") from None


def read_pairs(path: Path, items: pa.Array) -> FilePairs:
    """A file of pairs or events. Raises `LakeError` naming the file and the columns it lacks."""
    try:
        rows = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise LakeError(f"{path} is no Parquet file of pairs: {error}") from None
    names = set(rows.column_names)
    if names >= set(PAIR_COLUMNS):
        left, right, score = (rows.column(name).combine_chunks() for name in PAIR_COLUMNS)
        found = placed(left.cast(pa.string()), right.cast(pa.string()), score, items)
        target_N = np.bincount(found.pairs_P2[:, 1], weights=found.weight_P, minlength=len(items)).astype(np.float64)
        return FilePairs(found.pairs_P2, found.weight_P, target_N, found.num_unknown)
    if names >= set(EVENT_COLUMNS):
        return _of_events(rows, items)
    raise LakeError(
        f"{path} has columns {', '.join(rows.column_names)}: pairs need {', '.join(PAIR_COLUMNS)}, events need "
        f"{', '.join(EVENT_COLUMNS)}"
    )


def _of_events(rows: pa.Table, items: pa.Array) -> FilePairs:
    rows = rows.sort_by([("user_id", "ascending"), ("pos", "ascending")])
    names = rows.column("item_id").cast(pa.string()).combine_chunks()
    place_E = pc.fill_null(pc.index_in(names, value_set=items), -1).to_numpy(zero_copy_only=False)
    split = rows.column("split").to_pylist()
    is_train, is_test = (np.array([of == wanted for of in split]) for wanted in ("train", "test"))
    user_E = rows.column("user_id").combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    pairs_P2 = consecutive_pairs(user_E[is_train], place_E[is_train])
    is_known = (pairs_P2 >= 0).all(axis=1)
    target_N = np.bincount(place_E[is_test & (place_E >= 0)], minlength=len(items)).astype(np.float64)
    return FilePairs(pairs_P2[is_known].astype(np.int32), np.ones(int(is_known.sum())), target_N, int((~is_known).sum()))
