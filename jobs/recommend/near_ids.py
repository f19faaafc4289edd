"""Which IDs are near each other, for a training: by clicks on its histories, and by the day's content where it is published.

near.safetensors, in the folder of a training:
    soft.leaf, soft.share         what answers share their weight with (models/recommend/soft_targets.py)
    content.leaf, content.share   what stands in for an ID (stand_ins.py), where there is content
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load, save

from jobs.ids.ledger import codes_matrix
from jobs.lake import Lake, write_atomically
from jobs.recommend.collaborative import fit_collaborative
from jobs.recommend.content_neighbours import make_content, open_content
from jobs.recommend.recipe import Recipe
from jobs.recommend.settings import Recommend
from jobs.recommend.stand_ins import StandIns, stand_ins_of
from models.recommend import content
from models.recommend.lazy import Lazy
from models.recommend.prefixes import catalogue_of
from models.recommend.sequences import PAD
from models.recommend.soft_targets import (
    Config,
    Near,
    SoftTargets,
    blend,
    near_leaves,
    sharper,
    strongest_of,
)
from schemas.tables import SEMANTIC_IDS

FILE = "near.safetensors"


class NearIds(NamedTuple):
    """Neighbours of every ID of the catalogue, in order of codes."""

    soft: Near
    content: Near | None


def near_ids(
    by_clicks_NN: sp.csr_array, by_content_NN: sp.csr_array | None, codes_NL: NDArray[np.integer]
) -> NearIds:
    """Of neighbours among notes with these codes; no content where there is none."""
    config = Config()
    clicks = near_leaves(by_clicks_NN, codes_NL)
    read = None if by_content_NN is None else near_leaves(sharper(by_content_NN, config), codes_NL)
    return NearIds(blend(clicks, read, config), None if read is None else strongest_of(read, config.keep))


def near_ids_of_day(lake: Lake, day: str, settings: Recommend, reads: Mapping[str, str]) -> NearIds:
    """Of the notes that have an ID on the day; by content too where `reads` name the day's embeddings."""
    rows = pq.read_table(lake.files(SEMANTIC_IDS, day), columns=["note_id", "codes"]).sort_by("note_id")
    note_ids = rows.column("note_id").combine_chunks()
    by_clicks = fit_collaborative(lake, day, settings.split).scorer.near_NN
    read = open_content(lake, make_content(lake, day, reads))
    by_content = None
    if read is not None:
        at_N = np.asarray(pc.index_in(read.note_ids, value_set=note_ids).fill_null(PAD))
        by_content = content.renumbered(read.scorer, at_N.astype(np.int64), len(note_ids)).near_NN
    return near_ids(by_clicks, by_content, codes_matrix(rows.column("codes")))


def save_near_ids(folder: Path, found: NearIds) -> None:
    """Write them beside what a training reads."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{name}.{part}": getattr(near, f"{part}_NE")
        for name, near in found._asdict().items()
        if near is not None
        for part in ("leaf", "share")
    }
    write_atomically(folder / FILE, save(arrays))


def open_near_ids(folder: Path) -> NearIds | None:
    """What a training's folder holds; None where it learns no neighbours."""
    if not (folder / FILE).exists():
        return None
    arrays = load((folder / FILE).read_bytes())
    content_near = Near(arrays["content.leaf"], arrays["content.share"]) if "content.leaf" in arrays else None
    return NearIds(Near(arrays["soft.leaf"], arrays["soft.share"]), content_near)


def soften(network: Lazy, found: NearIds, recipe: Recipe) -> StandIns | None:
    """Let the network learn answers' neighbours too, until it is saved; what stands in for its IDs."""
    keys = [network.get_buffer(f"key_{level}") for level in range(len(recipe.sizes))]
    network.soft = SoftTargets(found.soft, recipe.neighbours, keys, recipe.sizes)
    if found.content is None or not found.content.share_NE.any():
        return None
    return stand_ins_of(found.content, catalogue_of(keys, recipe.sizes), recipe.id_tokens)
