"""The vocabulary in which tables are declared: `Column`, `Metric`, `Table`.

A declaration is plain data. Everything that must agree with it (Arrow and Spark types, the Great Expectations
suite, the documentation, the frames of the tests) is derived from it here or in `expectations.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

SCALAR_TYPES = ("string", "boolean", "int", "bigint", "float", "double", "date", "timestamp")


@dataclass(frozen=True)
class Column:
    """One column: its name, its type as Spark DDL text, what it means, and what every value of it keeps to."""

    name: str
    type: str
    meaning: str
    unit: str | None = None
    nullable: bool = False
    one_of: tuple[str, ...] | None = None
    between: tuple[float | None, float | None] | None = None
    matches: str | None = None

    @property
    def is_list(self) -> bool:
        """Whether a value of this column is a list."""
        return self.type.startswith("array<")

    @property
    def element_type(self) -> str:
        """The type of one scalar of this column (of a list: of its elements)."""
        return self.type[len("array<") : -1] if self.is_list else self.type

    def arrow_type(self) -> pa.DataType:
        """The Arrow type; timestamps are UTC microseconds."""
        import pyarrow as pa

        scalar = {
            "string": pa.string(),
            "boolean": pa.bool_(),
            "int": pa.int32(),
            "bigint": pa.int64(),
            "float": pa.float32(),
            "double": pa.float64(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }[self.element_type]
        return pa.list_(scalar) if self.is_list else scalar


@dataclass(frozen=True)
class Metric:
    """One figure about a whole partition and the bounds it must keep to.

    `sql` is one DuckDB scalar query. It may name the views `this` (what is staged), `previous` (the last published
    partition of the table, before this day), `counts` (one row: what the job counted) and every table in `reads`
    (its published partition of the day). A metric that names `previous` is skipped where there is none. On a day that
    the source declares closed (`counts.num_closed`) it is skipped too, and so are those marked `only_if_open`.
    """

    name: str
    meaning: str
    sql: str
    at_least: float | None = None
    at_most: float | None = None
    reads: tuple[str, ...] = ()
    only_if_open: bool = False

    @property
    def is_relative(self) -> bool:
        """Whether the figure compares with the last published partition."""
        return " previous" in self.sql


@dataclass(frozen=True)
class Table:
    """One table: a name with its version, one row per what, the columns, the key, and the promises of a partition."""

    name: str
    version: int
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    companions: tuple[str, ...] = ()
    may_be_empty: bool = False

    @property
    def folder(self) -> str:
        """The folder of the table inside the lake: an incompatible change is a new version beside the old one."""
        return f"{self.name}_v{self.version}"

    @property
    def column_names(self) -> list[str]:
        """The declared names, in order."""
        return [column.name for column in self.columns]

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that rows are sorted by in a partition: the key, else every scalar column."""
        return self.key or tuple(c.name for c in self.columns if not c.is_list)

    def ddl(self) -> str:
        """The Spark DDL text of the columns."""
        return ", ".join(f"`{c.name}` {c.type}" for c in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of a partition's files; that a column holds no nulls is promised and audited, not typed."""
        import pyarrow as pa

        return pa.schema([pa.field(c.name, c.arrow_type()) for c in self.columns])

    def differences(self, schema: pa.Schema) -> list[str]:
        """All the ways in which `schema` is not the declared one (names, types, order); none where it fits."""
        found = {field.name: field.type for field in schema}
        missing = [f"column {c.name} ({c.type}) is missing" for c in self.columns if c.name not in found]
        extra = [f"column {name} is not declared" for name in found if name not in self.column_names]
        wrong = [
            f"column {c.name} is {found[c.name]}, declared {c.arrow_type()}"
            for c in self.columns
            if c.name in found and not _same_type(found[c.name], c.arrow_type())
        ]
        misplaced = []
        if not (missing or extra) and list(found) != self.column_names:
            misplaced = [f"columns come as {list(found)}, declared {self.column_names}"]
        return missing + extra + wrong + misplaced


def _same_type(left: pa.DataType, right: pa.DataType) -> bool:
    """Equality that ignores the name of a list's element field, which every writer chooses for itself."""
    import pyarrow.types as t

    if t.is_list(left) and t.is_list(right):
        return bool(left.value_type.equals(right.value_type))
    return bool(left.equals(right))
