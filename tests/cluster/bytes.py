"""What a lake has published for a day, byte by byte."""

from __future__ import annotations

from pathlib import Path

from jobs.staging import file_hash
from schemas.tables import PUBLISHED
from schemas.tag_tables import INTEREST_HANDBOOK
from stack.home import StackError

DAILY = [table for table in PUBLISHED if table != INTEREST_HANDBOOK]  # the handbook is made weekly


def published(lake: Path, day: str) -> dict[str, str]:
    """SHA-256 of every file of the day's tables, by its path below tables/. Raises StackError where a table is missing."""
    tables = lake / "tables"
    found = {str(p.relative_to(tables)): file_hash(p) for p in sorted(tables.glob(f"*/ds={day}/*")) if p.is_file()}
    missing = [t.folder for t in DAILY if not any(name.startswith(f"{t.folder}/") for name in found)]
    if missing:
        raise StackError(f"not published for {day} in {lake}: {', '.join(missing)}")
    return found


def require_equal(found: dict[str, str], wanted: dict[str, str]) -> None:
    """Raises StackError that names the files that differ."""
    if found != wanted:
        differ = sorted({name for name, _ in found.items() ^ wanted.items()})
        raise StackError(f"published otherwise than without the kill: {', '.join(differ)}")
