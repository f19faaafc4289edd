"""What a lake holds, for a person: tables, days, rows, promises that held, where to look, a query to copy."""

from __future__ import annotations

from pathlib import Path

from jobs.lake import Lake
from schemas.table import Table
from schemas.tables import PUBLISHED


def published(lake: Lake) -> str:
    """The summary that `make demo` and `make run` end with."""
    rows = [line for table in PUBLISHED if (line := table_line(lake, table))]
    if not rows:
        return f"Nothing is published in {lake.root} yet."
    head = f"{'table':<25} days  {'first day':<10}  {'last day':<10}  {'rows, last day':>14}  {'rows, all':>10}  checks held"
    return "\n".join([f"Published in {lake.root}:", "", head, "-" * len(head), *rows, "", *where_to_look(lake)])


def table_line(lake: Lake, table: Table) -> str:
    """One table; empty where no day of it is published."""
    days = lake.days(table)
    if not days:
        return ""
    manifests = [lake.manifest(table, day) for day in days]
    counts = [int(manifest["rows"]) for manifest in manifests]
    held = sum(int(manifest["checks"]["held"]) for manifest in manifests)
    return f"{table.folder:<25} {len(days):>4}  {days[0]}  {days[-1]}  {counts[-1]:>14,}  {sum(counts):>10,}  {held:>11,}"


def where_to_look(lake: Lake) -> list[str]:
    """Audit pages of the newest day, and a query on one of its tables that has rows."""
    newest = {table: lake.days(table)[-1] for table in PUBLISHED if lake.days(table)}
    table = next((t for t in reversed(newest) if lake.manifest(t, newest[t])["rows"]), [*newest][-1])
    day = newest[table]
    pages = sorted((lake.root / "audits").glob(f"*/ds={day}/*.html"))
    lines = [f"Audit pages of {day}:", *(f"  {page}" for page in newest_of_each(pages)), ""]
    files = lake.root / "tables" / table.folder / "ds=*" / "*.parquet"
    query = f"select * from read_parquet('{files}', hive_partitioning = true) where ds = '{day}' limit 10"
    return [*lines, "A query to copy:", f'  .venv/bin/python -c "import duckdb; duckdb.sql(\\"{query}\\").show()"']


def newest_of_each(pages: list[Path]) -> list[Path]:
    """The page written last for each table (a day that was made again has several)."""
    newest: dict[Path, Path] = {}
    for page in pages:
        kept = newest.get(page.parent)
        if kept is None or page.stat().st_mtime > kept.stat().st_mtime:
            newest[page.parent] = page
    return list(newest.values())
