"""What every quarantine holds: the rows that a cleaning job did not keep, and why."""

from __future__ import annotations

from schemas.table import Column, Table


def quarantine(name: str) -> Table:
    """The quarantine of a cleaned table, by its own name."""
    return Table(
        name,
        1,
        "raw row that broke a rule, with the reason",
        (
            Column("reason", "string", "the rule it broke"),
            Column("detail", "string", "what was seen, for a person"),
            Column("record", "string", "the row as it came, as JSON"),
            Column("source", "string", "the file it came from, relative to the source folder"),
        ),
        may_be_empty=True,
    )
