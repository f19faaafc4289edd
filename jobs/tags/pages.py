"""The handbook's pages as they are current on a day."""

from __future__ import annotations

from itertools import groupby

import pyarrow.parquet as pq

from jobs.lake import Lake, day_text
from models.tags.handbook import Dimension, Page
from schemas.tag_tables import INTEREST_HANDBOOK

COLUMNS = ("category", "position", "dimension", "definition", "example_values")


def current_pages(lake: Lake, day: str) -> tuple[dict[str, Page], dict[str, str]]:
    """The pages of the last handbook published on or before `day`, by category, and what was read for a plan; both
    empty where there is none yet."""
    known = [d for d in lake.days(INTEREST_HANDBOOK) if d <= day_text(day)]
    if not known:
        return {}, {}
    rows = pq.read_table(lake.files(INTEREST_HANDBOOK, known[-1]), columns=list(COLUMNS)).to_pylist()
    rows.sort(key=lambda row: (row["category"], row["position"]))
    pages = {
        category: Page(
            category,
            tuple(Dimension(r["dimension"], r["definition"], tuple(r["example_values"])) for r in members),
        )
        for category, members in groupby(rows, key=lambda row: row["category"])
    }
    return pages, {
        f"interest_handbook/ds={known[-1]}": lake.manifest(INTEREST_HANDBOOK, known[-1])["partition"]
    }
