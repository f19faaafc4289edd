"""What a quantizer reads of a note: the day's text vectors, and with them pictures and clicks, fused by a frozen `Fuse`.

Training fits the fusion on the sample that the quantizer is fitted on, and sees all blocks. Encoding reads text vectors
and, where the fusion has a picture block, the day's `picture_embeddings`; how a note is clicked is predicted from its text.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.ids.pictures import Pictures
from jobs.ids.settings import INPUTS, Quantizer
from jobs.ids.vectors import Piece, Vectors
from jobs.lake import Lake, LakeError
from jobs.staging import published_reads
from schemas.tables import NOTE_EMBEDDINGS, NOTE_PAIRS, NOTES, PICTURE_EMBEDDINGS

if TYPE_CHECKING:
    from models.ids.inputs import Block, Fuse
    from schemas.table import Table

MAX_PAIRS = 20_000_000  # 0.5 GB; of more the best ranks are taken, the same for every note
MAX_DIM = 4096
log = logging.getLogger("notemill")


class Inputs(NamedTuple):
    """Training rows as a quantizer sees them, in the order of the notes; the fusion that made them; figures for a card."""

    fused_NF: Vectors
    fuse: Fuse
    figures: dict[str, float]


def require_sane_inputs(settings: Quantizer) -> None:
    """Raise `LakeError` where `quantizer.inputs` or what belongs to it cannot be."""
    if settings.inputs not in INPUTS:
        raise LakeError(f"quantizer.inputs is {settings.inputs!r}: it may be {', '.join(INPUTS)}")
    for name, value in (
        ("picture_weight", settings.picture_weight),
        ("collaborative_weight", settings.collaborative_weight),
    ):
        if not 0 < value <= 1000:
            raise LakeError(f"quantizer.{name} is {value}: it must be above 0 and at most 1000; or leave the input out")
    if not 1 <= settings.collaborative_dim <= MAX_DIM:
        raise LakeError(f"quantizer.collaborative_dim is {settings.collaborative_dim}: it must be from 1 to {MAX_DIM}")


def reads_pictures(settings: Quantizer) -> bool:
    """Whether IDs are made of pictures too."""
    return "picture" in settings.inputs.split("_")


def fuses_pairs(settings: Quantizer) -> bool:
    """Whether vectors are made of clicks too."""
    return "collaborative" in settings.inputs.split("_")


def reads_pairs(settings: Quantizer) -> bool:
    """Whether a fit looks at who is clicked with whom."""
    by_loss = settings.tokenizer == "rqvae" and (settings.collaborative_loss > 0 or settings.pair_loss > 0)
    return fuses_pairs(settings) or by_loss or settings.tokenizer == "community"


def reads_paths(settings: Quantizer) -> bool:
    """Whether a fit looks at category paths."""
    return settings.tokenizer == "category"


def training_reads(lake: Lake, day: str, settings: Quantizer) -> dict[str, str]:
    """The published partitions that a training reads. Raises `LakeError` where one is not there."""
    wanted: list[Table] = [NOTE_EMBEDDINGS]
    wanted += [PICTURE_EMBEDDINGS] if reads_pictures(settings) else []
    wanted += [NOTE_PAIRS] if reads_pairs(settings) else []
    wanted += [NOTES] if reads_paths(settings) else []
    return published_reads(lake, [(table, day) for table in wanted])


def encoding_reads(lake: Lake, day: str, fuse: Fuse) -> dict[str, str]:
    """The published partitions that encoding a day reads. Raises `LakeError` where one is not there."""
    wanted = [NOTE_EMBEDDINGS, *([PICTURE_EMBEDDINGS] if "picture" in fuse.parts else [])]
    return published_reads(lake, [(table, day) for table in wanted])


def pictures_of(lake: Lake, day: str, fuse: Fuse) -> Pictures | None:
    """The day's pictures where the fusion reads any."""
    return Pictures(lake.files(PICTURE_EMBEDDINGS, day), day) if "picture" in fuse.parts else None


def fused(pieces: Iterator[Piece], fuse: Fuse, pictures: Pictures | None) -> Iterator[Piece]:
    """Pieces of text vectors with what the quantizer reads in their place. Raises `LakeError` where they do not fit."""
    for piece in pieces:
        note_ids = pa.array(piece.note_ids, pa.string())
        yield piece._replace(vectors_ND=fused_vectors(piece.vectors_ND, note_ids, fuse, pictures))


def fused_vectors(text_ND: Vectors, note_ids: pa.Array, fuse: Fuse, pictures: Pictures | None) -> Vectors:
    """fused_NF of these notes as a day has them: text, picture where there is one. Raises `LakeError`."""
    try:
        return fuse.fuse(text_ND, picture=pictures.of(note_ids) if pictures else None)
    except ValueError as error:
        raise LakeError(f"the day's vectors do not fit the quantizer's inputs: {error}") from None


def training_inputs(lake: Lake, day: str, note_ids: Sequence[str], text_ND: Vectors, settings: Quantizer) -> Inputs:
    """Fit the fusion on these notes, sorted by note_id, and fuse them with all that the day knows of them.

    Raises `LakeError` where a block that is asked for has no vectors on the day.
    """
    import torch

    from models.ids.inputs import Config, fit

    require_sane_inputs(settings)
    torch.set_num_threads(1)  # one order of every sum
    names = pa.array(note_ids, pa.string())
    picture = Pictures(lake.files(PICTURE_EMBEDDINGS, day), day).of(names) if reads_pictures(settings) else None
    clicked = clicked_block(lake, day, names, settings) if fuses_pairs(settings) else None
    _require_some(picture, clicked, day, settings)
    config = Config(
        settings.picture_weight if reads_pictures(settings) else None,
        settings.collaborative_weight if fuses_pairs(settings) else None,
    )
    try:
        fuse, figures = fit(text_ND, config, picture, clicked)
        return Inputs(fuse.fuse(text_ND, picture, clicked), fuse, figures)
    except ValueError as error:
        raise LakeError(f"the inputs of a quantizer cannot be made of ds={day}: {error}") from None


def _require_some(picture: Block | None, clicked: Block | None, day: str, settings: Quantizer) -> None:
    if reads_pictures(settings) and (picture is None or not picture.has_N.any()):
        raise LakeError(
            f"quantizer.inputs is {settings.inputs}, and table picture_embeddings ds={day} has no vector of these notes: "
            "name an image_encoder and make the day again, or leave pictures out"
        )
    if fuses_pairs(settings) and (clicked is None or not clicked.has_N.any()):
        raise LakeError(
            f"quantizer.inputs is {settings.inputs}, and table note_pairs ds={day} has no pair of these notes: choose a day "
            "with clicks, or leave the collaborative input out"
        )


def clicked_block(lake: Lake, day: str, note_ids: pa.Array, settings: Quantizer) -> Block:
    """Collaborative vectors of these notes from the day's pairs, scaled to length 1: how often a note is clicked is no
    likeness. Notes without pairs have none."""
    from models.ids.inputs import Block
    from models.ids.pair_vectors import collaborative_vectors

    pairs = best_pairs(lake, day)
    both = pa.concat_arrays([pairs.column(name).combine_chunks() for name in ("note_id", "related_note_id")])
    items = both.unique().sort()  # by name, so that neither files nor days decide
    pairs_P2 = np.asarray(pc.index_in(both, value_set=items), dtype=np.int64).reshape(2, -1).T
    weights_P = np.asarray(pairs.column("score").combine_chunks(), dtype=np.float64)
    vectors_MC = collaborative_vectors(pairs_P2, weights_P, len(items), settings.collaborative_dim, settings.seed)
    lengths_M1 = np.linalg.norm(vectors_MC.astype(np.float64), axis=1, keepdims=True)
    vectors_MC = np.divide(vectors_MC, lengths_M1, where=lengths_M1 > 0, out=np.zeros_like(vectors_MC), casting="same_kind")
    at_N = np.asarray(pc.fill_null(pc.index_in(note_ids, value_set=items), -1))
    vectors_NC = np.zeros((len(note_ids), settings.collaborative_dim), dtype=np.float32)
    vectors_NC[at_N >= 0] = vectors_MC[at_N[at_N >= 0]]
    return Block(vectors_NC, np.asarray(vectors_NC.any(axis=1)))


def best_pairs(lake: Lake, day: str) -> pa.Table:
    """note_id, related_note_id and score of the day's pairs up to the rank at which they are `MAX_PAIRS`."""
    files = lake.files(NOTE_PAIRS, day)
    ranks = np.bincount(np.asarray(pq.read_table(files, columns=["rank"]).column("rank").combine_chunks(), dtype=np.int64))
    last = max(1, int((ranks.cumsum() <= MAX_PAIRS).sum()) - 1)
    if last < len(ranks) - 1:
        log.info("ids: note_pairs ds=%s holds more than %d pairs, ranks 1 to %d are taken", day, MAX_PAIRS, last)
    columns = ["note_id", "related_note_id", "score"]
    return pq.read_table(files, columns=columns, filters=[("rank", "<=", last)])


def pairs_among(lake: Lake, day: str, note_ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """pairs_P2 of places among these notes and their scores. Raises `LakeError` where the day has no pair of them."""
    pairs, names = best_pairs(lake, day), pa.array(note_ids, pa.string())
    columns = [pairs.column(name).combine_chunks() for name in ("note_id", "related_note_id")]
    pairs_P2 = np.stack([np.asarray(pc.fill_null(pc.index_in(c, value_set=names), -1)) for c in columns], axis=1)
    is_kept = (pairs_P2 >= 0).all(axis=1) & (pairs_P2[:, 0] != pairs_P2[:, 1])
    if not is_kept.any():
        raise LakeError(
            f"table note_pairs ds={day} has no pair of the notes to train on, and these settings of quantizer learn from "
            "pairs: choose a day with clicks, or another tokenizer"
        )
    return pairs_P2[is_kept].astype(np.int64), np.asarray(pairs.column("score"), dtype=np.float64)[is_kept]


def paths_of(lake: Lake, day: str, note_ids: Sequence[str]) -> list[tuple[str, ...]]:
    """The category paths of these notes. Raises `LakeError` where one is not in the day's notes."""
    rows = pq.read_table(lake.files(NOTES, day), columns=["note_id", "category"])
    place = pc.index_in(pa.array(note_ids, pa.string()), value_set=rows.column("note_id").combine_chunks())
    if place.null_count:
        raise LakeError(f"table note_embeddings ds={day} has {place.null_count} notes that notes of the day has not")
    return [tuple(path or ()) for path in rows.column("category").take(place).to_pylist()]


def as_read(
    lake: Lake, day: str, note_ids: Sequence[str], text_ND: Vectors, fuse: Fuse | None
) -> Vectors:
    """What a quantizer with this fusion reads of these notes on the day: the text as it is where there is none."""
    if fuse is None:
        return text_ND
    return fused_vectors(text_ND, pa.array(note_ids, pa.string()), fuse, pictures_of(lake, day, fuse))
