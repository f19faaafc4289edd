"""A kill inside a step of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jobs.recommend.training import Training


class Killed(BaseException):
    """What no handler of the code may catch."""


@contextmanager
def killed_in_step(monkeypatch: pytest.MonkeyPatch, step: int) -> Iterator[None]:
    """Whatever trains in the block is killed inside that step, counted from 0."""
    learn = Training._learn

    def until(self: Training, told: Any) -> None:
        if self.step == step:
            raise Killed
        learn(self, told)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_learn", until)
        with pytest.raises(Killed):
            yield
