"""Give every note of the day its semantic ID: the one it has in the ledger, or codes of its own from the quantizer.

New notes are encoded with the frozen tokenizer and placed among the published ones by the generation's collision rule;
what is published never moves. Notes that are no more in the day's notes are no more in its table.
"""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.artifact import Artifacts
from jobs.config import add_run_arguments
from jobs.ids.ledger import Arrivals, Entries, Ledger, codes_of
from jobs.ids.vectors import embedded_notes
from jobs.lake import Lake, LakeError
from jobs.session import run_job
from jobs.staging import Plan, published_reads, run_once, stage_arrow
from schemas.tables import NOTE_EMBEDDINGS, SEMANTIC_IDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.ids.collisions import Placed
    from models.ids.tokenizer import Codes

READS = ("note_embeddings", "picture_embeddings")  # pictures where the generation reads any
WRITES = ("semantic_ids",)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
log = logging.getLogger("notemill")


def current_generation(lake: Lake, day: str) -> str:
    """The quantizer that is current as of the day. Raises `LakeError` where none is promoted."""
    generation = Artifacts(lake, "quantizer").current(day)
    if generation is None:
        raise LakeError(
            "no quantizer is promoted, so there are no codes to give: run `train_quantizer --if-missing --day "
            f"{day}`, or trigger the DAG notemill_training"
        )
    return generation


def require_encoder(lake: Lake, generation: str, notes: pa.Table, day: str) -> None:
    """Raise `LakeError` where the day holds embeddings of an encoder that the quantizer was not trained on."""
    trained = Artifacts(lake, "quantizer").manifest(generation)["encoders"]
    foreign = sorted(set(notes.column("encoder").unique().to_pylist()) - set(trained))
    if foreign:
        raise LakeError(
            f"table note_embeddings ds={day} holds embeddings of {', '.join(foreign)}, but quantizer {generation} was "
            f"trained on {', '.join(trained)}: train a quantizer on this day's embeddings (train_quantizer --promote "
            f"--day {day}), or embed the day with the encoder it was trained on"
        )


def require_pictures(lake: Lake, generation: str, day: str) -> None:
    """Raise `LakeError` where the day's pictures are of an encoder that the quantizer was not trained on."""
    from jobs.ids.pictures import require_picture_encoder

    trained = Artifacts(lake, "quantizer").manifest(generation).get("picture_encoders", [])
    if trained:
        require_picture_encoder(lake, day, generation, trained)


def require_notes(notes: pa.Table, day: str) -> None:
    """Raise `LakeError` where the day has no notes at all: IDs of nothing would take every note out of the catalogue."""
    if not len(notes):
        raise LakeError(
            f"table note_embeddings ds={day} has no notes, so the catalogue would be empty: look at how the day's notes "
            "were delivered; nothing is staged, and the IDs of the days before stay as they are"
        )


def with_ids(lake: Lake, generation: str, day: str, notes: pa.Table) -> tuple[Entries, int]:
    """The ledger with an ID for each of these notes, and how many it gave now."""
    from jobs.ids.quantizer import first_ids

    artifacts, ledger = Artifacts(lake, "quantizer"), Ledger(lake, generation)
    since = artifacts.manifest(generation).get("since", day)
    entries = ledger.begun(first_ids(artifacts, generation), since)
    new_N = entries.places(notes.column("note_id")) < 0
    if not new_N.any():
        return entries, 0
    return given(lake, ledger, day, notes, new_N), int(new_N.sum())


def given(lake: Lake, ledger: Ledger, day: str, notes: pa.Table, new_N: NDArray[np.bool_]) -> Entries:
    """The ledger after these notes were encoded and placed in it."""
    from jobs.ids.encoding import encode, fuse_of, tokenizer_of
    from jobs.ids.quantizer import policy_of
    from jobs.ids.shelf import Shelf
    from models.ids.collisions import place
    from models.ids.places import crowded

    codes_NL = encode(lake, ledger.generation, day, new_N)
    note_ids, hashes = (notes.column(name).filter(pa.array(new_N)) for name in ("note_id", "content_hash"))
    arrivals, order_N = Arrivals.in_order(note_ids, hashes, codes_NL)
    del note_ids, hashes
    at_N = np.flatnonzero(new_N)[order_N]
    del codes_NL
    tokenizer = tokenizer_of(str(lake.root), ledger.generation)
    fuse = fuse_of(str(lake.root), ledger.generation)
    shelf, content_N = Shelf(lake, day, tokenizer, fuse, at_N), arrivals.contents()
    policy = policy_of(Artifacts(lake, "quantizer"), ledger.generation)

    def placing(rows_R: NDArray[np.int64], taken_ML: Codes) -> Codes:
        if not len(taken_ML):
            taken_ML = np.empty((0, tokenizer.levels + (policy == "extra")), dtype=np.int32)
        arriving_RL = arrivals.codes_NL[rows_R]
        if policy in ("matching", "sinkhorn"):
            crowded_R = crowded(arriving_RL, taken_ML, tokenizer.codes)
            shelf.fetch(np.setdiff1d(at_N[rows_R[crowded_R]], shelf.known))
        placed = place(
            policy,
            arriving_RL,
            content_N[rows_R],
            taken_ML,
            tokenizer.codes,
            lambda some, codes_RL: shelf.costs(rows_R[some], codes_RL),
        )
        log.info("semantic_ids ds=%s: %s", day, sentence(placed, policy))
        return placed.codes_NL

    return ledger.give(arrivals, placing, day)


def sentence(placed: Placed, policy: str) -> str:
    """What the collision rule had to do, in words."""
    return (
        f"{len(placed.codes_NL)} new notes, {placed.num_colliding} of them without codes of their own from the tokenizer "
        f"({placed.num_irreducible} share content with another new one); {policy} changed {placed.num_changed}, "
        f"{placed.num_overflow} of them before the last code, and left {placed.num_tied} tied"
    )


def semantic_ids(entries: Entries, notes: pa.Table, generation: str) -> pa.Table:
    """The rows of the table: what the ledger holds of the day's notes, with the codes as text."""
    found = entries.rows.take(pa.array(entries.places(notes.column("note_id"))))
    columns = {
        "note_id": found.column("note_id"),
        "codes": found.column("codes"),
        "semantic_id": texts_of(codes_of(found)),
        "tie_break": found.column("tie_break"),
        "generation": pa.repeat(pa.scalar(generation), len(found)),
        "since": found.column("since"),
    }
    return pa.table({name: columns[name] for name in SEMANTIC_IDS.column_names})


def texts_of(codes_NL: Codes) -> pa.Array:
    """The codes as `models.ids.text.codes_to_text` writes them, a level at a time."""
    tokens = []
    for letter, codes_N in zip(LETTERS, codes_NL.T, strict=False):
        names = pa.array([f"<{letter}_{code}>" for code in range(int(codes_N.max(initial=-1)) + 1)], pa.string())
        tokens.append(names.take(pa.array(codes_N)))
    return pc.binary_join_element_wise(*tokens, "")


def plan_of(lake: Lake, day: str, generation: str) -> Plan:
    """What the day's rows depend on. The ledger is no part of it: it grows, and what it says of these notes stays."""
    from jobs.ids.inputs import encoding_reads
    from jobs.ids.quantizer import load_fuse

    fuse = load_fuse(Artifacts(lake, "quantizer"), generation)
    reads = encoding_reads(lake, day, fuse) if fuse else published_reads(lake, [(NOTE_EMBEDDINGS, day)])
    return Plan("assign_ids", day, reads, artifacts={"quantizer": generation})


def stage(lake: Lake, plan: Plan, generation: str) -> None:
    """Give IDs to the notes that have none, and stage the day's."""
    notes = embedded_notes(lake, plan.day)
    require_notes(notes, plan.day)
    require_encoder(lake, generation, notes, plan.day)
    require_pictures(lake, generation, plan.day)
    entries, num_new = with_ids(lake, generation, plan.day, notes)
    notes = notes.select(["note_id"])  # what is left of a large day need not stay in memory
    rows = semantic_ids(entries, notes, generation)
    num_tied = pc.sum(pc.greater(rows.column("tie_break"), 0)).as_py() or 0
    # How many of them were new is no fact of the day: a rerun finds them given, and must make the same record.
    stage_arrow(lake, SEMANTIC_IDS, plan, rows, {"num_tied": num_tied})
    log.info("semantic_ids ds=%s: %d notes, %d new under %s", plan.day, len(rows), num_new, generation)


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("assign_ids", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    generation = current_generation(lake, args.day)
    plan = plan_of(lake, args.day, generation)
    run_once(lake, plan, (SEMANTIC_IDS,), lambda: stage(lake, plan, generation))


if __name__ == "__main__":
    run_job(main)
