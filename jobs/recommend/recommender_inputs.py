"""Everything that a recommender is made from, and the name that stands for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.ids.build_trie import sizes_of
from jobs.ids.catalogue_trie import binding_of
from jobs.ids.ledger import codes_matrix
from jobs.lake import Lake, LakeError, canonical_json
from jobs.recommend.base_model import base_files, base_folder_of
from jobs.recommend.settings import Recommend
from jobs.staging import code_hash, published_reads
from schemas.recommend_tables import INSTRUCTIONS
from schemas.tables import SEMANTIC_IDS

# What decides the weights; how it decodes later, and how it is judged, makes no other recommender.
LEARNED_FROM = (
    "history",
    "split",
    "languages",
    "model",
    "tasks",
    "epochs",
    "batch_size",
    "parts",
    "learning_rate",
    "dropout",
    "noise",
    "patience",
    "lora_rank",
    "precision",
    "processes",
    "seed",
)
LEAST_ROOM = 16  # codes of a level that grows from day to day


class Inputs(NamedTuple):
    """Published partitions, the quantizer of their codes and the hash of its manifest, K of every level, and what training
    starts from."""

    reads: Mapping[str, str]
    quantizer: str
    quantizer_manifest: str
    sizes: tuple[int, ...]
    base_folder: Path | None
    base_files: list[list[str]]

    def generation(self, settings: Recommend) -> str:
        """The name that stands for all of it, the settings and the code."""
        identity = {
            "reads": dict(self.reads),
            "quantizer": [self.quantizer, self.quantizer_manifest],
            "settings": learned_from(settings),
            "base": self.base_files,
            "code": code_hash(),
        }
        return "g" + hashlib.sha256(canonical_json(identity)).hexdigest()[:12]


def learned_from(settings: Recommend) -> dict[str, object]:
    """The settings that decide the weights."""
    return {name: getattr(settings, name) for name in LEARNED_FROM}


def inputs_of(lake: Lake, day: str, config: Config) -> Inputs:
    """What there is to learn from on a day.

    Raises `LakeError` where a table is not published, or its IDs are of another quantizer than the instructions'.
    """
    reads = published_reads(lake, [(INSTRUCTIONS, day), (SEMANTIC_IDS, day)])
    binding = binding_of(lake, day)
    _require_same_ids(lake, day, binding.generation)
    folder = base_folder_of(config)
    sizes = vocabulary_sizes(lake, day, binding.generation)
    return Inputs(reads, binding.generation, binding.quantizer, sizes, folder, base_files(folder))


def vocabulary_sizes(lake: Lake, day: str, quantizer: str) -> tuple[int, ...]:
    """K of every level: the quantizer's, and twice what the day needs of a level added against collisions, which grows."""
    codes_NL = codes_of(lake, day)
    own = int(Artifacts(lake, "quantizer").manifest(quantizer)["settings"]["levels"])
    sizes = sizes_of(lake, quantizer, codes_NL)
    return tuple(size if level < own else max(LEAST_ROOM, 2 * size) for level, size in enumerate(sizes))


def codes_of(lake: Lake, day: str) -> NDArray[np.int32]:
    """codes_NL of the day's notes. Raises `LakeError` where there are none."""
    codes_NL = codes_matrix(pq.read_table(lake.files(SEMANTIC_IDS, day), columns=["codes"]).column("codes"))
    if not len(codes_NL):
        raise LakeError(f"semantic_ids ds={day} has no notes: nothing could be recommended")
    return codes_NL


def _require_same_ids(lake: Lake, day: str, quantizer: str) -> None:
    found = pq.read_table(lake.files(INSTRUCTIONS, day), columns=["generation"]).column("generation")
    said = sorted(set(pc.unique(found).to_pylist()))
    if said not in ([], [quantizer]):
        raise LakeError(
            f"recommend_instructions ds={day} speak codes of quantizer {', '.join(said)}, semantic_ids ds={day} are of "
            f"{quantizer}: run build_instructions for the day again"
        )
