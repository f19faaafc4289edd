"""Which recommender is current as of a day, and the way back to the one before."""

from __future__ import annotations

from jobs.artifact import Artifacts, append_numbered
from jobs.lake import Lake, LakeError, canonical_json, day_text

KIND = "recommender"


def known_as_of(lake: Lake, day: str) -> list[str]:
    """The generations promoted since the day or earlier, in order of their promotions.

    Unlike `Artifacts.current`, nothing stands in before the first promotion: a day made again must not be served by a
    recommender that learned from days after it.
    """
    entries = Artifacts(lake, KIND).promotions()
    return [entry["generation"] for entry in entries if entry["since"] <= day_text(day)]


def current_recommender(lake: Lake, day: str) -> str | None:
    """The generation that is current as of the day; None where none is promoted yet."""
    known = known_as_of(lake, day)
    return known[-1] if known else None


def promote(lake: Lake, generation: str, since: str) -> None:
    """Make a whole generation current from the day `since` on, also where it is current from a later day on already."""
    artifacts = Artifacts(lake, KIND)
    artifacts.folder(generation)
    if current_recommender(lake, since) == generation:
        return
    folder = artifacts.room / "promotions"
    folder.mkdir(parents=True, exist_ok=True)
    append_numbered(folder, "json", canonical_json({"generation": generation, "since": day_text(since)}))


def before_current(lake: Lake, day: str) -> tuple[str, str]:
    """The generation current as of a day, and the one that was current as of it before.

    Raises `LakeError` where there is none to go back to.
    """
    known = known_as_of(lake, day)
    older = [generation for generation in known if generation != known[-1]]
    if not older:
        only = f"{known[-1]} is the only one" if known else "none is"
        raise LakeError(
            f"there is no recommender to go back to: {only} ever promoted for ds={day} or earlier"
        )
    return known[-1], older[-1]
