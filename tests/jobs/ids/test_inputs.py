"""A day's texts, pictures and clicks become one vector a note, the same at training, on the day and in any piece."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs import part_files
from jobs.config import Quantizer
from jobs.ids.inputs import (
    best_pairs,
    encoding_reads,
    fused,
    fused_vectors,
    pictures_of,
    require_sane_inputs,
    training_inputs,
    training_reads,
)
from jobs.ids.pictures import Pictures, picture_encoders, require_picture_encoder
from jobs.ids.vectors import Piece, embedded_notes, vectors_of
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from models.ids.inputs import from_tensors
from schemas.tables import PICTURE_EMBEDDINGS
from tests.jobs.ids.embedded import numbered, publish_embeddings, publish_pairs, publish_pictures, vector
from tests.jobs.lakes import stage_rows

D1, D2 = "2026-03-01", "2026-03-02"
NOTES = numbered(1, 40)
SHOWN = {note_id: f"picture {int(note_id[1:]) % 7}" for note_id in list(NOTES)[::2]}  # every other note, some alike
# Two circles of ten notes each; notes 21 to 40 are clicked by nobody.
PAIRS = [(at, base + (at - base + step) % 10) for base in (1, 11) for at in range(base, base + 10) for step in (1, 2)]


@pytest.fixture
def day(lake: Lake, quick_publish: None) -> Lake:
    publish_embeddings(lake, D1, NOTES)
    publish_pictures(lake, D1, SHOWN)
    publish_pairs(lake, D1, PAIRS)
    return lake


@pytest.fixture
def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of 3 rows and files of 8: everything is found over many of both."""
    monkeypatch.setattr(part_files, "ROWS_A_GROUP", 3)
    monkeypatch.setattr("jobs.staging.ROWS_A_FILE", 8)


def _settings(inputs: str, **other: Any) -> Quantizer:
    return Quantizer(inputs=inputs, collaborative_dim=4, **other)


def _texts(lake: Lake, day: str) -> tuple[list[str], np.ndarray]:
    pieces = list(vectors_of(lake, day, embedded_notes(lake, day).column("note_id")))
    note_ids = [note for piece in pieces for note in piece.note_ids]
    order = sorted(range(len(note_ids)), key=note_ids.__getitem__)
    return [note_ids[i] for i in order], np.concatenate([piece.vectors_ND for piece in pieces])[order]


def _trained(lake: Lake, inputs: str, **other: Any) -> Any:
    note_ids, text_ND = _texts(lake, D1)
    return training_inputs(lake, D1, note_ids, text_ND, _settings(inputs, **other))


@pytest.mark.parametrize(
    ("inputs", "width", "figures"),
    [
        ("text", 8, set()),
        ("text_picture", 13, {"picture share", "picture predicted"}),
        ("text_collaborative", 12, {"collaborative share", "collaborative predicted"}),
    ],
)
def test_what_is_asked_for_is_fused(day: Lake, inputs: str, width: int, figures: set[str]) -> None:
    found = _trained(day, inputs)
    assert found.fused_NF.shape == (40, width)
    assert set(found.figures) == figures
    assert {found.figures[name] for name in figures if name.endswith("share")} <= {0.5}  # half have each


def test_text_alone_is_the_published_vector_to_the_byte(day: Lake) -> None:
    assert _trained(day, "text").fused_NF.tobytes() == _texts(day, D1)[1].tobytes()


def test_notes_with_one_picture_share_its_block_and_notes_clicked_together_are_near(day: Lake) -> None:
    found = _trained(day, "text_picture_collaborative").fused_NF
    assert found.shape == (40, 8 + 5 + 4)
    assert SHOWN["n0001"] == SHOWN["n0015"] != SHOWN["n0003"]
    assert np.array_equal(found[0, 8:13], found[14, 8:13])
    assert not np.array_equal(found[0, 8:13], found[2, 8:13])
    clicked = found[:, 13:]
    within = np.linalg.norm(clicked[:10] - clicked[:10].mean(axis=0), axis=1).mean()
    assert within < np.linalg.norm(clicked[:10].mean(axis=0) - clicked[10:20].mean(axis=0))


def test_a_day_is_fused_as_at_training_and_clicks_are_predicted(cut_small: None, day: Lake) -> None:
    with_pictures = _trained(day, "text_picture")
    everything = _trained(day, "text_picture_collaborative")
    for trained in (with_pictures, everything):
        fuse = from_tensors(trained.fuse.tensors())
        texts = vectors_of(day, D1, embedded_notes(day, D1).column("note_id"))
        pieces = list(fused(texts, fuse, pictures_of(day, D1, fuse)))
        rows = {n: v for p in pieces for n, v in zip(p.note_ids, p.vectors_ND, strict=True)}
        found = np.stack([rows[n] for n in sorted(rows)])
        assert np.array_equal(found[:, :13], trained.fused_NF[:, :13])
    assert np.array_equal(found[20:, 13:], trained.fused_NF[20:, 13:])  # nobody clicked them: predicted at training too
    assert not np.array_equal(found[:20, 13:], trained.fused_NF[:20, 13:])


def test_however_the_tables_are_cut_into_files_the_bytes_are_the_same(
    lake: Lake, quick_publish: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for day, cut in ((D1, False), (D2, True)):
        if cut:
            monkeypatch.setattr(part_files, "ROWS_A_GROUP", 3)
            monkeypatch.setattr("jobs.staging.ROWS_A_FILE", 8)
        publish_embeddings(lake, day, NOTES)
        publish_pictures(lake, day, SHOWN)
        publish_pairs(lake, day, PAIRS)
        note_ids, text_ND = _texts(lake, day)
        inputs = training_inputs(lake, day, note_ids, text_ND, _settings("text_picture_collaborative"))
        found.append({**inputs.fuse.tensors(), "fused": inputs.fused_NF})
    assert len(lake.files(PICTURE_EMBEDDINGS, D2)) == 3
    assert {name: value.tobytes() for name, value in found[0].items()} == {n: v.tobytes() for n, v in found[1].items()}


def test_pictures_are_found_in_any_order_and_travel_to_a_worker(day: Lake, cut_small: None) -> None:
    publish_pictures(day, D1, {**SHOWN, "n0040": "another"})
    pictures = pickle.loads(pickle.dumps(Pictures(day.files(PICTURE_EMBEDDINGS, D1), D1)))
    block = pictures.of(pa.array(["n0040", "n0002", "n0001", "none", "n0039"]))
    assert block.has_N.tolist() == [True, False, True, False, True]
    expected = np.array([vector(name, 5) for name in ("another", "picture 1", "picture 4")])
    assert block.vectors_NP[[0, 2, 4]] == pytest.approx(expected)
    assert pictures.of(pa.array([], pa.string())).vectors_NP.shape == (0, 5)


def test_only_row_groups_that_may_hold_a_note_are_read(day: Lake, cut_small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_pictures(day, D1, {**SHOWN, "n0040": "another"})
    pictures = Pictures(day.files(PICTURE_EMBEDDINGS, D1), D1)
    pictures.of(pa.array(["n0001"]))
    read: list[str] = []
    real = Pictures._rows

    def watched(self: Pictures, span: Any) -> Any:
        read.append(span.first)
        return real(self, span)

    monkeypatch.setattr(Pictures, "_rows", watched)
    pictures.of(pa.array(["n0017", "n0019"]))
    assert set(read) == {"n0017"}  # 8 rows a file: n0001 to n0015, then n0017 on, in groups of 3


def test_a_day_whose_pictures_were_switched_off_is_predicted_with_a_warning(
    day: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    fuse = _trained(day, "text_picture").fuse
    publish_embeddings(day, D2, NOTES)
    publish_pictures(day, D2, {})
    note_ids, text_ND = _texts(day, D2)
    with caplog.at_level(logging.WARNING, "notemill"):
        require_picture_encoder(day, D2, "g1", picture_encoders(day, D1))
    assert "quantizer g1 reads pictures and picture_embeddings ds=2026-03-02 has none" in caplog.text
    found = fused_vectors(text_ND, pa.array(note_ids), fuse, pictures_of(day, D2, fuse))
    assert np.array_equal(found, fuse.fuse(text_ND))


def test_pictures_of_another_encoder_are_refused_by_name(day: Lake) -> None:
    trained = picture_encoders(day, D1)
    assert trained == ["eyes@0"]
    require_picture_encoder(day, D1, "g1", trained)
    publish_pictures(day, D2, SHOWN, encoder="other@1")
    with pytest.raises(LakeError, match=r"vectors of other@1, but quantizer g1 was trained on those of eyes@0"):
        require_picture_encoder(day, D2, "g1", trained)


def test_vectors_of_other_widths_are_named(day: Lake) -> None:
    fuse = _trained(day, "text_picture").fuse
    note_ids, text_ND = _texts(day, D1)
    publish_pictures(day, D2, SHOWN, dims=6)
    with pytest.raises(LakeError, match=r"picture vectors are \(6,\) wide, the inputs were made for 5"):
        fused_vectors(text_ND, pa.array(note_ids), fuse, pictures_of(day, D2, fuse))
    with pytest.raises(LakeError, match=r"text vectors are \(7,\) wide, the inputs were made for 8"):
        fused_vectors(text_ND[:, :7], pa.array(note_ids), fuse, None)
    rows = [{"note_id": f"n{i}", "picture_hash": "a" * 64, "encoder": "e", "embedding": [1.0] * i} for i in (1, 2)]
    stage_rows(day, PICTURE_EMBEDDINGS, D2, rows, salt="widths")
    publish(day, PICTURE_EMBEDDINGS, D2)
    with pytest.raises(LakeError, match=r"ds=2026-03-02: vectors of several lengths \[1, 2\]"):
        Pictures(day.files(PICTURE_EMBEDDINGS, D2), D2).of(pa.array(["n1"]))


def test_inputs_that_the_day_does_not_have_are_named_with_what_to_do(day: Lake) -> None:
    note_ids, text_ND = _texts(day, D1)
    publish_embeddings(day, D2, NOTES)
    with pytest.raises(LakeError, match=r"table picture_embeddings has no published partition ds=2026-03-02"):
        training_reads(day, D2, _settings("text_picture"))
    publish_pictures(day, D2, {})
    with pytest.raises(LakeError, match=r"ds=2026-03-02 has no vector of these notes: name an image_encoder"):
        training_inputs(day, D2, note_ids, text_ND, _settings("text_picture"))
    publish_pairs(day, D2, [(81, 82)])
    with pytest.raises(LakeError, match=r"note_pairs ds=2026-03-02 has no pair of these notes: choose a day with clicks"):
        training_inputs(day, D2, note_ids, text_ND, _settings("text_collaborative"))
    publish_pairs(day, D2, [])
    with pytest.raises(LakeError, match=r"note_pairs ds=2026-03-02 has no pair of these notes"):
        training_inputs(day, D2, note_ids, text_ND, _settings("text_collaborative"))


def test_a_text_vector_that_is_none_is_named(day: Lake) -> None:
    note_ids, text_ND = _texts(day, D1)
    text_ND[3] = 0
    with pytest.raises(LakeError, match=r"cannot be made of ds=2026-03-01: the text vector of row 3 is zero or not finite"):
        training_inputs(day, D1, note_ids, text_ND, _settings("text"))


def test_a_training_and_a_day_read_what_their_inputs_need_and_no_more(day: Lake) -> None:
    def names(reads: dict[str, str]) -> list[str]:
        return [name.split("/")[0] for name in reads]

    assert names(training_reads(day, D1, _settings("text"))) == ["note_embeddings"]
    everything = _settings("text_picture_collaborative")
    assert names(training_reads(day, D1, everything)) == ["note_embeddings", "picture_embeddings", "note_pairs"]
    assert names(encoding_reads(day, D1, _trained(day, everything.inputs).fuse)) == ["note_embeddings", "picture_embeddings"]
    assert names(encoding_reads(day, D1, _trained(day, "text").fuse)) == ["note_embeddings"]


def test_of_more_pairs_than_fit_the_best_ranks_are_taken(day: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(best_pairs(day, D1)) == 40
    monkeypatch.setattr("jobs.ids.inputs.MAX_PAIRS", 39)
    assert len(best_pairs(day, D1)) == 20  # rank 1 of 20 notes
    monkeypatch.setattr("jobs.ids.inputs.MAX_PAIRS", 1)
    assert len(best_pairs(day, D1)) == 20  # rank 1 stays whatever it takes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": "pictures"}, r"quantizer\.inputs is 'pictures': it may be text, text_picture, "),
        ({"picture_weight": 0.0}, r"quantizer\.picture_weight is 0\.0: it must be above 0"),
        ({"collaborative_weight": float("inf")}, r"quantizer\.collaborative_weight is inf"),
        ({"collaborative_dim": 0}, r"quantizer\.collaborative_dim is 0: it must be from 1 to 4096"),
    ],
)
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LakeError, match=message):
        require_sane_inputs(Quantizer(**settings))


def test_pieces_keep_their_notes(day: Lake) -> None:
    fuse = _trained(day, "text_picture").fuse

    def one_by_one() -> Iterator[Piece]:
        for piece in vectors_of(day, D1, embedded_notes(day, D1).column("note_id")):
            for at in range(len(piece.note_ids)):
                yield Piece([piece.note_ids[at]], [piece.content_hashes[at]], piece.vectors_ND[at : at + 1])

    found = list(fused(one_by_one(), fuse, pictures_of(day, D1, fuse)))
    assert [piece.note_ids[0] for piece in found] == sorted(NOTES)
    assert np.array_equal(np.concatenate([p.vectors_ND for p in found]), _trained(day, "text_picture").fused_NF)
