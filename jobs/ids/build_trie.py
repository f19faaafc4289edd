"""Build the catalogue trie of the day's published semantic IDs: what keeps a decoder inside the catalogue."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.artifact import Artifacts
from jobs.config import add_run_arguments
from jobs.ids.catalogue_trie import KIND, Binding, binding_of, trie_of, write_trie
from jobs.ids.ledger import codes_matrix
from jobs.lake import Lake, LakeError
from jobs.session import run_job
from models.ids.trie_build import Built, build
from schemas.tables import SEMANTIC_IDS

READS = ("semantic_ids",)
WRITES: tuple[str, ...] = ()
COLUMNS = ["note_id", "codes", "tie_break", "generation"]
log = logging.getLogger("notemill")


def rows_of(lake: Lake, binding: Binding) -> pa.Table:
    """The rows of that partition. Raises `LakeError` where another one was published meanwhile, or there are no rows."""
    rows = pq.read_table(lake.files(SEMANTIC_IDS, binding.day), columns=COLUMNS, read_dictionary=["generation"])
    if lake.partition(SEMANTIC_IDS, binding.day) != binding.partition:
        raise LakeError(f"semantic_ids ds={binding.day} was published anew while it was read: run build_trie again")
    if not len(rows):
        raise LakeError(
            f"semantic_ids ds={binding.day} has no notes, and a trie of no notes would forbid every ID: look at how the "
            "day's notes were delivered; the tries of other days stay as they are"
        )
    foreign = sorted(set(rows.column("generation").unique().to_pylist()) - {binding.generation})
    if foreign:
        raise LakeError(
            f"semantic_ids ds={binding.day} holds codes of {', '.join(foreign)}, but its manifest names quantizer "
            f"{binding.generation}, and one trie is of one vocabulary: run assign_ids for the day again"
        )
    return rows


def sizes_of(lake: Lake, generation: str, codes_NL: NDArray[np.int32]) -> list[int]:
    """K of every level: the quantizer's, and what is needed at levels that are not its own (a code added against
    collisions)."""
    settings = Artifacts(lake, "quantizer").manifest(generation)["settings"]
    own = [int(settings["codes"])] * int(settings["levels"])
    return [*own, *(int(high) + 1 for high in codes_NL[:, len(own) :].max(axis=0))][: codes_NL.shape[1]]


def built(lake: Lake, binding: Binding, rows: pa.Table) -> Built:
    """The trie of the rows. Raises `LakeError` where they are no catalogue of this quantizer."""
    codes_NL = codes_matrix(rows.column("codes"))
    try:
        return build(codes_NL, rows.column("tie_break").to_numpy(), sizes_of(lake, binding.generation, codes_NL))
    except ValueError as error:
        raise LakeError(f"semantic_ids ds={binding.day} (quantizer {binding.generation}) gives no trie: {error}") from None


def run(lake: Lake, day: str) -> Path:
    """The folder of the day's trie, made unless it is there. Raises `LakeError` also where it is there and damaged."""
    binding, artifacts = binding_of(lake, day), Artifacts(lake, KIND)
    if binding.name in artifacts.generations():
        trie_of(lake, day)
        log.info("catalogue_trie ds=%s: %s is built already, reused", day, binding.name)
        return artifacts.folder(binding.name)
    rows = rows_of(lake, binding)
    trie, order_N = built(lake, binding, rows)
    folder = write_trie(lake, binding, trie, rows.column("note_id").take(pa.array(order_N)))
    log.info("catalogue_trie ds=%s: %d notes under %d IDs, as %s", day, trie.num_notes, trie.num_leaves, binding.name)
    return folder


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("build_trie", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    run(args.config.open_lake(), args.day)


if __name__ == "__main__":
    run_job(main)
