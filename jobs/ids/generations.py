"""Make a generation of the quantizer: fit, number its codes like the generation before, give its notes their first IDs."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.artifact import Artifacts
from jobs.ids.gates import KEYS
from jobs.ids.inputs import (
    Inputs,
    as_read,
    pairs_among,
    paths_of,
    reads_pairs,
    reads_paths,
    reads_pictures,
    training_inputs,
)
from jobs.ids.ledger import codes_matrix, lists_of
from jobs.ids.pictures import picture_encoders
from jobs.ids.quantizer import KIND, first_ids, load_fuse, load_quantizer, quantizer_card, save_quantizer
from jobs.ids.settings import Quantizer
from jobs.ids.soundness import require_sound, unsound
from jobs.ids.tokenizers import Rows, fit_named, recipe_of
from jobs.ids.vectors import Vectors, embedded_notes, sample_ids, vectors_of
from jobs.lake import Lake, LakeError, canonical_json
from jobs.staging import code_hash

if TYPE_CHECKING:
    from models.ids.collisions import Placed
    from models.ids.health import Health
    from models.ids.tokenizer import Codes, Fitted

# At 384 dimensions 400 MB; more notes than this do not move the centroids of a few hundred codes.
MAX_ROWS = 262_144
log = logging.getLogger("notemill")


class TrainingRows(NamedTuple):
    """What is learned from, in order of note_id: rows as the tokenizer reads them, their text vectors and the fusion
    between the two (None: they are the same), the contents' hashes, encoders and how many notes the day has.
    """

    rows: Rows
    text_ND: Vectors
    inputs: Inputs | None
    content_hashes: list[str]
    encoders: list[str]
    num_notes: int

    @property
    def num_contents(self) -> int:
        """How many different vectors there are."""
        return int(self.rows.content_N.max()) + 1


class Before(NamedTuple):
    """IDs of the generation before, of the training rows `at_M`."""

    generation: str
    at_M: np.ndarray[Any, np.dtype[np.int64]]
    codes_ML: Codes
    encoders: list[str]


def recipe_hash(reads: Mapping[str, str], settings: Quantizer) -> str:
    """What training learns from: the embeddings, the settings (the gates are none of it) and the code."""
    learned_from = {name: value for name, value in dataclasses.asdict(settings).items() if name not in KEYS}
    identity = {"reads": dict(reads), "settings": learned_from, "code": code_hash()}
    return hashlib.sha256(canonical_json(identity)).hexdigest()


def generation_of(recipe: str, before: str | None) -> str:
    """The name of what training would make: it stands for the recipe and the generation whose numbers it takes over."""
    return "g" + hashlib.sha256(f"{recipe}{before or ''}".encode()).hexdigest()[:12]


def read_rows(lake: Lake, day: str, settings: Quantizer) -> TrainingRows:
    """The day's vectors, and what else the settings ask for. Raises `LakeError` where something is not there or unsound."""
    from models.ids.health import row_groups

    notes = embedded_notes(lake, day)
    if not len(notes):
        raise LakeError(f"table note_embeddings ds={day} has no rows to train a quantizer on: choose a day that has notes")
    pieces = list(vectors_of(lake, day, sample_ids(notes, MAX_ROWS)))
    note_ids = [note for piece in pieces for note in piece.note_ids]
    hashes = [content for piece in pieces for content in piece.content_hashes]
    vectors_ND = np.concatenate([piece.vectors_ND for piece in pieces])
    wrong = np.flatnonzero(unsound(vectors_ND))
    require_sound(day, len(wrong), [note_ids[row] for row in wrong])
    order = sorted(range(len(note_ids)), key=note_ids.__getitem__)
    text_ND, note_ids = vectors_ND[order], [note_ids[row] for row in order]
    inputs = None if settings.inputs == "text" else training_inputs(lake, day, note_ids, text_ND, settings)
    vectors_ND = inputs.fused_NF if inputs else text_ND
    pairs_P2, score_P = pairs_among(lake, day, note_ids) if reads_pairs(settings) else (None, None)
    paths = paths_of(lake, day, note_ids) if reads_paths(settings) else None
    rows = Rows(vectors_ND, row_groups(vectors_ND), note_ids, pairs_P2, score_P, paths)
    encoders = sorted(notes.column("encoder").unique().to_pylist())
    return TrainingRows(rows, text_ND, inputs, [hashes[row] for row in order], encoders, len(notes))


def codes_for(settings: Quantizer, num_contents: int) -> tuple[int, str]:
    """How many codes a level, and a sentence on it: no more than there are different vectors."""
    codes = max(1, min(settings.codes, num_contents))
    if codes == settings.codes:
        return codes, f"{codes} codes a level, as configured."
    note = f"{codes} codes a level, not {settings.codes} as configured: there are only {num_contents} different vectors."
    log.warning("quantizer: %s", note)
    return codes, note


def ids_before(lake: Lake, day: str, generation: str, trained: TrainingRows) -> Before:
    """The IDs that an older generation gives these notes: those it began with, codes of its tokenizer for the others.

    The ledger is not asked: it grows from day to day, and the same training must make the same generation.
    """
    artifacts = Artifacts(lake, KIND)
    tokenizer, encoders = load_quantizer(artifacts, generation), artifacts.manifest(generation)["encoders"]
    fuse = load_fuse(artifacts, generation)
    text_dim = fuse.text_dim if fuse else tokenizer.input_dim
    rows, known = trained.rows, first_ids(artifacts, generation)
    codes_NL = np.full((len(rows.note_ids), tokenizer.levels), -1, dtype=np.int32)
    if known is not None and len(known):
        at = pc.index_in(pa.array(rows.note_ids, pa.string()), value_set=known.column("note_id").combine_chunks())
        at_N = np.asarray(pc.fill_null(at, -1))
        codes_NL[at_N >= 0] = codes_matrix(known.column("codes"))[at_N[at_N >= 0], : tokenizer.levels]
    left_M = np.flatnonzero(codes_NL[:, 0] < 0)
    if len(left_M) and encoders == trained.encoders and text_dim == trained.text_ND.shape[1]:
        left_ids = [rows.note_ids[row] for row in left_M.tolist()]
        codes_NL[left_M] = tokenizer.encode(as_read(lake, day, left_ids, trained.text_ND[left_M], fuse))
    at_M = np.flatnonzero(codes_NL[:, 0] >= 0)
    return Before(generation, at_M, codes_NL[at_M], encoders)


def aligned(fitted: Fitted, before: Before, trained: TrainingRows) -> Fitted:
    """The fit with its codes numbered like those of the generation before."""
    from models.ids.alignment import Relabeled, align, renamed

    vectors_MD = trained.rows.vectors_ND[before.at_M] if before.encoders == trained.encoders else None
    names_LK = align(fitted.codes_NL[before.at_M], before.codes_ML, fitted.tokenizer.codes, vectors_MD)
    tokenizer = Relabeled(fitted.tokenizer, names_LK)
    return fitted._replace(tokenizer=tokenizer, codes_NL=renamed(fitted.codes_NL, names_LK))


def first_placed(fitted: Fitted, trained: TrainingRows, policy: str) -> Placed:
    """The first IDs: the fitted codes with equal ones treated."""
    from models.ids.collisions import place
    from models.ids.possible import possible_costs

    vectors_ND, levels = trained.rows.vectors_ND, fitted.codes_NL.shape[1] + (policy == "extra")
    content_N = np.unique(trained.content_hashes, return_inverse=True)[1].astype(np.int64)
    nobody = np.empty((0, levels), dtype=np.int32)
    tokenizer = fitted.tokenizer

    def costs(rows_R: Any, codes_RL: Codes) -> Any:
        return possible_costs(tokenizer, vectors_ND[rows_R], codes_RL)

    return place(policy, fitted.codes_NL, content_N, nobody, tokenizer.codes, costs)


def build(
    lake: Lake, day: str, settings: Quantizer, generation: str, reads: Mapping[str, str], before: str | None, folder: Path
) -> dict[str, Any]:
    """Train into `folder` and return the facts for the manifest."""
    from models.ids.alignment import churn
    from models.ids.health import health

    trained = read_rows(lake, day, settings)
    codes, codes_note = codes_for(settings, trained.num_contents)
    count = len(trained.content_hashes)
    log.info("quantizer %s: trains on %d of %d notes of ds=%s", generation, count, trained.num_notes, day)
    fitted = fit_named(settings.tokenizer, trained.rows, settings, codes, state_of(lake, generation))
    old = ids_before(lake, day, before, trained) if before else None
    if old is not None and len(old.at_M):
        fitted = aligned(fitted, old, trained)
    placed = first_placed(fitted, trained, settings.collisions)
    levels = fitted.codes_NL.shape[1]
    kept = old and {"against": old.generation, **churn(old.codes_ML, placed.codes_NL[old.at_M, :levels])._asdict()}
    facts = {
        "trained_on": f"{next(iter(reads))}/{next(iter(reads.values()))}",
        "depends_on": {"reads": dict(reads), "code": code_hash()},
        "recipe": recipe_hash(reads, settings),
        "since": day,
        "encoders": trained.encoders,
        "picture_encoders": picture_encoders(lake, day) if reads_pictures(settings) else [],
        "num_notes": trained.num_notes,
        "num_rows": count,
        "num_contents": trained.num_contents,
        "settings": {
            **recipe_of(settings.tokenizer, settings, codes, trained.rows.vectors_ND.shape[1]),
            "collisions": settings.collisions,
            "inputs": settings.inputs,
        },
        "codes_note": codes_note,
        "fit": {**fitted.figures, **(trained.inputs.figures if trained.inputs else {})},
        "figures": facts_of(health(fitted.codes_NL, codes, trained.rows.content_N)),
        "collisions": {name: value for name, value in placed._asdict().items() if name != "codes_NL"},
        "churn": kept,
    }
    ids = ids_table(trained, fitted, placed)
    fuse = trained.inputs.fuse if trained.inputs else None
    save_quantizer(folder, settings.tokenizer, fitted.tokenizer, fuse, ids, quantizer_card(generation, facts))
    return facts


def ids_table(trained: TrainingRows, fitted: Fitted, placed: Placed) -> pa.Table:
    """The rows of the artifact's `ids.parquet`."""
    return pa.table(
        {
            "note_id": pa.array(trained.rows.note_ids, pa.string()),
            "content_hash": pa.array(trained.content_hashes, pa.string()),
            "fitted": lists_of(fitted.codes_NL),
            "codes": lists_of(placed.codes_NL),
        }
    )


def facts_of(found: Health) -> dict[str, Any]:
    """The figures as plain data, for a manifest."""
    return {**found._asdict(), "levels": [level._asdict() for level in found.levels]}


def state_of(lake: Lake, generation: str) -> Path:
    """Where a training keeps its state between steps."""
    return lake.root / "artifacts" / KIND / f".{generation}.training" / "state.safetensors"
