"""What the numbers of a configuration's section may be, told the same way for every job."""

from __future__ import annotations

from jobs.lake import LakeError


def require_within(section: str, settings: object, bounds: tuple[tuple[str, float, float], ...]) -> None:
    """Raise `LakeError` where a setting is outside its bounds, given as (name, least, most), or is not a number."""
    for name, low, high in bounds:
        value = getattr(settings, name)
        if not low <= value <= high:
            raise LakeError(f"{section}.{name} is {value}: it must be from {low} to {high}")
