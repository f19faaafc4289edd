"""The vocabulary as a table: it passes its checks, only grows, and listens to a person."""

from __future__ import annotations

import logging
from pathlib import Path

import duckdb
import numpy as np
import pytest

from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.notes.encoders import find_encoder
from jobs.tags.build_vocabulary import encoded_by, main, read_blocklist, seen_tags
from models.tags.likeness import UNREAD
from schemas.tag_tables import TAG_VOCABULARY
from tests.jobs.lakes import publish_notes, tree
from tests.jobs.notes.test_embed_notes import tiny_encoder
from tests.jobs.raw import deployment
from tests.jobs.tags.said import notes, publish_said, publish_vocabulary, said

DAYS = ["2026-01-05", "2026-01-06"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "encoder")


@pytest.fixture
def home(tmp_path: Path, encoder: Path) -> Path:
    deployment(tmp_path, [], {}, extra=f"encoders: {{default: {encoder}}}\ntags: {{merge_similarity: 1.0}}\n")
    return tmp_path


def rows_of(lake: Lake, day: str) -> dict[tuple[str, str], tuple[str, str, int]]:
    with duckdb.connect() as reader:
        found = reader.read_parquet(lake.files(TAG_VOCABULARY, day)).fetchall()
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in found}


def test_the_vocabulary_of_two_days_is_published_through_its_checks(home: Path) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    (home / "blocked.txt").write_text("# not for us\n\nMiracle Cure\n")
    text = (home / "config.yaml").read_text().replace("tags: {", "tags: {blocklist: blocked.txt, ")
    (home / "config.yaml").write_text(text)
    n = notes(9)
    for day in DAYS:
        publish_notes(lake, day, n)
    first = [
        said(n[0], [("Style", "#JazzClub", 0.9), ("material", "Tents", 0.9)]),
        said(n[1], [("style", "jazz club", 0.8), ("material", "tent", 0.9)]),
        said(n[2], [("style", "jazz-clubs", 0.8), ("claim", "miracle cures", 0.9)]),
        *(said(row) for row in n[3:]),
    ]
    publish_said(lake, DAYS[0], first)
    manifest = publish_vocabulary(home, lake, DAYS[0])
    assert rows_of(lake, DAYS[0]) == {
        ("claim", "miracle cures"): ("miracle cures", "blocked", 1),
        ("material", "tent"): ("tent", "canonical", 1),
        ("material", "tents"): ("tent", "variant", 1),
        ("style", "jazz club"): ("jazz club", "canonical", 2),
        ("style", "jazz-clubs"): ("jazz club", "variant", 1),
    }
    assert manifest["counts"] == {
        "num_spellings": 5, "num_new": 5, "num_blocked": 1, "num_canonical": 2, "num_variant": 2,
    }  # fmt: skip
    (lake.root / "decisions").mkdir()
    (lake.root / "decisions" / "tag_vocabulary.csv").write_text(
        "surface,dimension,decision\nTent,material,merge:shelter\nmiracle cures,claim,canonical\n"
    )
    publish_said(lake, DAYS[1], [said(n[0], [("material", "shelter", 0.9)]), *(said(row) for row in n[1:])])
    manifest = publish_vocabulary(home, lake, DAYS[1])
    assert rows_of(lake, DAYS[1]) == {
        **rows_of(lake, DAYS[0]),
        ("claim", "miracle cures"): ("miracle cures", "canonical", 1),
        ("material", "shelter"): ("shelter", "canonical", 1),
        ("material", "tent"): ("shelter", "merged", 1),
        ("material", "tents"): ("shelter", "variant", 1),
    }


def test_the_same_tags_are_the_same_bytes_in_another_lake(home: Path, encoder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    deployment(other, [], {}, extra=f"encoders: {{default: {encoder}}}\ntags: {{merge_similarity: 1.0}}\n")
    n = notes(3)
    rows = [said(row, [("style", f"style {row['note_id']}", 0.5), ("style", "light", 0.5)]) for row in n]
    for where, order in ((home, 1), (other, -1)):
        lake = load_config(where / "config.yaml").open_lake()
        publish_notes(lake, DAYS[0], n)
        publish_said(lake, DAYS[0], rows[::order])
        main(["--config", str(where / "config.yaml"), "--day", DAYS[0]])
    staged = [tree(load_config(w / "config.yaml").lake / "staging" / TAG_VOCABULARY.folder) for w in (home, other)]
    assert staged[0] == staged[1]
    assert any(name.endswith(".parquet") for name in staged[0])


def test_a_day_without_a_single_tag_is_an_empty_vocabulary(home: Path) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(lake, DAYS[0], notes(2))
    publish_said(lake, DAYS[0], [said(row) for row in notes(2)])
    assert publish_vocabulary(home, lake, DAYS[0])["rows"] == 0


def test_hostile_tags_are_text_like_any_other(home: Path) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    tags = [("style", "'; drop table x; --", 0.5), ("<b>", "x" * 64, 0.5), ("style", "🎉🎉", 0.5), ("！", "a", 0.5)]
    publish_notes(lake, DAYS[0], notes(1))
    publish_said(lake, DAYS[0], [said(notes(1)[0], tags)])
    found = {d: sorted(surfaces) for d, surfaces in seen_tags(lake, DAYS[0]).items()}
    assert found == {"style": ["drop table x", "🎉🎉"], "<b>": ["x" * 64]}


def test_a_blocklist_that_is_not_there_or_no_list_is_named(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(config.read_text().replace("tags: {", "tags: {blocklist: no/such.txt, "))
    lake = load_config(config).open_lake()
    publish_notes(lake, DAYS[0], notes(1))
    publish_said(lake, DAYS[0], [said(notes(1)[0])])
    with pytest.raises(LakeError, match=r"tags.blocklist: .*no/such.txt cannot be read: No such file"):
        main(["--config", str(config), "--day", DAYS[0]])
    (home / "list.txt").write_text("fine\n!!!\n")
    with pytest.raises(LakeError, match=r"line 2 of .*list.txt is '!!!'"):
        read_blocklist(home / "list.txt")
    (home / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LakeError, match="is no UTF-8 text"):
        read_blocklist(home / "list.txt")


def test_a_decision_that_is_none_stops_the_job_and_one_that_waits_is_told(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = load_config(home / "config.yaml").open_lake()
    publish_notes(lake, DAYS[0], notes(1))
    publish_said(lake, DAYS[0], [said(notes(1)[0], [("style", "jazz", 0.5)])])
    decisions = lake.root / "decisions" / "tag_vocabulary.csv"
    decisions.parent.mkdir()
    decisions.write_text("surface,dimension,decision\njazz,style,away\n")
    with pytest.raises(LakeError, match=r"tag_vocabulary.csv: line 2: decision is 'away'"):
        main(["--config", str(home / "config.yaml"), "--day", DAYS[0]])
    decisions.write_text("surface,dimension,decision\njazz,style,merge:swing\n")
    with caplog.at_level(logging.WARNING, "notemill"):
        main(["--config", str(home / "config.yaml"), "--day", DAYS[0]])
    assert "line 2 merges 'jazz' of 'style' into 'swing', which no note was given yet: it waits" in caplog.text


def test_minilm_is_not_asked_about_chinese_and_reads_english(home: Path) -> None:
    minilm = find_encoder("minilm", home)
    found = encoded_by({"default": minilm}, ["sofa", "沙发", "couch"])
    assert found.reader_N.tolist() == [0, UNREAD, 0]
    assert np.abs(found.vectors_ND[1]).max() == 0
    assert found.vectors_ND[0] @ found.vectors_ND[2] > 0.8
    assert found.vectors_ND[0] @ found.vectors_ND[2] < 0.92
