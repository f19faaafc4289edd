"""The health of an index, of whoever's making."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from jobs.ids.report_health import main
from jobs.lake import LakeError


def test_items_that_share_their_id_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Items 1 and 2 share an ID, 3 and 4 have their own: 2 of 4 share. Level a uses codes 0 and 1, level b 5, 6 and 7.
    index = {"1": ["<a_0>", "<b_5>"], "2": ["<a_0>", "<b_5>"], "3": ["<a_0>", "<b_6>"], "4": ["<a_1>", "<b_7>"]}
    (tmp_path / "mine.json").write_text(json.dumps(index))
    with caplog.at_level(logging.INFO, "notemill"):
        main(["--index", str(tmp_path / "mine.json")])
    assert "mine: 4 items, 50.0 % share their ID with another, largest group 2, codes used 2/3" in caplog.text


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"1": ["hello"]}')
    with pytest.raises(LakeError, match=r"other\.json is no index of semantic IDs"):
        main(["--index", str(tmp_path / "other.json")])


def test_nothing_to_report_on_says_what_to_give() -> None:
    with pytest.raises(LakeError, match="give --index FILE, or --config and --day"):
        main([])
