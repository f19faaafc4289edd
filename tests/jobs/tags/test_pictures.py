"""A picture is opened only from allowed roots and within limits, and the same file gives the same bytes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from jobs.tags.pictures import MAX_SIDE, as_png, find_picture


def _bytes(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def _bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 pixels a side."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
RED = _bytes(Image.new("RGB", (40, 20), "red"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (SVG, "not a picture (UnidentifiedImageError)"),
        (b"", "not a picture (UnidentifiedImageError)"),
        (b"%PDF-1.4", "not a picture (UnidentifiedImageError)"),
        (RED[:60], "not a picture (OSError)"),
        (_bytes(Image.new("RGB", (4, 4)), "TIFF"), "not a picture (UnidentifiedImageError)"),
    ],
    ids=["svg", "empty", "pdf", "half", "tiff"],
)
def test_what_is_no_picture_is_not_opened(content: bytes, problem: str) -> None:
    assert as_png(content) == (None, problem)


def test_a_decompression_bomb_is_not_opened() -> None:
    png, problem = as_png(_bomb())
    assert png is None
    assert problem in (
        "the picture has more than 50,000,000 pixels",
        "the picture does not open (DecompressionBombError)",
    )


def test_a_picture_is_made_small_upright_and_rid_of_what_is_written_beside_it() -> None:
    wide = Image.new("RGB", (2000, 1000), "blue")
    exif = wide.getexif()
    exif[0x0112] = 6  # turn right to see it upright
    exif[0x010E] = "secret"
    png, problem = as_png(_bytes(wide, "JPEG", exif=exif))
    assert problem == ""
    assert png is not None
    with Image.open(io.BytesIO(png)) as found:
        assert (found.format, found.mode, found.size, found.info) == ("PNG", "RGB", (MAX_SIDE // 2, MAX_SIDE), {})
    assert as_png(_bytes(wide, "JPEG", exif=exif)) == (png, "")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    png, problem = as_png(_bytes(Image.new(mode, (3, 3)), "JPEG" if mode == "CMYK" else "PNG"))
    assert problem == ""
    assert png is not None
    with Image.open(io.BytesIO(png)) as found:
        assert found.mode == "RGB"


def test_only_files_under_the_roots_are_found(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "red.png").write_bytes(RED)
    (tmp_path / "secret.png").write_bytes(RED)
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    roots = (str(tmp_path / "images"),)
    assert find_picture(["red.png"], roots).content == RED
    for uri in ("../secret.png", f"file://{tmp_path}/secret.png", "link.png", "none.png", "a\0b", "x" * 5000, "//[x"):
        found = find_picture([uri], roots)
        assert found.content is None
        assert found.problem, uri
    assert find_picture(["http://host/a.png"], roots).problem == "pictures on servers are not fetched"
    assert find_picture(["https://host/a.png", "images/red.png"], roots).content == RED
    assert find_picture([], roots) == (None, None, "")
