"""Assigning IDs: every note of the day has one, and none ever moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.artifact import Artifacts
from jobs.config import Quantizer
from jobs.ids import assign_ids, encoding, promote_quantizer
from jobs.ids.assign_ids import current_generation, main
from jobs.ids.ledger import Ledger
from jobs.ids.train_quantizer import run as train
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from models.ids.text import text_to_codes
from schemas.tables import SEMANTIC_IDS
from tests.jobs.ids.embedded import numbered, publish_embeddings, published_ids
from tests.jobs.lakes import tree

OPEN = Quantizer(min_separated_share=0.0, min_used_share=0.0, min_last_perplexity_share=0.0, max_shared_share=1.0)
SETTINGS = replace(OPEN, levels=2, codes=4, epochs=4, seed=3)
D1, D2, D3 = "2026-03-01", "2026-03-02", "2026-03-03"


@pytest.fixture
def days(lake: Lake, quick_publish: None) -> Lake:
    """Three days: notes come, one goes, one comes back with other words."""
    publish_embeddings(lake, D1, numbered(1, 30))
    publish_embeddings(lake, D2, {**numbered(2, 40), "n0003": "other words"})
    publish_embeddings(lake, D3, {**numbered(1, 50), "n0003": "other words"})
    train(lake, D1, SETTINGS, if_missing=True, promote=True)
    return lake


def config_of(lake: Lake) -> str:
    file = lake.root.parent / "notemill.yaml"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\nsources: {{}}\n")
    return f"--config={file}"


def assign(lake: Lake, day: str) -> dict[str, tuple[Any, ...]]:
    main([config_of(lake), f"--day={day}"])
    publish(lake, SEMANTIC_IDS, day)
    return published_ids(lake, day)


def test_every_note_of_the_day_has_one_id_and_no_two_notes_the_same(days: Lake) -> None:
    found = assign(days, D1)
    assert sorted(found) == sorted(numbered(1, 30))
    assert len({(codes, tie) for codes, tie, _, _ in found.values()}) == 30
    assert {since for _, _, _, since in found.values()} == {D1}


def test_an_id_stays_when_notes_come_and_go_and_when_the_content_changes(days: Lake) -> None:
    first, second, third = assign(days, D1), assign(days, D2), assign(days, D3)
    assert sorted(second) == sorted(numbered(2, 40))
    for note_id in set(first) & set(second):
        assert second[note_id] == first[note_id]
    assert third["n0001"] == first["n0001"]
    assert third["n0035"] == second["n0035"]
    assert third["n0050"][3] == D3


def test_the_text_is_the_codes(days: Lake) -> None:
    import pyarrow.parquet as pq

    assign(days, D1)
    for row in pq.read_table(days.files(SEMANTIC_IDS, D1)).to_pylist():
        assert text_to_codes(row["semantic_id"]) == row["codes"]


def test_days_backfilled_backwards_keep_what_each_day_gave(days: Lake) -> None:
    given: dict[str, tuple[Any, ...]] = {}
    for day in (D3, D1, D2, D1, D3):
        for note_id, found in assign(days, day).items():
            assert given.setdefault(note_id, found) == found


def test_a_rerun_after_the_ledger_grew_makes_the_same_bytes(days: Lake, tmp_path: Path) -> None:
    assign(days, D1)
    before = tree(days.place("tables", SEMANTIC_IDS, D1))
    assign(days, D3)
    again = Lake.open(days.root)
    generation = current_generation(again, D1)
    plan = assign_ids.plan_of(again, D1, generation)
    assign_ids.stage(again, plan, generation)
    manifest = publish(again, SEMANTIC_IDS, D1)
    assert tree(days.place("tables", SEMANTIC_IDS, D1)) == before
    assert f"part-00000-{manifest['partition']}.parquet" in before


def test_a_run_killed_after_the_ledger_ends_in_the_same_bytes_when_run_again(
    days: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(assign_ids, "stage_arrow", killed)
        with pytest.raises(KeyboardInterrupt):
            assign(days, D1)
    ledger = tree(Ledger(days, current_generation(days, D1)).folder)
    assert sorted(ledger) == ["000001.parquet"]
    assign(days, D1)
    assert tree(Ledger(days, current_generation(days, D1)).folder) == ledger


def test_only_notes_without_an_id_have_their_vectors_read(days: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assign(days, D1)
    real, read = encoding.vectors_in, []

    def watched(*given: Any) -> Any:
        for note_ids, vectors in real(*given):
            read.extend(note_ids.to_pylist())
            yield note_ids, vectors

    monkeypatch.setattr(encoding, "vectors_in", watched)
    assign(days, D2)
    assert sorted(read) == sorted(numbered(31, 40))


def test_codes_do_not_depend_on_how_the_day_was_cut_into_pieces(
    days: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = assign(days, D3)
    other = Lake.open(tmp_path / "other")
    publish_embeddings(other, D1, numbered(1, 30))
    publish_embeddings(other, D3, {**numbered(1, 50), "n0003": "other words"})
    train(other, D1, SETTINGS, if_missing=True, promote=True)
    monkeypatch.setattr(encoding, "BATCH_ROWS", 7)
    assert assign(other, D3) == whole


def test_without_a_promoted_quantizer_the_run_says_what_to_do(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, D1, numbered(1, 5))
    with pytest.raises(LakeError, match=r"no quantizer is promoted.*train_quantizer --if-missing.*notemill_training"):
        main([config_of(lake), f"--day={D1}"])


def test_embeddings_of_another_encoder_are_refused_by_name(days: Lake) -> None:
    publish_embeddings(days, "2026-03-04", numbered(1, 60), encoder="other-encoder")
    with pytest.raises(LakeError, match=r"embeddings of other-encoder, but quantizer g\w{12} was trained on test-encoder-0"):
        main([config_of(days), "--day=2026-03-04"])
    assert not Ledger(days, current_generation(days, D1)).folder.exists()


def test_vectors_of_another_length_are_refused(days: Lake) -> None:
    publish_embeddings(days, "2026-03-04", numbered(1, 60), dims=6)
    with pytest.raises(LakeError, match=r"vectors have 6 dimensions, quantizer g\w{12} reads 8"):
        main([config_of(days), "--day=2026-03-04"])


def test_a_new_generation_gives_new_ids_from_its_day_on_and_the_days_before_keep_theirs(days: Lake) -> None:
    before = assign(days, D1)
    other = replace(SETTINGS, seed=4)
    train(days, D2, other, if_missing=False, promote=False)
    artifacts = Artifacts(days, "quantizer")
    old = current_generation(days, D1)
    (new,) = set(artifacts.generations()) - {old}
    promote_quantizer.main([config_of(days), f"--generation={new}", f"--since={D2}"])
    assert {generation for _, _, generation, _ in assign(days, D2).values()} == {new}
    assert assign(days, D1) == before
    promote_quantizer.main([config_of(days), f"--generation={old}", f"--since={D2}"])
    assert {generation for _, _, generation, _ in assign(days, D2).values()} == {old}


def test_the_whole_chain_publishes_ids_that_keep_every_promise(lake: Lake) -> None:
    publish_embeddings(lake, D1, numbered(1, 12))
    train(lake, D1, SETTINGS, if_missing=True, promote=True)
    assign(lake, D1)
    checks = lake.manifest(SEMANTIC_IDS, D1)["checks"]
    assert checks["metrics"]["shared_full_ids"] == 0
    assert checks["metrics"]["notes_without_id"] == 0
