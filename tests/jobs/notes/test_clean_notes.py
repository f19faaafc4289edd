"""Every raw note is kept, quarantined with a reason, or cleaned away, and the counts add up."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from jobs.config import ConfigError
from jobs.notes.clean_notes import main
from jobs.publish_table import publish
from jobs.sources import SourceError
from schemas.tables import NOTES, NOTES_QUARANTINE
from tests.jobs.raw import DAY, deployment, raw_note, utc


def _published(home: Path) -> tuple[dict[str, dict], list[dict], dict]:
    config = home / "config.yaml"
    main(["--config", str(config), "--day", DAY])
    from jobs.config import load_config

    lake = load_config(config).open_lake()
    manifest = publish(lake, NOTES, DAY)
    kept = pq.read_table(lake.files(NOTES, DAY)).to_pylist()
    return (
        {r["note_id"]: r for r in kept},
        pq.read_table(lake.files(NOTES_QUARANTINE, DAY)).to_pylist(),
        manifest["counts"],
    )


def test_each_rule_takes_its_rows_and_the_counts_add_up(spark: SparkSession, tmp_path: Path) -> None:
    rows = [
        raw_note("kept"),
        raw_note("twice"),
        raw_note("twice"),  # the same row again: an exact duplicate
        raw_note("two", body="older", created_at=utc("2026-01-01 00:00:00")),
        raw_note("two", body="newer", created_at=utc("2026-01-02 00:00:00")),
        raw_note("empty", title="!", body=" "),
        raw_note("short", title="abcd", body=""),  # four letters: exactly the bound
        raw_note("tomorrow", created_at=utc("2026-01-06 00:00:00")),  # the first instant after the day
        raw_note("tonight", created_at=utc("2026-01-05 23:59:59")),
        raw_note(" leading"),
        raw_note("undated", created_at=None),
    ]
    deployment(tmp_path, rows, {})
    with pytest.raises(Exception, match="quarantined_share"):  # 4 of 11 are far more than a good day has
        _published(tmp_path)
    rows += [raw_note(f"fine{i}") for i in range(20)]
    deployment(tmp_path, rows, {})
    kept, quarantine, counts = _published(tmp_path)
    assert sorted(k for k in kept if not k.startswith("fine")) == ["kept", "short", "tonight", "twice", "two"]
    assert kept["two"]["body"] == "newer"
    assert sorted(r["reason"] for r in quarantine) == [
        "bad_created_at",
        "bad_note_id",
        "conflicting_content",
        "near_empty",
    ]
    assert counts["num_source"] == 31 == len(kept) + len(quarantine) + counts["num_cleaned"]
    assert (counts["num_exact_duplicates"], counts["num_created_after_the_day"]) == (1, 1)
    assert '"note_id":"two"' in next(r["record"] for r in quarantine if r["reason"] == "conflicting_content")


def test_notes_with_the_same_text_are_kept_and_counted(spark: SparkSession, tmp_path: Path) -> None:
    same = {"title": "Espresso at home", "body": "Grind fine."}
    deployment(
        tmp_path,
        [
            raw_note("a", **same),
            raw_note("b", title="Espresso  at home ", body="Grind fine."),
            raw_note("c"),
            raw_note("d"),
        ],
        {},
    )
    kept, _, _ = _published(tmp_path)
    assert {k: r["num_same_text"] for k, r in kept.items()} == {"a": 2, "b": 2, "c": 1, "d": 1}
    assert kept["a"]["content_hash"] == kept["b"]["content_hash"] != kept["c"]["content_hash"]
    assert kept["c"]["hashtags"] == ["tent", "camping"]


def test_a_picture_that_is_no_picture_is_named_and_the_note_stays(
    spark: SparkSession, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8), "red").save(images / "good.png")
    (images / "bad.png").write_text("no picture")
    (tmp_path / "secret.png").write_bytes((images / "good.png").read_bytes())
    uris = [
        "images/good.png",
        "images/bad.png",
        "images/gone.png",
        "../secret.png",
        "https://img.example/x.jpg",
    ]
    deployment(tmp_path, [raw_note("n1", image_uris=uris)], {})
    kept, _, _ = _published(tmp_path)
    assert kept["n1"]["image_uris"] == ["images/good.png", "https://img.example/x.jpg"]
    assert kept["n1"]["broken_images"] == [
        "images/bad.png: not a picture (UnidentifiedImageError)",
        "images/gone.png: no such file under image_roots",
        "../secret.png: no such file under image_roots",
    ]


def test_running_a_day_twice_gives_the_same_bytes(spark: SparkSession, tmp_path: Path) -> None:
    from tests.jobs.lakes import tree

    first, second = tmp_path / "one", tmp_path / "two"
    rows = [raw_note(f"n{i}", title=f"Title {min(i, 30)}") for i in range(40)]
    for home, order in ((first, rows), (second, rows)):
        home.mkdir()
        deployment(home, order, {})
        _published(home)
    assert tree(first / "lake" / "tables") == tree(second / "lake" / "tables")
    before = tree(first / "lake" / "tables")
    _published(first)
    assert tree(first / "lake" / "tables") == before


def test_a_folder_outside_the_lake_and_the_sources_is_refused(tmp_path: Path) -> None:
    deployment(tmp_path, [raw_note("n1")], {})
    with pytest.raises(ConfigError, match="parameter notes_from is '/etc', which lies outside the lake"):
        main(["--config", str(tmp_path / "config.yaml"), "--day", DAY, "--notes-from", "/etc"])


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    deployment(tmp_path, [raw_note("n1")], {})
    (tmp_path / "notes" / "part-00000.parquet").unlink()
    with pytest.raises(
        SourceError, match=r"source notes: .*notes is empty: no .parquet, .csv or .jsonl file"
    ):
        main(["--config", str(tmp_path / "config.yaml"), "--day", DAY])
