"""What becomes of IDs from one index to the next: which notes' ID, or first codes, changed; who came and who went.

In: two indexes, each of note ids (no id twice) and their codes_NL. Out: `Churn`. A code is compared by its number, so an
index whose codebooks were not aligned to the old ones counts as changed through and through, as it is for a consumer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.ids.health import Codes

DEPTHS = 3


class Index(NamedTuple):
    """Note ids and their codes_NL; rank_N tells notes apart that share all codes, where the index has such a rank."""

    note_ids: pa.Array | pa.ChunkedArray
    codes_NL: Codes
    rank_N: Codes | None = None


class Churn(NamedTuple):
    """Notes in both indexes, only in the later, only in the earlier; of those in both the share whose whole ID (rank
    included) changed, and the shares whose first 1, 2, ... codes did.
    """

    num_kept: int
    num_new: int
    num_gone: int
    changed_share: float
    prefix_changed_shares: tuple[float, ...]


def churn(before: Index, after: Index, depths: int = DEPTHS) -> Churn:
    """Compare two indexes. Where they differ in the number of levels, every whole ID has changed.

    With no note in both, all shares are 0. Raises `ValueError` where an index has a note twice, or not a row of codes
    for each note.
    """
    for name, index in (("earlier", before), ("later", after)):
        _check(name, index)
    place = pc.index_in(after.note_ids, value_set=_array(before.note_ids))
    old_N = np.asarray(pc.fill_null(place, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    kept_N = old_N >= 0
    num_kept = int(kept_N.sum())
    old_ML, new_ML = before.codes_NL[old_N[kept_N]], after.codes_NL[kept_N]
    shared = min(old_ML.shape[1], new_ML.shape[1])
    moved_ML = np.logical_or.accumulate(old_ML[:, :shared] != new_ML[:, :shared], axis=1)
    changed_M = moved_ML[:, -1] if old_ML.shape[1] == new_ML.shape[1] else np.ones(num_kept, dtype=bool)
    if before.rank_N is not None and after.rank_N is not None:
        changed_M = changed_M | (before.rank_N[old_N[kept_N]] != after.rank_N[kept_N])
    return Churn(
        num_kept,
        len(old_N) - num_kept,
        len(before.note_ids) - num_kept,
        _mean(changed_M),
        tuple(_mean(moved_ML[:, depth]) for depth in range(min(depths, shared))),
    )


def _mean(is_changed_M: NDArray[np.bool_]) -> float:
    return float(is_changed_M.mean()) if len(is_changed_M) else 0.0


def _array(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids


def _check(name: str, index: Index) -> None:
    if index.codes_NL.ndim != 2 or len(index.codes_NL) != len(index.note_ids) or index.codes_NL.shape[1] == 0:
        raise ValueError(
            f"the {name} index has {len(index.note_ids)} notes and codes of shape {index.codes_NL.shape}: give one row of "
            "at least one code a note"
        )
    if len(pc.unique(index.note_ids)) != len(index.note_ids):
        raise ValueError(f"the {name} index has a note twice: give every note once")
    if index.rank_N is not None and index.rank_N.shape != (len(index.note_ids),):
        raise ValueError(f"the {name} index has ranks of shape {index.rank_N.shape} for {len(index.note_ids)} notes")
