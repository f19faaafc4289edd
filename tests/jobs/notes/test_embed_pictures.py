"""Only what is new is looked at, by networks made on the spot; what does not open costs nothing but its own vector."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from pyspark.sql import SparkSession
from safetensors.torch import load_file, save_file

from jobs.config import ConfigError, load_config
from jobs.lake import Lake
from jobs.notes import embed_pictures
from jobs.notes.embed_pictures import NO_DIRECTION, embedded, main, seen
from jobs.notes.picture_encoders import PictureEncoder, find_picture_encoder
from jobs.notes.picture_encoders import embed_pictures as vectors_of
from jobs.publish_table import BrokenPromiseError, publish
from jobs.staging import Plan
from jobs.tags.pictures import as_png
from schemas.tables import PICTURE_EMBEDDINGS
from tests.jobs.lakes import note, publish_notes, stage_rows, tree
from tests.jobs.model_fixtures import quick_publish, torch_settings
from tests.jobs.notes.tiny_picture_encoders import FAMILIES, tiny_picture_encoder
from tests.jobs.raw import deployment
from tests.jobs.tags.test_pictures import _bomb

__all__ = ["quick_publish", "torch_settings"]
D1, D2 = "2026-01-05", "2026-01-06"
COLOURS = ("red", "green", "blue", "white")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tiny_picture_encoder(tmp_path / "eyes")
    deployment(tmp_path, [], {}, extra="image_encoder: eyes\n")
    (tmp_path / "images").mkdir()
    for colour in COLOURS:
        Image.new("RGB", (40, 30), colour).save(tmp_path / "images" / f"{colour}.png")
    return tmp_path


def _lake(home: Path) -> Lake:
    return load_config(home / "config.yaml").open_lake()


def _shown(note_id: str, *uris: str) -> dict:
    return note(note_id, f"Note {note_id}", image_uris=list(uris))


def _run(home: Path, day: str) -> tuple[dict[str, dict], dict[str, int]]:
    main(["--config", str(home / "config.yaml"), "--day", day])
    manifest = publish(_lake(home), PICTURE_EMBEDDINGS, day)
    rows = pq.ParquetFile(_lake(home).files(PICTURE_EMBEDDINGS, day)[0]).read().to_pylist()
    return {row["note_id"]: row for row in rows}, manifest["counts"]


def test_notes_with_a_picture_get_its_vector_and_the_next_day_computes_only_what_is_new(
    spark: SparkSession, home: Path, quick_publish: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "images" / "bomb.png").write_bytes(_bomb())
    first = [
        _shown("n1", "red.png"),
        _shown("n2", "green.png", "blue.png"),  # the first one counts
        _shown("n3", "https://host/a.png"),  # on a server: nothing is fetched, nothing is broken
        _shown("n4"),
        _shown("n5", "https://host/a.png", "red.png"),  # shows what n1 shows
        _shown("n6", "gone.png"),
        _shown("n7", "bomb.png"),
        _shown("n8", "../eyes/config.json"),
    ]
    publish_notes(_lake(home), D1, first)
    with caplog.at_level(logging.INFO, "notemill"):
        found, counts = _run(home, D1)
    assert sorted(found) == ["n1", "n2", "n5"]
    assert counts == {"num_notes": 8, "num_pictures": 6, "num_computed": 3, "num_broken": 3, "num_off": 0}
    assert "3 notes stay without a picture's vector, such as n6: no such picture under image_roots" in caplog.text
    assert found["n1"]["embedding"] == found["n5"]["embedding"] != found["n2"]["embedding"]
    encoder = find_picture_encoder("eyes", home)
    assert encoder is not None
    assert {row["encoder"] for row in found.values()} == {encoder.identity}
    png, _ = as_png((home / "images" / "red.png").read_bytes())
    assert found["n1"]["embedding"] == vectors_of(encoder.folder, [png])[0].tolist()

    (home / "images" / "red.png").rename(home / "images" / "rot.png")  # another name, the same bytes
    publish_notes(_lake(home), D2, [_shown("n1", "rot.png"), _shown("n2", "blue.png"), _shown("n9", "white.png")])
    later, counts = _run(home, D2)
    assert counts["num_computed"] == 2
    assert later["n1"] == found["n1"]
    assert later["n2"]["picture_hash"] != found["n2"]["picture_hash"]
    before = tree(_lake(home).place("tables", PICTURE_EMBEDDINGS, D2))

    # Again, from the same inputs and with the network out of reach: first found published, then made of what is known.
    monkeypatch.setattr(embed_pictures, "embedded", lambda *_: _emptied)
    _run(home, D2)
    assert tree(_lake(home).place("tables", PICTURE_EMBEDDINGS, D2)) == before
    config = load_config(home / "config.yaml")
    plan = Plan("embed_pictures", D2, params={"salt": "again"})
    embed_pictures.stage(config.open_lake(), plan, encoder, (str(home / "images"),))
    staged = tree(_lake(home).place("staging", PICTURE_EMBEDDINGS, D2) / "data")
    assert list(staged.values()) == list(before.values())


def _emptied(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if any(len(batch) for batch in batches):
        raise ValueError("the network was asked about a picture that it has seen")
    yield from ()


def test_without_an_encoder_an_empty_table_is_published_without_spark_and_switching_off_is_no_loss(home: Path) -> None:
    publish_notes(_lake(home), D1, [_shown("n1", "red.png")])
    _publish_vectors(home, D1, {"n1": [0.6, 0.8]}, num_pictures=1)
    text = (home / "config.yaml").read_text()
    (home / "config.yaml").write_text(text.replace("image_encoder: eyes", "image_encoder: ''"))
    publish_notes(_lake(home), D2, [_shown("n1", "red.png")])
    found, counts = _run(home, D2)
    assert (found, counts["num_off"]) == ({}, 1)


def _publish_vectors(home: Path, day: str, vectors: dict[str, list[float]], num_pictures: int) -> None:
    rows = [
        {"note_id": name, "picture_hash": "a" * 64, "encoder": "eyes@0", "embedding": vector}
        for name, vector in vectors.items()
    ]
    counts = {"num_pictures": num_pictures, "num_broken": num_pictures - len(rows), "num_off": 0}
    stage_rows(_lake(home), PICTURE_EMBEDDINGS, day, rows, counts)
    publish(_lake(home), PICTURE_EMBEDDINGS, day)


@pytest.mark.parametrize(
    ("vectors", "num_pictures", "promise"),
    [
        ({"n1": [0.6, 0.8], "n2": [0.0, 0.0]}, 2, "not_of_length_1 .* be at most 0, but it is 1"),
        ({"n1": [0.6, 0.8], "n2": [float("nan"), 1.0]}, 2, "not_of_length_1 .* be at most 0, but it is 1"),
        ({"n1": [0.6, 0.8], "n2": [1.0]}, 2, "embedding_lengths .* be at most 1, but it is 2"),
        ({"n1": [0.6, 0.8]}, 3, "broken_share .* be at most 0.5, but it is 0.666667"),
        ({"n9": [0.6, 0.8]}, 1, "known_in_notes .* be at least 1, but it is 0"),
    ],
    ids=["zero", "nan", "widths", "mostly broken", "unknown note"],
)
def test_vectors_that_would_spoil_what_is_trained_on_them_are_not_published(
    home: Path, vectors: dict[str, list[float]], num_pictures: int, promise: str
) -> None:
    publish_notes(_lake(home), D1, [_shown("n1"), _shown("n2")])
    with pytest.raises(BrokenPromiseError, match=promise):
        _publish_vectors(home, D1, vectors, num_pictures)


def _told(home: Path, encoder: PictureEncoder, change: Callable[[], None] = lambda: None) -> list[dict]:
    roots = (str(home / "images"),)
    notes = [{"note_id": "n1", "image_uris": ["red.png"]}, {"note_id": "n2", "image_uris": ["blue.png"]}]
    rows = [row for batch in seen(roots)(iter([pa.RecordBatch.from_pylist(notes)])) for row in batch.to_pylist()]
    change()
    batches = embedded(roots, encoder)(iter([pa.RecordBatch.from_pylist(rows)]))
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_file_that_changes_while_the_job_runs_is_left_out(home: Path) -> None:
    encoder = PictureEncoder(home / "eyes", "eyes@0")
    first, second = _told(home, encoder, lambda: Image.new("RGB", (8, 8)).save(home / "images" / "red.png"))
    assert (first["embedding"], first["problem"]) == (None, "the file changed while the job ran")
    assert (len(second["embedding"]), second["problem"]) == (16, "")


def test_a_picture_that_the_network_makes_nothing_of_has_no_vector(home: Path) -> None:
    weights = load_file(home / "eyes" / "model.safetensors")
    blind = {name: torch.full_like(weight, float("nan")) for name, weight in weights.items()}
    (home / "blind").mkdir()
    for path in (home / "eyes").glob("*.json"):
        (home / "blind" / path.name).write_bytes(path.read_bytes())
    save_file(blind, home / "blind" / "model.safetensors", metadata={"format": "pt"})
    told = _told(home, PictureEncoder(home / "blind", "blind@0"))
    assert [(row["embedding"], row["problem"]) for row in told] == [(None, NO_DIRECTION)] * 2


def _picture(colour: str | None = None) -> bytes:
    out = io.BytesIO()
    (Image.new("RGB", (50, 40), colour) if colour else Image.linear_gradient("L").resize((50, 40))).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_vectors_of_length_one_that_differ_and_repeat(tmp_path: Path, family: str) -> None:
    folder = tiny_picture_encoder(tmp_path / family, family)
    pngs = [as_png(content)[0] for content in (_picture("red"), _picture("green"), _picture())]
    together = vectors_of(folder, pngs)
    assert np.linalg.norm(together, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert len({row.tobytes() for row in together}) == 3
    assert np.array_equal(vectors_of(folder, pngs[1:2])[0], together[1])


def test_what_is_no_encoder_is_named(tmp_path: Path) -> None:
    assert find_picture_encoder("", tmp_path) is None
    with pytest.raises(ConfigError, match="image_encoder: 'no-such/eyes' is neither a folder nor a model"):
        find_picture_encoder("no-such/eyes", tmp_path)
    folder = tiny_picture_encoder(tmp_path / "eyes", "vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"holds no preprocessor_config\.json"):
        find_picture_encoder("eyes", tmp_path)


def test_a_folder_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    folder = tiny_picture_encoder(tmp_path / "eyes", "vit")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 2}))
    with pytest.raises(ConfigError, match=r"lacks \d+ weights of its network"):
        vectors_of(folder, [_picture("red")])
