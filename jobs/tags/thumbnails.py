"""Small copies of notes' pictures, as text that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from models.notes.pictures import FORMATS, picture_path, why_broken

SIDE = 220  # pixels of the longer side
MAX_PICTURES = 3


def thumbnails(uris: Sequence[str], roots: tuple[str, ...]) -> list[str]:
    """`data:` addresses of a note's first pictures that lie under `roots` and open; a picture on a server is left out."""
    found: list[str] = []
    for uri in uris:
        if len(found) == MAX_PICTURES:
            break
        small = _thumbnail(uri, roots)
        if small:
            found.append(small)
    return found


def _thumbnail(uri: str, roots: tuple[str, ...]) -> str | None:
    """One small copy, in which nothing of the file is left but pixels; None where it does not open."""
    from PIL import Image

    path = picture_path(uri, roots)
    if path is None or why_broken(uri, roots) is not None:
        return None
    try:
        with Image.open(path, formats=FORMATS) as picture:
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded small
            picture.thumbnail((SIDE, SIDE))
            buffer = io.BytesIO()
            picture.convert("RGBA" if picture.mode in ("RGBA", "LA", "P") else "RGB").save(buffer, "WEBP", quality=75)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # its header was whole, its pixels are not
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
