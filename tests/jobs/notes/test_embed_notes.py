"""Only what is new is computed, with an encoder made on the spot, and nothing depends on the day it was computed on."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from pyspark.sql import SparkSession
from transformers import BertConfig, BertModel, BertTokenizerFast

from jobs.config import ConfigError, load_config
from jobs.notes.embed_notes import main
from jobs.notes.encoders import find_encoder
from jobs.publish_table import publish
from schemas.tables import NOTE_EMBEDDINGS
from tests.jobs.lakes import note, publish_notes, tree
from tests.jobs.raw import deployment

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["a", "tent", "for", "two", "stove", "light", "dry", "and", "camping", "outdoor"],
]


def tiny_encoder(folder: Path, seed: int = 1) -> Path:
    """A real BERT of a few thousand weights, saved as a user's own encoder would be."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(seed)
    sizes = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(sizes).save_pretrained(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tiny_encoder(tmp_path / "encoder")
    deployment(tmp_path, [], {}, extra="encoders: {default: encoder}\n")
    return tmp_path


def _embedded(home: Path, day: str) -> tuple[dict[str, list[float]], dict]:
    lake = load_config(home / "config.yaml").open_lake()
    main(["--config", str(home / "config.yaml"), "--day", day])
    manifest = publish(lake, NOTE_EMBEDDINGS, day)
    rows = pq.read_table(lake.files(NOTE_EMBEDDINGS, day)).to_pylist()
    return {r["note_id"]: r["embedding"] for r in rows}, manifest["counts"]


def test_the_next_day_computes_only_what_is_new_or_changed(spark: SparkSession, home: Path) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(lake, "2026-01-05", [note(f"n{i}", f"A tent for {i}") for i in range(6)])
    first, counts = _embedded(home, "2026-01-05")
    assert (counts["num_notes"], counts["num_computed"]) == (6, 6)
    changed = note("n0", "A stove")
    publish_notes(lake, "2026-01-06", [changed, *(note(f"n{i}", f"A tent for {i}") for i in range(1, 8))])
    second, counts = _embedded(home, "2026-01-06")
    assert (counts["num_notes"], counts["num_computed"]) == (8, 3)
    assert second["n1"] == first["n1"]
    assert second["n0"] != first["n0"]


def test_a_day_embedded_whole_is_the_same_bytes_as_one_that_reused_the_day_before(
    spark: SparkSession, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    deployment(other, [], {}, extra=f"encoders: {{default: {home / 'encoder'}}}\n")
    rows = [note(f"n{i}", f"A tent for {'two ' * i}") for i in range(12)]
    for where, days in ((home, ["2026-01-05", "2026-01-06"]), (other, ["2026-01-06"])):
        lake = load_config(where / "config.yaml").open_lake()
        for day in days:
            publish_notes(lake, day, rows if day == "2026-01-06" else rows[:6])
            _embedded(where, day)
    data = [
        tree(load_config(w / "config.yaml").lake / "tables" / NOTE_EMBEDDINGS.folder / "ds=2026-01-06")
        for w in (home, other)
    ]
    assert list(data[0].values()) == list(data[1].values())


def test_another_encoder_computes_everything_again(spark: SparkSession, home: Path, tmp_path: Path) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(lake, "2026-01-05", [note("n1"), note("n2", "A stove")])
    first, _ = _embedded(home, "2026-01-05")
    tiny_encoder(tmp_path / "better", seed=2)
    text = (home / "config.yaml").read_text().replace("{default: encoder}", "{default: better}")
    (home / "config.yaml").write_text(text)
    second, counts = _embedded(home, "2026-01-05")
    assert counts["num_computed"] == 2
    assert second["n1"] != first["n1"]


def test_a_language_may_have_an_encoder_of_its_own(spark: SparkSession, home: Path, tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "chinese", seed=2)
    text = (home / "config.yaml").read_text().replace("{default: encoder}", "{default: encoder, zh: chinese}")
    (home / "config.yaml").write_text(text)
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(
        lake, "2026-01-05", [note("n1"), note("n2", "两人帐篷", body="轻便防水", category=[], hashtags=[])]
    )
    _embedded(home, "2026-01-05")
    rows = pq.read_table(lake.files(NOTE_EMBEDDINGS, "2026-01-05")).to_pylist()
    assert {r["note_id"]: r["encoder"].split("@")[0] for r in rows} == {"n1": "encoder", "n2": "chinese"}


def test_minilm_says_that_it_cannot_read_chinese(
    spark: SparkSession, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "config.yaml").write_text(
        (home / "config.yaml").read_text().replace("default: encoder", "default: minilm")
    )
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(
        lake, "2026-01-05", [note("n1"), note("n2", "两人帐篷", body="轻便防水", category=[], hashtags=[])]
    )
    with caplog.at_level(logging.WARNING, "notemill"):
        vectors, counts = _embedded(home, "2026-01-05")
    assert "1 of 2 notes are written in zh, which encoder minilm cannot read" in caplog.text
    assert (counts["num_unreadable"], len(vectors["n1"])) == (1, 384)


def test_an_encoder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'no-such/encoder' is neither a folder nor a model"):
        find_encoder("no-such/encoder", tmp_path)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(ConfigError, match=r"has no \.safetensors weights"):
        find_encoder("old", tmp_path)
