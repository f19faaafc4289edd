"""Draws the picture of a note: the interest's silhouette in the note's colour, pattern and cut.

These three attributes are said nowhere in the text. Background, place and size vary and mean nothing.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from demo.interests import INTERESTS
from demo.notes import Notes
from demo.silhouettes import SHAPES
from demo.world import World, log, rng_for

SIDE = 96  # pixels
_DRAWN = 4 * SIDE  # silhouettes are drawn larger and shrunk, for smooth edges
_PAINT = ((205, 40, 45), (240, 190, 30), (45, 150, 75), (40, 95, 200), (130, 60, 170), (35, 35, 42))
_CUTS = ((1.0, 1.0), (0.58, 1.0), (1.0, 0.58))  # width and height of catalogue.FORMS, before fitting
_SPAN = 0.8 * SIDE  # the longer side of what is drawn


def write_pictures(world: World, notes: Notes, folder: Path) -> None:
    """Write one picture for every note that has one; the broken ones are spoilt later, by `demo.dirt`."""
    folder.mkdir(parents=True)
    which = np.flatnonzero(notes.has_picture)
    for done, note in enumerate(which.tolist(), start=1):
        picture = draw_picture(world.seed, notes, note)
        name = notes.picture_name(note)
        (folder / name).write_bytes(encoded(picture, name))
        if done % 1000 == 0:
            log(f"pictures: {done:,} of {len(which):,}")


def draw_picture(seed: int, notes: Notes, note: int) -> Image.Image:
    """The picture of one note, (SIDE, SIDE) in RGB."""
    rng = rng_for(seed, "pictures", note)
    ground = tuple(int(v) for v in rng.integers(214, 250, 3))
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, int(rng.integers(70, 84)), SIDE, SIDE), fill=tuple(int(v * 0.9) for v in ground))
    scale = 0.88 + 0.2 * rng.random()
    mask = _mask(INTERESTS[notes.interest[note]].shape, int(notes.form[note]))
    size = (max(8, int(mask.width * scale)), max(8, int(mask.height * scale)))
    mask = mask.resize(size, Image.Resampling.BILINEAR)
    x = (SIDE - size[0]) // 2 + int(rng.integers(-4, 5))
    y = (SIDE - size[1]) // 2 + int(rng.integers(-4, 5))
    draw.ellipse(
        (x + 4, y + size[1] - 5, x + size[0] - 4, y + size[1] + 3), fill=tuple(int(v * 0.8) for v in ground)
    )
    shade = 0.9 + 0.2 * rng.random()
    picture.paste(
        _cloth(int(notes.colour[note]), int(notes.pattern[note]), shade).crop((0, 0, *size)), (x, y), mask
    )
    noise = rng.normal(0.0, 3.0, (SIDE, SIDE, 1)).astype(np.float32)
    return Image.fromarray(np.clip(np.asarray(picture, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, name: str) -> bytes:
    """The picture as the bytes of a PNG or JPEG file, by the ending of `name`."""
    buffer = io.BytesIO()
    if name.endswith(".png"):
        picture.save(buffer, "PNG", compress_level=3)
    else:
        picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


@cache
def _mask(shape: str, form: int) -> Image.Image:
    """The silhouette in one cut, as an 8-bit mask cropped to what is drawn."""
    mask = Image.new("L", (_DRAWN, _DRAWN), 0)
    draw = ImageDraw.Draw(mask)
    for step in SHAPES[shape].split(";"):
        _draw_step(draw, step.split())
    box = mask.getbbox()
    if box is None:
        raise ValueError(f"the silhouette {shape!r} draws nothing")
    sides = ((box[2] - box[0]) * _CUTS[form][0], (box[3] - box[1]) * _CUTS[form][1])
    width, height = (max(8, round(_SPAN * side / max(sides))) for side in sides)
    return mask.crop(box).resize((width, height), Image.Resampling.LANCZOS).filter(ImageFilter.SMOOTH)


def _draw_step(draw: ImageDraw.ImageDraw, step: list[str]) -> None:
    fill = 0 if step[0].startswith("-") else 255
    kind, unit = step[0].removeprefix("-"), _DRAWN / 100
    values = [float(value) * unit for value in step[1:]]
    if kind == "p":
        draw.polygon(values, fill=fill)
    elif kind == "e":
        draw.ellipse(values, fill=fill)
    elif kind == "r":
        draw.rounded_rectangle(values[:4], radius=values[4], fill=fill)
    elif kind == "l":
        draw.line(values[1:], fill=fill, width=int(values[0]), joint="curve")
    else:
        raise ValueError(f"a silhouette has the step {' '.join(step)!r}; the kinds are p, e, r and l")


def _cloth(colour: int, pattern: int, shade: float) -> Image.Image:
    """A square of the colour with its pattern; on plain cloth nothing is drawn."""
    base = tuple(min(255, int(v * shade)) for v in _PAINT[colour])
    light = tuple(int(v + (255 - v) * 0.72) for v in base)
    cloth = Image.new("RGB", (SIDE + 16, SIDE + 16), base)
    draw = ImageDraw.Draw(cloth)
    lines = range(3, cloth.width, 12)
    if pattern == 1:
        for at in lines:
            draw.rectangle((0, at, cloth.width, at + 4), fill=light)
    elif pattern == 2:
        for row, top in enumerate(range(2, cloth.width, 10)):
            for left in range(2 + 5 * (row % 2), cloth.width, 10):
                draw.ellipse((left, top, left + 4, top + 4), fill=light)
    elif pattern == 3:
        for at in lines:
            draw.rectangle((0, at, cloth.width, at + 2), fill=light)
            draw.rectangle((at, 0, at + 2, cloth.width), fill=light)
    return cloth
