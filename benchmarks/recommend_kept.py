"""What an arm of a recommenders' benchmark earned, kept in a folder, so that a long run can be cut and gone on with.

An arm is kept under its name with all that decided it; where any of that is another now, it is made again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.recommend.ranking import Hits

log = logging.getLogger("notemill")


class Arm(NamedTuple):
    """Hits by item of validation and test answers, of the test's by ID where it says IDs, and facts of how it came about."""

    valid: Hits
    test: Hits
    of_ids: Hits | None
    facts: dict[str, Any]


def kept(folder: Path, name: str, decided_by: dict[str, Any], make: Callable[[], Arm]) -> Arm:
    """The arm as it was kept, else made and kept; its progress is a line."""
    arrays, facts = folder / f"{name}.npz", folder / f"{name}.json"
    if arrays.exists() and facts.exists():
        found = json.loads(facts.read_bytes())
        if found.pop("decided_by") == json.loads(json.dumps(decided_by)):
            log.info("%-28s kept", name)
            return _read(arrays, found)
    started = time.monotonic()
    arm = make()
    arm = arm._replace(facts={**arm.facts, "arm_s": round(time.monotonic() - started, 1)})
    _write(arrays, arm)
    facts.write_text(json.dumps({**arm.facts, "decided_by": decided_by}, indent=1), encoding="utf-8")
    log.info("%-28s NDCG@10 of valid %.4f, %.0f s", name, arm.valid.ndcg_QK[:, 3].mean(), arm.facts["arm_s"])
    return arm


def _write(path: Path, arm: Arm) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {"valid": arm.valid, "test": arm.test} | ({"of_ids": arm.of_ids} if arm.of_ids else {})
    arrays = {
        f"{part}.{name}": values for part, hits in parts.items() for name, values in hits._asdict().items()
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _read(path: Path, facts: dict[str, Any]) -> Arm:
    with np.load(path) as arrays:
        hits = {
            part: Hits(*(arrays[f"{part}.{name}"] for name in Hits._fields))
            for part in ("valid", "test", "of_ids")
            if f"{part}.hr_QK" in arrays
        }
    return Arm(hits["valid"], hits["test"], hits.get("of_ids"), facts)
