"""The picture of a note as a model gets it: opened with limits, only from allowed roots, made small, one spelling.

What a note names is untrusted. Pictures on servers are not fetched: a note could point anywhere, and a rerun would see
something else. Put pictures into a folder and name it in `image_roots`.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from models.notes.pictures import FORMATS, MAX_BYTES, MAX_PIXELS, picture_path

MAX_SIDE = 768  # pixels; vision models take 336 to 1024, and cost grows with the square
ON_SERVERS = "pictures on servers are not fetched"
OPTIONS = {"max_side": MAX_SIDE, "format": "PNG", "mode": "RGB"}


class Found(NamedTuple):
    """A picture's file as it lies there, and its SHA-256; or why there is none."""

    content: bytes | None
    sha256: str | None
    problem: str


def find_picture(uris: Sequence[str], roots: tuple[str, ...]) -> Found:
    """The file of the first picture that does not lie on a server, unopened."""
    local = [uri for uri in uris if not _is_on_server(uri)]
    if not local:
        return Found(None, None, ON_SERVERS if uris else "")
    try:
        path = picture_path(local[0], roots)
        if path is None:
            return Found(None, None, "no such picture under image_roots")
        with path.open("rb") as handle:
            content = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a name may hold a NUL, or be longer than a path may be
        return Found(None, None, f"the picture cannot be read ({type(error).__name__})")
    if len(content) > MAX_BYTES:
        return Found(None, None, f"the picture is larger than {MAX_BYTES >> 20} MiB")
    return Found(content, hashlib.sha256(content).hexdigest(), "")


def _is_on_server(uri: str) -> bool:
    try:
        return urlsplit(uri).scheme in ("http", "https")
    except ValueError:
        return False


def as_png(content: bytes) -> tuple[bytes | None, str]:
    """The picture's first frame upright as an RGB PNG of at most `MAX_SIDE` pixels a side; or None, and why not.

    The same bytes give the same bytes, without what cameras and programs wrote beside the picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None, f"the picture has more than {MAX_PIXELS:,} pixels"
            picture.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a JPEG is decoded smaller, which bounds the memory
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
            flat = Image.new("RGBA", upright.size, "white")
            flat.alpha_composite(upright.convert("RGBA"))
            out = io.BytesIO()
            flat.convert("RGB").save(out, "PNG")
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, ZeroDivisionError) as error:
        return None, f"not a picture ({type(error).__name__})"
    except (Image.DecompressionBombError, MemoryError, OverflowError, struct.error) as error:
        return None, f"the picture does not open ({type(error).__name__})"
    return out.getvalue(), ""
