"""The handbook as its readers want it: the pages of the last one that was published."""

from __future__ import annotations

import pyarrow.parquet as pq

from jobs.lake import Lake
from models.tags.handbook import Dimension, Page
from schemas.tag_tables import INTEREST_HANDBOOK


def current_pages(lake: Lake, day: str) -> tuple[dict[str, Page], dict[str, str]]:
    """By category the pages of the handbook that guides a day, and the plan's entry that names it.

    It is the last one published before the day, so that a day that is run again is guided as it was; up to the day of
    the first handbook it is that one. Both are empty where there is none. Who reads a page asks `page_for`.
    """
    days = lake.days(INTEREST_HANDBOOK)
    before = [d for d in days if d < day] or days[:1]
    return pages_of(lake, before[-1]) if before else ({}, {})


def last_pages(lake: Lake, day: str) -> tuple[dict[str, Page], dict[str, str]]:
    """The same of the last handbook before the day: what a new one is compared with."""
    before = lake.last_before(INTEREST_HANDBOOK, day)
    return pages_of(lake, before) if before else ({}, {})


def pages_of(lake: Lake, day: str) -> tuple[dict[str, Page], dict[str, str]]:
    """The pages of one day's handbook, and the plan's entry. Raises `LakeError` where it is not published."""
    partition = lake.manifest(INTEREST_HANDBOOK, day)["partition"]
    columns = ["category", "position", "dimension", "definition", "example_values"]
    rows = [
        row
        for file in lake.files(INTEREST_HANDBOOK, day)
        for row in pq.ParquetFile(file).read(columns).to_pylist()
    ]
    found: dict[str, list[Dimension]] = {}
    for row in sorted(rows, key=lambda r: (r["category"], r["position"])):
        dimension = Dimension(row["dimension"], row["definition"], tuple(row["example_values"]))
        found.setdefault(row["category"], []).append(dimension)
    pages = {category: Page(category, tuple(dimensions)) for category, dimensions in found.items()}
    return pages, {f"{INTEREST_HANDBOOK.name}/ds={day}": partition}
