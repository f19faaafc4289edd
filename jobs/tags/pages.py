"""The handbook as it was on a day: the pages of the last version on or before it."""

from __future__ import annotations

import pyarrow.parquet as pq

from jobs.lake import Lake
from jobs.staging import published_reads
from models.tags.handbook import Dimension, Page
from schemas.tag_tables import INTEREST_HANDBOOK


def current_pages(lake: Lake, day: str) -> tuple[dict[str, Page], dict[str, str]]:
    """The pages by category path, and the partition they were read from for a plan's `reads`; both empty without any."""
    known = [d for d in lake.days(INTEREST_HANDBOOK) if d <= day]
    if not known:
        return {}, {}
    rows = pq.read_table(lake.files(INTEREST_HANDBOOK, known[-1])).to_pylist()
    by_category: dict[str, list[Dimension]] = {}
    for row in sorted(rows, key=lambda r: (r["category"], r["position"], r["dimension"])):
        dimension = Dimension(row["dimension"], row["definition"], tuple(row["example_values"]))
        by_category.setdefault(row["category"], []).append(dimension)
    pages = {category: Page(category, tuple(found)) for category, found in by_category.items()}
    return pages, published_reads(lake, [(INTEREST_HANDBOOK, known[-1])])
