"""Give every note of the day its semantic ID: the one it has in the ledger, or codes of its own from the quantizer."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.artifact import Artifacts
from jobs.config import add_run_arguments
from jobs.ids.ledger import Entries, Ledger
from jobs.ids.vectors import embedded_notes, vectors_of
from jobs.lake import Lake, LakeError
from jobs.session import run_job
from jobs.staging import Plan, published_reads, run_once, stage_arrow
from models.ids.text import codes_to_text
from schemas.tables import NOTE_EMBEDDINGS, SEMANTIC_IDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READS = ("note_embeddings",)
WRITES = ("semantic_ids",)
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


def encode_new(
    lake: Lake, generation: str, day: str, new: pa.ChunkedArray
) -> tuple[list[str], list[str], NDArray[np.int32]]:
    """note_ids, content hashes and codes_NL of the notes that have no ID yet."""
    import numpy as np

    from jobs.ids.quantizer import load_quantizer
    from models.ids.rqvae import codes_of

    model = load_quantizer(Artifacts(lake, "quantizer"), generation)
    note_ids: list[str] = []
    content_hashes: list[str] = []
    codes = [np.empty((0, model.config.levels), dtype=np.int32)]
    for piece in vectors_of(lake, day, new):
        if piece.vectors_ND.shape[1] != model.config.input_dim:
            raise LakeError(
                f"table note_embeddings ds={day}: vectors have {piece.vectors_ND.shape[1]} dimensions, "
                f"quantizer {generation} reads {model.config.input_dim}: train a quantizer on this day's embeddings"
            )
        note_ids += piece.note_ids
        content_hashes += piece.content_hashes
        codes.append(codes_of(model, piece.vectors_ND))
    return note_ids, content_hashes, np.concatenate(codes)


def with_ids(lake: Lake, generation: str, day: str, notes: pa.Table) -> tuple[Entries, int]:
    """The ledger with an ID for each of these notes, and how many it gave now."""
    ledger = Ledger(lake, generation)
    entries = ledger.read()
    new = notes.column("note_id").filter(pa.array(entries.places(notes.column("note_id")) < 0))
    if not len(new):
        return entries, 0
    return ledger.give(*encode_new(lake, generation, day, new), day), len(new)


def semantic_ids(entries: Entries, notes: pa.Table, generation: str) -> pa.Table:
    """The rows of the table: what the ledger holds of the day's notes, with the codes as text."""
    found = entries.rows.take(pa.array(entries.places(notes.column("note_id"))))
    texts = pa.array([codes_to_text(codes) for codes in found.column("codes").to_pylist()], pa.string())
    columns = {
        "note_id": found.column("note_id"),
        "codes": found.column("codes"),
        "semantic_id": texts,
        "tie_break": found.column("tie_break"),
        "generation": pa.array([generation] * len(found), pa.string()),
        "since": found.column("since"),
    }
    return pa.table({name: columns[name] for name in SEMANTIC_IDS.column_names})


def plan_of(lake: Lake, day: str, generation: str) -> Plan:
    """What the day's rows depend on. The ledger is no part of it: it grows, and what it says of these notes stays."""
    return Plan("assign_ids", day, published_reads(lake, [(NOTE_EMBEDDINGS, day)]), artifacts={"quantizer": generation})


def stage(lake: Lake, plan: Plan, generation: str) -> None:
    """Give IDs to the notes that have none, and stage the day's."""
    notes = embedded_notes(lake, plan.day)
    require_encoder(lake, generation, notes, plan.day)
    entries, num_new = with_ids(lake, generation, plan.day, notes)
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
