"""A retrained quantizer beside the old one: aligned, its churn told, promoted, rolled back, each day with its own."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.artifact import Artifacts
from jobs.ids import rollback_quantizer
from jobs.ids.assign_ids import current_generation
from jobs.ids.train_quantizer import run as train
from jobs.lake import Lake, LakeError
from tests.jobs.ids.embedded import numbered, publish_embeddings
from tests.jobs.ids.test_assign_ids import D1, D2, SETTINGS, assign, config_of
from tests.jobs.lakes import tree

ROOMY = replace(SETTINGS, codes=8)
OTHER = replace(ROOMY, seed=99)


@pytest.fixture
def two(lake: Lake, quick_publish: None) -> tuple[Lake, str, str]:
    """A lake with a first generation from D1 and a second one, not promoted."""
    publish_embeddings(lake, D1, numbered(1, 40))
    publish_embeddings(lake, D2, numbered(1, 45))
    train(lake, D1, ROOMY, if_missing=True, promote=True)
    first = current_generation(lake, D1)
    train(lake, D2, OTHER, if_missing=False, promote=False)
    (second,) = set(Artifacts(lake, "quantizer").generations()) - {first}
    return lake, first, second


def test_a_new_generation_is_numbered_like_the_old_one_and_tells_its_churn(
    two: tuple[Lake, str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake, first, second = two
    churn = Artifacts(lake, "quantizer").manifest(second)["churn"]
    assert (churn["against"], churn["num_notes"]) == (first, 45)
    assert f"Numbered like {first}: of 45 notes known to both" in (
        Artifacts(lake, "quantizer").folder(second) / "card.md"
    ).read_text()
    alone = Lake.open(tmp_path / "alone")
    publish_embeddings(alone, D2, numbered(1, 45))
    with caplog.at_level(logging.INFO, "notemill"):
        train(alone, D2, OTHER, if_missing=False, promote=True)
    assert "nothing to keep" in caplog.text
    first_codes = {note: row[0][0] for note, row in assign(lake, D1).items()}
    unaligned = {note: row[0][0] for note, row in assign(alone, D2).items()}
    changed = sum(first_codes[note] != unaligned[note] for note in first_codes) / len(first_codes)
    assert churn["prefix_shares"][0] < changed  # by chance 7 of 8 codes change


def test_published_days_keep_what_they_have_and_days_from_the_promotion_on_get_the_new(
    two: tuple[Lake, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    lake, first, second = two
    before = assign(lake, D1)
    Artifacts(lake, "quantizer").promote(second, D2)
    after = assign(lake, D2)
    assert {generation for _, _, generation, _ in after.values()} == {second}
    assert assign(lake, D1) == before
    with caplog.at_level(logging.INFO, "notemill"):
        rollback_quantizer.main([config_of(lake), f"--since={D2}"])
    assert f"{first}: current again since ds={D2} ({second} no more)" in caplog.text
    back = assign(lake, D2)
    assert {note: back[note] for note in before} == before
    assert assign(lake, D2) == back


def test_training_again_after_the_promotion_makes_nothing_new(two: tuple[Lake, str, str]) -> None:
    lake, _, second = two
    train(lake, D2, OTHER, if_missing=False, promote=True)
    assert current_generation(lake, D2) == second
    before = tree(lake.root / "artifacts")
    train(lake, D2, OTHER, if_missing=False, promote=True)
    assert tree(lake.root / "artifacts") == before
    rollback_quantizer.rollback(lake, D2)
    train(lake, D2, OTHER, if_missing=False, promote=True)
    assert current_generation(lake, D2) == second
    assert len(Artifacts(lake, "quantizer").generations()) == 2


def test_a_backfill_of_ninety_days_uses_the_generation_of_each_day(two: tuple[Lake, str, str]) -> None:
    lake, first, second = two
    start = date.fromisoformat(D1)
    days = [(start + timedelta(days=n)).isoformat() for n in range(90)]
    Artifacts(lake, "quantizer").promote(second, days[30])
    rollback_quantizer.rollback(lake, days[60])
    used = [current_generation(lake, day) for day in days]
    assert used == [first] * 30 + [second] * 30 + [first] * 30
    assert current_generation(lake, "2025-01-01") == first
    publish_embeddings(lake, days[29], numbered(1, 45))
    publish_embeddings(lake, days[30], numbered(1, 45))
    for day, generation in ((days[30], second), (days[29], first), (days[30], second)):
        assert {row[2] for row in assign(lake, day).values()} == {generation}


def test_nothing_to_go_back_to_is_said(lake: Lake, quick_publish: None) -> None:
    with pytest.raises(LakeError, match="no quantizer to go back to: none is ever promoted"):
        rollback_quantizer.rollback(lake, D1)
    publish_embeddings(lake, D1, numbered(1, 20))
    train(lake, D1, SETTINGS, if_missing=True, promote=True)
    with pytest.raises(LakeError, match=r"go back to: g\w{12} is the only one ever promoted for ds=2026-03-01"):
        rollback_quantizer.rollback(lake, D1)


def test_a_broken_generation_is_not_gone_back_to(two: tuple[Lake, str, str]) -> None:
    lake, first, second = two
    artifacts = Artifacts(lake, "quantizer")
    artifacts.promote(second, D2)
    (artifacts.folder(first) / "ids.parquet").write_bytes(b"something else")
    with pytest.raises(LakeError, match=r"ids.parquet is not the file that its manifest names"):
        rollback_quantizer.rollback(lake, D2)
    assert artifacts.current(D2) == second
