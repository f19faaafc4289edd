"""Pictures show what they are said to show, and the broken ones are broken."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from demo.interests import INTERESTS
from demo.pictures import SIDE
from demo.silhouettes import SHAPES

PAINT = {
    "red": (205, 40, 45),
    "yellow": (240, 190, 30),
    "green": (45, 150, 75),
    "blue": (40, 95, 200),
    "purple": (130, 60, 170),
    "black": (35, 35, 42),
}


def paint_of(path: Path) -> str:
    """The paint that most of the saturated or dark pixels are nearest to."""
    with Image.open(path) as picture:
        assert picture.size == (SIDE, SIDE)
        pixels = np.asarray(picture.convert("RGB"), dtype=float).reshape(-1, 3)
    distances = np.stack([np.linalg.norm(pixels - np.array(paint), axis=1) for paint in PAINT.values()])
    near = distances.min(axis=0) < 60
    return list(PAINT)[int(np.bincount(distances[:, near].argmin(axis=0), minlength=len(PAINT)).argmax())]


def test_the_colour_can_be_seen(small_world: Path, sql: duckdb.DuckDBPyConnection) -> None:
    rows = sql.execute(
        "select picture, colour from note_truth where picture_state = 'fine' order by 1"
    ).fetchall()
    seen = [paint_of(small_world / "images" / name) == colour for name, colour in rows[:150]]
    assert np.mean(seen) > 0.98


def test_notes_name_pictures_inside_the_image_root(small_world: Path, sql: duckdb.DuckDBPyConnection) -> None:
    named = {row[0] for row in sql.execute("select unnest(image_uris) from notes").fetchall()}
    missing = {
        row[0]
        for row in sql.execute("select picture from note_truth where picture_state = 'missing'").fetchall()
    }
    assert {path.name for path in (small_world / "images").iterdir()} == named - missing


def test_broken_pictures_cannot_be_read(small_world: Path, sql: duckdb.DuckDBPyConnection) -> None:
    rows = sql.execute(
        "select picture, picture_state from note_truth where picture_state not in ('fine', 'none')"
    )
    broken = dict(rows.fetchall())
    assert set(broken.values()) == {"cut_short", "text_in_disguise", "empty", "missing"}
    for name in broken:
        with pytest.raises((UnidentifiedImageError, FileNotFoundError, OSError)):
            Image.open(small_world / "images" / name).load()
    assert sql.execute("select count(*) from dirt where place = 'images'").fetchone() == (len(broken),)


def test_every_interest_has_a_silhouette_and_every_silhouette_is_used() -> None:
    assert {interest.shape for interest in INTERESTS} == set(SHAPES)
