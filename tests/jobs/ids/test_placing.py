"""What becomes of notes of equal codes from day to day: the collision rule, the first IDs, and lakes of earlier versions."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.config import Quantizer
from jobs.ids import encoding, shelf
from jobs.ids.assign_ids import current_generation, texts_of
from jobs.ids.ledger import Arrivals, Ledger
from jobs.ids.quantizer import first_ids, load_fuse, load_quantizer
from jobs.ids.settings import TOKENIZERS
from jobs.ids.train_quantizer import run as train
from jobs.lake import Lake, LakeError
from models.ids.rqvae import codes_of
from models.ids.text import codes_to_text
from tests.jobs.ids.earlier import GENERATION, write_earlier
from tests.jobs.ids.embedded import numbered, publish_embeddings, publish_pairs, publish_pictures, vector
from tests.jobs.ids.test_assign_ids import D1, D2, D3, SETTINGS, assign
from tests.jobs.lakes import tree

ROOMY = replace(SETTINGS, codes=8)  # 64 IDs
CHAIN = [(i, i + 1) for i in range(2, 29)]  # each note and the next one


def days_of(lake: Lake, settings: Quantizer) -> Lake:
    publish_embeddings(lake, D1, numbered(1, 30))
    publish_embeddings(lake, D2, numbered(2, 40))
    publish_embeddings(lake, D3, {**numbered(1, 50), "twin": "text 7"})
    train(lake, D1, settings, if_missing=True, promote=True)
    return lake


def test_matching_gives_every_note_codes_of_its_own_day_after_day(lake: Lake, quick_publish: None) -> None:
    days_of(lake, ROOMY)
    found: dict[str, tuple[Any, ...]] = {}
    for day in (D1, D2, D3):
        for note_id, row in assign(lake, day).items():
            assert found.setdefault(note_id, row) == row
    assert len(found) == len({codes for codes, _, _, _ in found.values()}) == 51
    assert {tie for _, tie, _, _ in found.values()} == {0}


def test_beyond_the_space_notes_are_told_apart_by_their_rank(lake: Lake, quick_publish: None) -> None:
    days_of(lake, SETTINGS)  # 16 IDs for 51 notes
    found = assign(lake, D1) | assign(lake, D3)
    assert len({codes for codes, _, _, _ in found.values()}) == 16
    assert len({(codes, tie) for codes, tie, _, _ in found.values()}) == 51


def test_extra_codes_follow_those_of_the_days_before(lake: Lake, quick_publish: None) -> None:
    days_of(lake, replace(SETTINGS, collisions="extra"))
    first, third = assign(lake, D1), assign(lake, D3)
    assert {len(codes) for codes, _, _, _ in third.values()} == {3}
    assert {tie for _, tie, _, _ in third.values()} == {0}
    assert all(third[note] == first[note] for note in first)
    by_id: dict[tuple[int, ...], list[int]] = {}
    for codes, _, _, _ in third.values():
        by_id.setdefault(codes[:2], []).append(codes[2])
    assert all(sorted(extra) == list(range(len(extra))) for extra in by_id.values())


@pytest.mark.parametrize("policy", ["none", "sinkhorn"])
def test_what_other_rules_leave_together_has_ranks(lake: Lake, quick_publish: None, policy: str) -> None:
    days_of(lake, replace(ROOMY, collisions=policy))
    first, third = assign(lake, D1), assign(lake, D3)
    assert all(third[note] == first[note] for note in first)
    assert len({(codes, tie) for codes, tie, _, _ in third.values()}) == 51


def test_the_first_ids_are_the_generations_own_whichever_day_is_run_first(tmp_path: Path, quick_publish: None) -> None:
    published = []
    for name, order in (("forth", (D1, D2, D3)), ("back", (D3, D2, D1))):
        lake = days_of(Lake.open(tmp_path / name / "lake"), ROOMY)
        ids = first_ids(Artifacts(lake, "quantizer"), current_generation(lake, D1))
        rows = {day: assign(lake, day) for day in order}
        assert ids is not None
        given = {row["note_id"]: tuple(row["codes"]) for row in ids.to_pylist()}
        assert {note: rows[D1][note][0] for note in given} == given
        assert "000001.parquet" in tree(Ledger(lake, current_generation(lake, D1)).folder)
        published.append(rows[D1])
    assert published[0] == published[1]


def test_days_in_every_order_leave_a_published_id_where_it_is(tmp_path: Path, quick_publish: None) -> None:
    lake = days_of(Lake.open(tmp_path / "lake"), ROOMY)
    given: dict[str, tuple[Any, ...]] = {}
    for day in itertools.chain((D3, D1, D2), (D2, D3, D1)):
        for note_id, found in assign(lake, day).items():
            assert given.setdefault(note_id, found) == found


def test_who_loses_the_race_is_placed_after_what_the_winner_took(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    import jobs.ids.ledger

    real, raced = jobs.ids.ledger.create_numbered, []
    ledger = Ledger(lake, "g0")

    def next_free(new: Any, taken: Any) -> Any:
        first = int(taken.max()) + 1 if len(taken) else 0
        return np.arange(first, first + len(new), dtype=np.int32)[:, None]

    def give(notes: list[str]) -> Any:
        hashes = pa.chunked_array([[f"{n} content" for n in notes]])
        arrivals, _ = Arrivals.in_order(pa.chunked_array([notes]), hashes, np.zeros((len(notes), 1), np.int32))
        return ledger.give(arrivals, next_free, D1)

    def slow(folder: Path, number: int, *rest: Any) -> Path:
        if not raced:
            raced.append(number)
            give(["winner"])
        return real(folder, number, *rest)

    monkeypatch.setattr("jobs.ids.ledger.create_numbered", slow)
    rows = {row["note_id"]: row["codes"] for row in give(["loser", "late"]).rows.to_pylist()}
    assert rows == {"winner": [0], "late": [1], "loser": [2]}


def test_a_generation_and_a_ledger_of_an_earlier_version_go_on_as_they_were(lake: Lake, quick_publish: None) -> None:
    model = write_earlier(lake, D1).double()
    publish_embeddings(lake, D1, numbered(1, 30))
    publish_embeddings(lake, D2, numbered(1, 40))
    first, second = assign(lake, D1), assign(lake, D2)
    texts = numbered(1, 40)
    codes = codes_of(model, np.array([vector(text) for text in texts.values()], dtype=np.float32))
    encoded = {note: tuple(row) for note, row in zip(texts, codes.tolist(), strict=True)}
    assert {note: row[0] for note, row in second.items()} == encoded
    assert {note: second[note] for note in first} == first
    assert max(tie for _, tie, _, _ in second.values()) > 0
    assert len({(found[0], found[1]) for found in second.values()}) == 40
    train(lake, D2, ROOMY, if_missing=False, promote=True)  # and is aligned to, promoted over, rolled back to
    churn = Artifacts(lake, "quantizer").manifest(current_generation(lake, D2))["churn"]
    assert (churn["against"], churn["num_notes"]) == (GENERATION, 40)


def test_spark_gives_the_codes_that_the_job_itself_does(
    lake: Lake, spark: Any, quick_publish: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_of(lake, SETTINGS)
    wanted = np.arange(51) % 3 > 0
    here = encoding.encode(lake, current_generation(lake, D3), D3, wanted)
    monkeypatch.setattr(encoding, "HERE_ROWS", 0)
    assert encoding.encode(lake, current_generation(lake, D3), D3, wanted).tolist() == here.tolist()
    assert here.shape == (34, 2)


def test_texts_are_written_as_one_by_one() -> None:
    codes = np.array([[0, 12, 255], [3, 0, 7]], dtype=np.int32)
    assert texts_of(codes).to_pylist() == [codes_to_text(row) for row in codes.tolist()]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_tokenizer_is_trained_loaded_aligned_and_gives_ids(lake: Lake, quick_publish: None, name: str) -> None:
    settings = replace(ROOMY, tokenizer=name, levels=3)
    if name == "community":
        for day in (D1, D2):
            publish_pairs(lake, day, CHAIN)
    days_of(lake, settings)
    found = assign(lake, D1)
    assert len({codes for codes, _, _, _ in found.values()}) == 30
    train(lake, D2, replace(settings, seed=8), if_missing=False, promote=True)
    assert len({codes for codes, _, _, _ in assign(lake, D3).values()}) == 51
    assert Artifacts(lake, "quantizer").manifest(current_generation(lake, D2))["churn"]["num_notes"] == 39


def test_pictures_and_clicks_are_read_in_training_and_by_every_note_that_comes_later(
    lake: Lake, quick_publish: None
) -> None:
    shown = {note_id: f"picture {int(note_id[1:]) % 5}" for note_id in list(numbered(1, 50))[::2]}
    for day in (D1, D2, D3):
        publish_pictures(lake, day, shown)
        publish_pairs(lake, day, CHAIN)
    settings = replace(ROOMY, tokenizer="residual_kmeans", levels=3, inputs="text_picture_collaborative")
    days_of(lake, replace(settings, collaborative_dim=4))
    found = assign(lake, D3)
    assert len({codes for codes, _, _, _ in found.values()}) == 51
    generation = current_generation(lake, D3)
    fuse = load_fuse(Artifacts(lake, "quantizer"), generation)
    assert fuse is not None
    assert fuse.output_dim == load_quantizer(Artifacts(lake, "quantizer"), generation).input_dim == 8 + 5 + 4
    assert Artifacts(lake, "quantizer").manifest(generation)["picture_encoders"] == ["eyes@0"]
    publish_pictures(lake, D3, shown, encoder="other@1")
    with pytest.raises(LakeError, match="other@1"):
        assign(lake, D3)


@pytest.mark.parametrize("loss", ["collaborative_loss", "pair_loss", "diversity_loss", "identity_loss"])
def test_losses_beside_its_own_change_what_an_rqvae_learns(lake: Lake, quick_publish: None, loss: str) -> None:
    publish_pairs(lake, D1, CHAIN)
    days_of(lake, ROOMY)
    plain = (Artifacts(lake, "quantizer").folder(current_generation(lake, D1)) / "model.safetensors").read_bytes()
    settings = replace(ROOMY, collaborative_dim=4, seed=ROOMY.seed, **{loss: 0.5})
    train(lake, D1, settings, if_missing=False, promote=True)
    manifest = Artifacts(lake, "quantizer").manifest(current_generation(lake, D1))
    assert f"{loss.removesuffix('_loss')} loss" in manifest["fit"]
    folder = Artifacts(lake, "quantizer").folder(current_generation(lake, D1))
    assert (folder / "model.safetensors").read_bytes() != plain


def test_vectors_that_do_not_fit_into_memory_lie_in_a_file(
    tmp_path: Path, quick_publish: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(ROOMY, codes=4, levels=3, tokenizer="residual_kmeans")
    here = days_of(Lake.open(tmp_path / "here"), settings)
    found = [assign(here, day) for day in (D1, D3)]
    monkeypatch.setattr(shelf, "IN_MEMORY", 0)
    there = days_of(Lake.open(tmp_path / "there"), settings)
    assert [assign(there, day) for day in (D1, D3)] == found
