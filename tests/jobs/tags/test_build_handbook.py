"""The handbook of a small lake in which two dimensions are known: what is mined, lent, kept, and refused."""

from __future__ import annotations

import itertools
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.tags.build_handbook import main, window
from jobs.tags.pages import current_pages
from models.tags.handbook import Page
from schemas.tables import EVENTS, EVENTS_QUARANTINE
from schemas.tag_tables import INTEREST_HANDBOOK
from tests.jobs.lakes import note, publish_notes, stage_rows
from tests.jobs.notes.test_embed_notes import tiny_encoder
from tests.jobs.raw import deployment

DAY, NEXT = "2026-01-05", "2026-01-06"
MATERIALS = {"en": ["walnut", "rattan", "linen"], "zh": ["胡桃木", "藤编", "亚麻"]}
USERS = {"en": ["night owls", "students", "retirees"], "zh": ["夜猫子", "大家庭", "学生党"]}
SAYS = {
    "en": [
        ("You can tell it is real {} inside.", "I would hand it to {} at once."),
        ("It comes with {} on top.", "It was made with {} in mind."),
        ("Once you tried {} you stay.", "Not only for {} I think."),
    ],
    "zh": [
        ("感觉真的用了{}。", "送给{}很合适。"),
        ("因为是{}才下单。", "我们{}都喜欢。"),
        ("关于{}争议很多。", "不只是{}会懂。"),
    ],
}


def world() -> list[dict[str, Any]]:
    """Notes of every material, user and language; those of `en` lie in a category of their own."""
    rows = []
    for lang in ("en", "zh"):
        for at, (material, user) in enumerate(itertools.product(MATERIALS[lang], USERS[lang])):
            for turn in range(3):
                body = " ".join(SAYS[lang][turn]).format(material, user)
                category = ["home", "seats"] if lang == "en" else ["home"]
                tags = [material, user.title().replace(" ", "")]
                name = f"{lang}{at}{turn}"
                rows.append(
                    note(name, f"No {name}", body=body, category=category, hashtags=tags, author_id=name)
                )
    rows.append(note("thin", "No clicks", body="Oat.", category=["food", "oats"], hashtags=[]))
    return rows


def event(note_id: str, kind: str = "click", query: str | None = None, user: str = "u") -> dict[str, Any]:
    ts = datetime(2026, 1, 5, 10, tzinfo=UTC)
    return {"user_id": user, "note_id": note_id, "event": kind, "ts": ts, "query": query, "is_late": False}


def publish_events(lake: Lake, day: str, rows: list[dict[str, Any]]) -> None:
    counts = {"num_source": len(rows), "num_cleaned": 0, "num_quarantined": 0}
    stage_rows(lake, EVENTS_QUARANTINE, day, [], counts)
    stage_rows(lake, EVENTS, day, rows, counts)
    publish(lake, EVENTS, day)


def acts() -> list[dict[str, Any]]:
    """Every note of the world is shown twice and clicked once; searches ask for materials and for a colour."""
    ids = [row["note_id"] for row in world() if row["note_id"] != "thin"]
    shown = [event(i, "impression", user=u) for i in ids for u in "uv"]
    clicked = [
        event(i, query=q) for i, q in zip(ids, itertools.cycle(["walnut", "亚麻", None]), strict=False)
    ]
    return [*shown, *clicked, event("en00", "like")]


@pytest.fixture(scope="module")
def home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose handbook of `DAY` is built and published."""
    home = tmp_path_factory.mktemp("handbook")
    tiny_encoder(home / "encoder")
    extra = "encoders: {default: encoder}\ntags: {handbook_days: 2, min_support: 20}\n"
    lake = deployment(home, [], {}, extra=extra).open_lake()
    publish_notes(lake, DAY, world())
    publish_events(lake, DAY, acts())
    _build(home, DAY)
    publish(lake, INTEREST_HANDBOOK, DAY)
    return home


def _build(home: Path, day: str) -> None:
    main(["--config", str(home / "config.yaml"), "--day", day])


def _lake(home: Path) -> Lake:
    return load_config(home / "config.yaml").open_lake()


def _rows(home: Path, day: str = DAY) -> list[dict[str, Any]]:
    files = _lake(home).files(INTEREST_HANDBOOK, day)
    return sorted(pq.read_table(files).to_pylist(), key=lambda r: (r["category"], r["position"]))


def test_the_two_dimensions_are_found_in_both_languages(home: Path) -> None:
    found = {frozenset(row["example_values"]) for row in _rows(home) if row["category"] == "home"}
    assert found == {frozenset(v) for values in (MATERIALS, USERS) for v in values.values()}


def test_a_page_counts_what_a_plain_loop_counts(home: Path) -> None:
    texts = {row["note_id"]: f"{row['body']} {row['hashtags']}" for row in world()}
    engaged = [e for e in acts() if e["event"] != "impression"]
    for row in (r for r in _rows(home) if r["category"] == "home"):
        values = row["example_values"]
        hits = [e for e in engaged if any(v in texts[e["note_id"]] or v == e["query"] for v in values)]
        assert (row["dimension"], row["num_clicks"]) == (row["dimension"], len(hits))
        assert row["support"] == len(hits) / len(engaged)
    counts = _lake(home).manifest(INTEREST_HANDBOOK, DAY)["counts"]
    assert (counts["num_engaged_clicks"], counts["num_explained_clicks"]) == (55, 55)


def test_evidence_is_the_notes_and_searches_with_most_clicks(home: Path) -> None:
    row = next(r for r in _rows(home) if r["category"] == "home > seats" and "walnut" in r["example_values"])
    assert row["evidence_notes"][0] == "en00"  # clicked, and liked
    assert row["evidence_queries"] == ["walnut"]
    assert row["lift"] == pytest.approx(1.0, abs=0.05)  # every note there says a material


def test_a_category_without_clicks_reads_the_page_of_all_notes(home: Path) -> None:
    rows = _rows(home)
    lent = [r for r in rows if r["category"] == "food > oats"]
    root = [r for r in rows if r["category"] == ""]
    assert {r["inherited_from"] for r in lent} == {""}
    assert {r["inherited_from"] for r in root} == {None}
    assert [r["example_values"] for r in lent] == [r["example_values"] for r in root]


def test_readers_get_pages_whose_version_is_that_of_the_table(home: Path) -> None:
    lake = _lake(home)
    pages, reads = current_pages(lake, "2026-02-01")
    assert reads == {f"interest_handbook/ds={DAY}": lake.partition(INTEREST_HANDBOOK, DAY)}
    assert {c: p.version for c, p in pages.items()} == {r["category"]: r["page"] for r in _rows(home)}
    assert set(pages) == {"", "food", "food > oats", "home", "home > seats"}
    assert isinstance(pages[""], Page)
    assert current_pages(lake, "2026-01-04") == current_pages(lake, "2026-12-31")  # the first guides what was before it


def test_the_next_handbook_keeps_names_and_tells_what_is_new(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = _lake(home)
    before = {(r["category"], r["dimension"]) for r in _rows(home)}
    left = [row for row in world() if "linen" not in row["body"]]
    publish_notes(lake, NEXT, left)
    publish_events(lake, NEXT, [e for e in acts() if e["note_id"] in {row["note_id"] for row in left}])
    with caplog.at_level(logging.INFO, "notemill"):
        _build(home, NEXT)
    publish(lake, INTEREST_HANDBOOK, NEXT)
    rows = _rows(home, NEXT)
    assert {(r["category"], r["dimension"]) for r in rows} == before
    changed = {r["category"]: r["change"] for r in rows if "walnut" in r["example_values"]}
    assert changed == dict.fromkeys(["", "food", "food > oats", "home", "home > seats"], "changed")
    assert {r["change"] for r in rows if "藤编" in r["example_values"]} == {"kept"}
    assert re.search(r"~ home > seats: \w+ \(-linen\)", caplog.text)
    counts = lake.manifest(INTEREST_HANDBOOK, NEXT)["counts"]
    assert (counts["num_new"], counts["num_gone"], counts["num_changed"]) == (0, 0, 5)


def test_a_rerun_makes_the_same_bytes(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = _lake(home)
    with caplog.at_level(logging.INFO, "notemill"):
        _build(home, DAY)
    assert "already published from the same inputs, reused" in caplog.text
    first = lake.manifest(INTEREST_HANDBOOK, DAY)["files"]
    lake.place("tables", INTEREST_HANDBOOK, DAY).rename(home / "first")
    _build(home, DAY)
    assert publish(lake, INTEREST_HANDBOOK, DAY)["files"] == first


def test_a_person_names_a_dimension_and_both_languages_follow(home: Path) -> None:
    file = _lake(home).root / "decisions" / "interest_handbook.csv"
    file.parent.mkdir()
    file.write_text("value,dimension,definition\nwalnut,material,Made of.\n藤编,material\n", encoding="utf-8")
    with pytest.raises(LakeError, match=r"interest_handbook\.csv: line 3 has 2 fields, not 3"):
        _build(home, DAY)
    file.write_text("value,dimension,definition\nwalnut,material,Made of.\n藤编,material,\n", encoding="utf-8")
    _build(home, DAY)
    publish(_lake(home), INTEREST_HANDBOOK, DAY)
    rows = [r for r in _rows(home) if r["category"] == "home" and r["dimension"] == "material"]
    assert [(r["definition"], {*r["example_values"]}) for r in rows] == [
        ("Made of.", {v for values in MATERIALS.values() for v in values})
    ]


def test_a_day_that_is_not_published_is_passed_over_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = deployment(tmp_path, [], {}).open_lake()
    publish_notes(lake, DAY, [note("n1")])
    publish_events(lake, DAY, [event("n1")])
    with caplog.at_level(logging.INFO, "notemill"):
        assert window(lake, NEXT, 2) == [DAY]
    assert "events of 2026-01-06 are not published, passed over" in caplog.text
    with pytest.raises(LakeError, match=r"no published day from 2026-01-07 to 2026-01-08: run clean_events"):
        window(lake, "2026-01-08", 2)
