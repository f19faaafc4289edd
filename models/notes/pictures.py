"""Pictures of notes: which may be opened, and whether they open."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def picture_path(uri: str, roots: tuple[str, ...]) -> Path | None:
    """The file that a note's picture names, if it lies under one of `roots`; notes are untrusted, so nothing else is.

    A relative uri is looked for under every root and, since roots are often themselves named in it, beside them.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    for root in (Path(r).resolve() for r in roots):
        for base in (root, root.parent):
            path = (base / parts.path).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path
    return None


def why_broken(uri: str, roots: tuple[str, ...]) -> str | None:
    """Why a picture does not open, or None where it does (or lies on a server, which is not asked here).

    Size, format and pixels are limited before anything is decoded.
    """
    from PIL import Image, UnidentifiedImageError

    if urlsplit(uri).scheme in ("http", "https"):
        return None
    path = picture_path(uri, roots)
    if path is None:
        return "no such file under image_roots"
    if path.stat().st_size > MAX_BYTES:
        return f"larger than {MAX_BYTES >> 20} MiB"
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return f"more than {MAX_PIXELS:,} pixels"
            picture.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"not a picture ({type(error).__name__})"
    return None
