"""SASRec as a baseline is trained once for the same inputs, read back as it was written, and left out where it is no use."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError
from jobs.recommend import sasrec_baseline
from jobs.recommend.sasrec_baseline import KIND, bounded, sasrec_of
from jobs.recommend.sasrec_training import Recipe
from models.recommend.sasrec import SASRec
from models.recommend.sequences import Cases, padded, sequences_of

RECIPE = Recipe(epochs=1, judge_epochs=1)
RING = [[(user + step) % 5 for step in range(4)] for user in range(8)]
VALID = Cases(padded(RING, 3), np.array([(user + 4) % 5 for user in range(8)]))


def trained(lake: Lake, reads: str = "p1", users: list[list[int]] = RING, **other: Any) -> SASRec | None:
    return sasrec_of(lake, {"instructions": reads}, sequences_of(users), VALID, 5, 3, RECIPE, **other)


def test_the_same_inputs_train_once_and_others_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(lake)
    assert first is not None
    with monkeypatch.context() as untrained:
        untrained.setattr(sasrec_baseline, "train_sasrec", lambda *_: pytest.fail("it was trained again"))
        again = trained(lake)
    assert again is not None
    assert np.array_equal(first.scores(VALID.history_QT), again.scores(VALID.history_QT))
    trained(lake, "p2")
    assert len(Artifacts(lake, KIND).generations()) == 2


def test_weights_that_were_changed_are_refused(lake: Lake) -> None:
    trained(lake)
    (path,) = Artifacts(lake, KIND).room.glob("*/model.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        LakeError, match=r"model\.safetensors is not the file that its manifest names: delete its folder"
    ):
        trained(lake)


def test_nothing_to_learn_and_too_many_notes_leave_it_out(
    lake: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.INFO, "notemill"):
        assert trained(lake, users=[[0], [1]]) is None
        monkeypatch.setattr(sasrec_baseline, "MAX_ITEMS", 4)
        assert trained(lake) is None
    assert "left out: SASRec learns from users with two items" in caplog.text
    assert "left out: 5 notes are more than 4" in caplog.text
    assert Artifacts(lake, KIND).generations() == []


@pytest.mark.parametrize(
    ("num_windows", "epochs"), [(100, 60), (6400, 60), (12_800, 30), (128_000, 3), (10_000_000, 1)]
)
def test_many_windows_are_learned_in_fewer_epochs(num_windows: int, epochs: int) -> None:
    # 3000 steps of 128 windows: of 12,800 windows an epoch has 100.
    assert bounded(Recipe(), num_windows).epochs == epochs
