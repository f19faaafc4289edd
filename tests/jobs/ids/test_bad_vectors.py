"""What must not become semantic IDs is refused with what is wrong and where, and nothing is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.ids import encoding
from jobs.ids.assign_ids import current_generation, main, with_ids
from jobs.ids.ledger import Ledger
from jobs.ids.quantizer import load_quantizer
from jobs.ids.train_quantizer import run as train
from jobs.ids.vectors import embedded_notes
from jobs.lake import Lake, LakeError
from jobs.publish_table import BrokenPromiseError, publish
from jobs.staging import file_hash
from schemas.tables import NOTE_EMBEDDINGS, SEMANTIC_IDS
from tests.jobs.ids.embedded import DIMS, ENCODER, numbered, publish_embeddings, vector
from tests.jobs.ids.test_assign_ids import D1, D2, SETTINGS, assign, config_of
from tests.jobs.lakes import note, publish_notes, stage_rows

NAN = float("nan")


def publish_vectors(lake: Lake, day: str, vectors: dict[str, list[float]]) -> None:
    publish_notes(lake, day, [note(note_id, note_id) for note_id in vectors], str(vectors))
    rows: list[dict[str, Any]] = [
        {"note_id": n, "content_hash": note(n, n)["content_hash"], "encoder": ENCODER, "embedding": v}
        for n, v in vectors.items()
    ]
    stage_rows(lake, NOTE_EMBEDDINGS, day, rows, salt=str(vectors))
    publish(lake, NOTE_EMBEDDINGS, day)


@pytest.fixture
def ready(lake: Lake, quick_publish: None) -> Lake:
    publish_embeddings(lake, D1, numbered(1, 30))
    train(lake, D1, SETTINGS, if_missing=True, promote=True)
    return lake


BAD = {
    "zero2": [0.0] * DIMS,
    "zero1": [0.0] * DIMS,
    "nan": [NAN, *vector("x")[1:]],
    "endless": [float("inf"), *vector("x")[1:]],
    "fine": vector("fine"),
}


def test_vectors_of_zeros_nan_or_infinity_are_refused_by_the_notes_names(ready: Lake) -> None:
    publish_vectors(ready, D2, BAD)
    message = r"4 vectors are all zeros or hold NaN or infinite numbers, of notes endless, nan, zero1, zero2\."
    with pytest.raises(LakeError, match=message):
        main([config_of(ready), f"--day={D2}"])
    with pytest.raises(LakeError, match=message):
        train(ready, D2, SETTINGS, if_missing=False, promote=True)
    assert sorted(p.name for p in Ledger(ready, current_generation(ready, D1)).folder.iterdir()) == ["000001.parquet"]
    assert ready.partition(SEMANTIC_IDS, D2) is None


def test_of_many_bad_vectors_five_are_named(ready: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_vectors(ready, D2, {f"z{n}": [0.0] * DIMS for n in range(9)})
    monkeypatch.setattr(encoding, "BATCH_ROWS", 2)
    with pytest.raises(LakeError, match=r"9 vectors are .* of notes z0, z1, z2, z3, z4, \.\.\."):
        main([config_of(ready), f"--day={D2}"])


def test_vectors_of_several_lengths_are_refused(ready: Lake) -> None:
    publish_vectors(ready, D2, {"a": vector("a"), "b": vector("b", 5)})
    with pytest.raises(LakeError, match=r"vectors of several lengths \[5, 8\]"):
        main([config_of(ready), f"--day={D2}"])


def test_a_day_without_notes_is_refused_and_the_day_before_stays(ready: Lake) -> None:
    before = assign(ready, D1)
    publish_vectors(ready, D2, {})
    with pytest.raises(LakeError, match=r"ds=2026-03-02 has no notes, so the catalogue would be empty"):
        main([config_of(ready), f"--day={D2}"])
    assert not ready.place("staging", SEMANTIC_IDS, D2).exists()
    assert assign(ready, D1) == before


def test_a_day_that_lost_more_than_half_of_its_notes_is_not_published(lake: Lake) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))  # someone let the notes through
        publish_embeddings(lake, D1, numbered(1, 12))
        train(lake, D1, SETTINGS, if_missing=True, promote=True)
        assign(lake, D1)
        publish_embeddings(lake, D2, numbered(1, 5))
    main([config_of(lake), f"--day={D2}"])
    with pytest.raises(BrokenPromiseError, match=r"semantic_ids ds=2026-03-02 is not published .*rows of the last"):
        publish(lake, SEMANTIC_IDS, D2)
    assert lake.partition(SEMANTIC_IDS, D2) is None


def test_notes_that_are_withdrawn_leave_the_table_and_keep_their_place_in_the_ledger(ready: Lake) -> None:
    first = assign(ready, D1)
    publish_embeddings(ready, D2, numbered(5, 30))
    assert sorted(assign(ready, D2)) == sorted(numbered(5, 30))
    publish_embeddings(ready, "2026-03-03", numbered(1, 30))
    assert assign(ready, "2026-03-03") == first


def patched(lake: Lake, name: str, change: dict[str, Any]) -> None:
    """Change a generation's file and have the manifest name the changed one, as somebody who patches by hand would."""
    artifacts = Artifacts(lake, "quantizer")
    folder = artifacts.folder(current_generation(lake, D1))
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    if name != "manifest.json":
        manifest = artifacts.manifest(folder.name)
        manifest["files"][name] = file_hash(path)
        (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_manifest_that_does_not_match_its_weights_is_refused(ready: Lake) -> None:
    artifacts, generation = Artifacts(ready, "quantizer"), current_generation(ready, D1)
    settings = artifacts.manifest(generation)["settings"]
    patched(ready, "manifest.json", {"settings": {**settings, "codes": 9}})
    with pytest.raises(LakeError, match=r"codes is \[4, 9\] in its manifest, config.json and model.safetensors"):
        load_quantizer(artifacts, generation)


def test_a_configuration_that_does_not_match_its_weights_is_refused(ready: Lake) -> None:
    patched(ready, "config.json", {"input_dim": 9})
    with pytest.raises(LakeError, match=r"input_dim is \[8, 9\]"):
        load_quantizer(Artifacts(ready, "quantizer"), current_generation(ready, D1))


def test_a_kind_that_nobody_knows_is_refused(ready: Lake) -> None:
    patched(ready, "config.json", {"kind": "crystal"})
    with pytest.raises(LakeError, match="a quantizer of kind 'crystal' cannot be loaded"):
        load_quantizer(Artifacts(ready, "quantizer"), current_generation(ready, D1))


def test_weights_of_something_else_are_refused(ready: Lake, tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save

    artifacts, generation = Artifacts(ready, "quantizer"), current_generation(ready, D1)
    path = artifacts.folder(generation) / "model.safetensors"
    path.write_bytes(save({"other": np.zeros(3, np.float32)}))
    patched(ready, "config.json", {})
    manifest = artifacts.manifest(generation)
    manifest["files"][path.name] = file_hash(path)
    (path.parent / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LakeError, match=r"does not fit its config.json: these are no \w+ of an RQ-VAE"):
        load_quantizer(artifacts, generation)


def test_first_ids_that_somebody_changed_are_refused(ready: Lake) -> None:
    generation = current_generation(ready, D1)
    (Artifacts(ready, "quantizer").folder(generation) / "ids.parquet").write_bytes(b"PAR1")
    with pytest.raises(LakeError, match=r"ids.parquet is not the file that its manifest names"):
        with_ids(ready, generation, D1, embedded_notes(ready, D1))
