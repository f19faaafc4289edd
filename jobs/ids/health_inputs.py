"""What the health report reads of a day: IDs, texts and categories, pairs, and vectors with what their codes keep."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.artifact import Artifacts
from jobs.ids.inputs import as_read
from jobs.ids.ledger import codes_matrix
from jobs.ids.vectors import embedded_notes, sample_ids, vectors_of
from jobs.lake import Lake, LakeError
from models.ids.churn import Index
from models.ids.reconstruction import explained_share
from schemas.tables import NOTE_EMBEDDINGS, NOTE_PAIRS, NOTES, SEMANTIC_IDS

if TYPE_CHECKING:
    from models.ids.tokenizer import Tokenizer

SAMPLE = 32_768  # notes whose vectors are reconstructed
PAIRS_AT_ONCE = 4_000_000
log = logging.getLogger("notemill")


class DayIds(NamedTuple):
    """The published IDs of a day."""

    entries: Index
    generation: str


class Contents(NamedTuple):
    """In the order of the IDs: text_N (equal texts, equal numbers) and the category paths."""

    text_N: NDArray[np.int64]
    categories: pa.ChunkedArray


class DayPairs(NamedTuple):
    """pairs_P2 of places among the IDs, the pairs' scores, and how many pairs are of a note without ID."""

    pairs_P2: NDArray[np.int32]
    weight_P: NDArray[np.float64]
    num_unknown: int


def ids_of(lake: Lake, day: str) -> DayIds:
    """The day's IDs. Raises `LakeError` where none are published, or of several generations."""
    rows = pq.read_table(lake.files(SEMANTIC_IDS, day), columns=["note_id", "codes", "tie_break", "generation"])
    generations = sorted(rows.column("generation").unique().to_pylist())
    if len(generations) != 1:
        raise LakeError(f"table semantic_ids ds={day} has {len(rows)} rows of generations {generations}: expected just one")
    rank_N = rows.column("tie_break").to_numpy()
    return DayIds(Index(rows.column("note_id"), codes_matrix(rows.column("codes")), rank_N), generations[0])


def day_of_other_generation(lake: Lake, day: str, generation: str) -> str | None:
    """The last published day before, if its IDs are of another generation."""
    before = lake.last_before(SEMANTIC_IDS, day)
    if before is None:
        return None
    batch = next(pq.ParquetFile(lake.files(SEMANTIC_IDS, before)[0]).iter_batches(1, columns=["generation"]))
    return before if batch.column("generation")[0].as_py() != generation else None


def contents_of(lake: Lake, day: str, note_ids: pa.ChunkedArray) -> Contents:
    """Texts and categories of these notes. Raises `LakeError` where one is not in `notes` of the day."""
    rows = pq.read_table(lake.files(NOTES, day), columns=["note_id", "category", "text_hash"])
    place = pc.index_in(note_ids, value_set=_array(rows.column("note_id")))
    if place.null_count:
        raise LakeError(
            f"table semantic_ids ds={day} has {place.null_count} notes that notes of the day has not: assign IDs again "
            f"(assign_ids --day {day}), publish them, then report"
        )
    found = rows.take(place)
    text = pc.dictionary_encode(_array(found.column("text_hash")))
    return Contents(text.indices.to_numpy(zero_copy_only=False).astype(np.int64), found.column("category"))


def pairs_of(lake: Lake, day: str, note_ids: pa.ChunkedArray) -> DayPairs:
    """The day's pairs; none where none are published."""
    known = _array(note_ids)
    found = [DayPairs(np.empty((0, 2), dtype=np.int32), np.empty(0), 0)]
    for path in lake.files(NOTE_PAIRS, day) if lake.partition(NOTE_PAIRS, day) else []:
        columns = ["note_id", "related_note_id", "score"]
        for batch in pq.ParquetFile(path).iter_batches(PAIRS_AT_ONCE, columns=columns):
            found.append(placed(batch.column("note_id"), batch.column("related_note_id"), batch.column("score"), known))
    return DayPairs(
        np.concatenate([piece.pairs_P2 for piece in found]),
        np.concatenate([piece.weight_P for piece in found]),
        sum(piece.num_unknown for piece in found),
    )


def placed(left: pa.Array, right: pa.Array, score: pa.Array, known: pa.Array) -> DayPairs:
    """Pairs of ids as pairs of places among `known`; those of an unknown note, or of one note twice, are left out."""
    places = [pc.fill_null(pc.index_in(ids, value_set=known), -1).to_numpy(zero_copy_only=False) for ids in (left, right)]
    pairs_P2 = np.stack(places, axis=1).astype(np.int32)
    is_known = (pairs_P2 >= 0).all(axis=1)
    is_kept = is_known & (pairs_P2[:, 0] != pairs_P2[:, 1])
    weight_P = score.to_numpy(zero_copy_only=False).astype(np.float64)
    return DayPairs(pairs_P2[is_kept], weight_P[is_kept], int((~is_known).sum()))


def explained_by(lake: Lake, day: str, ids: DayIds) -> float | None:
    """Share of the vectors' variance that the published codes keep, of a sample of notes.

    None, with a line in the log, where the vectors or the tokenizer are not there, or are not of one width.
    """
    artifacts = Artifacts(lake, "quantizer")
    if lake.partition(NOTE_EMBEDDINGS, day) is None or ids.generation not in artifacts.generations():
        log.info("id_health ds=%s: no vectors or no quantizer %s here, reconstruction is left out", day, ids.generation)
        return None
    from jobs.ids.quantizer import load_fuse, load_quantizer

    pieces = list(vectors_of(lake, day, sample_ids(embedded_notes(lake, day), SAMPLE)))
    place = pc.index_in(
        pa.array([n for piece in pieces for n in piece.note_ids], pa.string()), value_set=_array(ids.entries.note_ids)
    )
    known = np.asarray(pc.is_valid(place).to_numpy(zero_copy_only=False))
    codes_NL = ids.entries.codes_NL[place.drop_null().to_numpy()]
    vectors_ND, fuse = np.concatenate([piece.vectors_ND for piece in pieces]), load_fuse(artifacts, ids.generation)
    if fuse is None or fuse.text_dim == vectors_ND.shape[1]:
        vectors_ND = as_read(lake, day, [n for piece in pieces for n in piece.note_ids], vectors_ND, fuse)
    return explained(load_quantizer(artifacts, ids.generation), vectors_ND[known], codes_NL, day)


def explained(
    tokenizer: Tokenizer, vectors_ND: NDArray[np.float32], codes_NL: NDArray[np.int32], day: str
) -> float | None:
    """`explained_share` of what the tokenizer makes of the codes; a last code beyond its levels tells notes apart only."""
    if not len(vectors_ND):
        return None
    try:
        made_ND = tokenizer.reconstruct(codes_NL[:, : tokenizer.levels])
    except ValueError as error:  # an ID that overflowed into a prefix that a tree has not
        log.info("id_health ds=%s: reconstruction is left out: %s", day, error)
        return None
    if made_ND.shape != vectors_ND.shape:
        log.warning("id_health ds=%s: the quantizer makes vectors of %d, not %d", day, made_ND.shape[1], vectors_ND.shape[1])
        return None
    try:
        return explained_share(vectors_ND, made_ND)
    except ValueError as error:
        raise LakeError(f"table note_embeddings ds={day}: {error}") from None


def codebook_sizes(lake: Lake, ids: DayIds) -> list[int]:
    """The size of every level's codebook, as the quantizer's manifest has it.

    A level that the quantizer does not know (a code added to tell notes apart, or no quantizer here at all) counts as
    large as its greatest code asks for.
    """
    artifacts = Artifacts(lake, "quantizer")
    is_here = ids.generation in artifacts.generations()
    settings = artifacts.manifest(ids.generation).get("settings", {}) if is_here else {}
    levels, codes = settings.get("levels", 0), settings.get("codes")
    needed = [int(most) + 1 for most in ids.entries.codes_NL.max(axis=0)]
    return [codes if codes and level < levels else need for level, need in enumerate(needed)]


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
