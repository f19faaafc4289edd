"""A school of a few notes, and a teacher trained on it for seconds: two times, to compare the bytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from demo.teacher.folder import Recipe, make_teacher
from demo.teacher.lessons import School, open_school
from demo.teacher.network import Size
from demo.teacher.training import Course, Progress

TINY = Size(width=32, inner=64, layers=1, heads=2, vision_width=16, vision_inner=32, vision_layers=1)
RECIPE = Recipe(
    7, num_notes=160, num_pieces=600, num_stretches=200, num_replies=60, size=TINY,
    course=Course(steps=24, batch=4, rate=1e-2, threads=1),
)  # fmt: skip


class Trained(NamedTuple):
    """A teacher's folder, and what its training told."""

    folder: Path
    told: list[Progress]


@pytest.fixture(scope="session")
def school() -> School:
    """A training world of 160 notes."""
    return open_school(1234, 160)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A tiny teacher."""
    told: list[Progress] = []
    folder, is_new = make_teacher(RECIPE, tmp_path_factory.mktemp("teachers"), told.append)
    assert is_new
    return Trained(folder, told)
