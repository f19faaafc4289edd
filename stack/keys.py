"""Keys and passwords of one stack: made once at random, kept in files that only their owner can read, never logged."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path


def key(folder: Path, name: str, num_bytes: int = 32) -> str:
    """The key of that name as URL-safe text, made at first use (a Fernet key is exactly 32 bytes in this form).

    Two processes that ask at once get the same key: the file appears whole or not at all, and the first one wins.
    """
    path = folder / name
    if not path.exists():
        draft = folder / f".{name}.{secrets.token_hex(8)}"
        write_private(draft, base64.urlsafe_b64encode(secrets.token_bytes(num_bytes)).decode())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii")


def token(folder: Path, name: str) -> str:
    """A key as letters, digits, - and _ only, for places where the padding (=) of `key` would be syntax."""
    return key(folder, name).rstrip("=")


def password(folder: Path, name: str) -> str:
    """A password a person can type: 20 URL-safe characters, 120 bits."""
    return key(folder, name, num_bytes=15)


def write_private(path: Path, text: str) -> None:
    """Write a file that has mode 0600 from its first instant."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
