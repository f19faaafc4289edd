"""Promises as data: the metrics that several tables share, and a table's Great Expectations suites.

Two suites a table. `rows` looks at every row (types hold by construction; here are nulls, sets, ranges, patterns and
the key). `partition` looks at one row of figures about the partition, its accounting and its drift against the last
one published. Both are plain dictionaries, so that nothing here imports Great Expectations.
"""

from __future__ import annotations

from typing import Any

from schemas.table import Column, Metric, Table


def accounted() -> Metric:
    """Every row that came in was kept, quarantined or cleaned away: the counts add up exactly.

    `num_source` is counted from the files themselves, the others from what the job wrote.
    """
    return Metric(
        "rows_unaccounted",
        "source rows less kept, quarantined and cleaned away",
        "select num_source - num_cleaned - num_quarantined - (select count(*) from this) from counts",
        at_least=0,
        at_most=0,
    )


def quarantined_share(at_most: float) -> Metric:
    """How many of the source rows may break a row-level rule before the table is not to be trusted."""
    return Metric(
        "quarantined_share",
        "share of source rows that broke a rule",
        "select num_quarantined / greatest(num_source, 1) from counts",
        at_most=at_most,
    )


def rows_against_last(at_least: float, at_most: float) -> Metric:
    """Row count over that of the last published partition."""
    return Metric(
        "rows_against_last",
        "rows over the rows of the last published partition",
        "select (select count(*) from this) / greatest((select count(*) from previous), 1)",
        at_least=at_least,
        at_most=at_most,
    )


def coverage(of: str, at_least: float) -> Metric:
    """Share of rows whose note is in the published `of` of the day."""
    return Metric(
        f"known_in_{of}",
        f"share of rows whose note_id is in {of} of the day",
        f"select coalesce(avg((note_id in (select note_id from {of}))::int), 1) from this",
        at_least=at_least,
        reads=(of,),
    )


def listed_lengths(column: str) -> Metric:
    """Lists of one column that differ in length within a partition."""
    return Metric(
        f"{column}_lengths",
        f"different lengths of {column}",
        f"select count(distinct len({column})) from this",
        at_least=1,
        at_most=1,
    )


def not_of_length_1() -> Metric:
    """Vectors of `embedding` that are no directions: a zero vector or a NaN must not reach what is trained on them."""
    return Metric(
        "not_of_length_1",
        "vectors whose length is off 1 by more than 0.001, NaN included",
        "select count(*) from this where not coalesce("
        "abs(sqrt(list_sum(list_transform(embedding, lambda x: x * x))) - 1) < 0.001, false)",
        at_most=0,
    )


def psi(expression: str, name: str, at_most: float) -> Metric:
    """Population stability index of a categorical expression against the last published partition.

    PSI = sum over values of (p - q) * ln(p / q); 0.1 is a shift to look at, 0.25 a large one (the usual reading in
    credit scoring). Shares below 0.1 % count as 0.1 %, so that one rare value does not decide.
    """
    share = "select {0} as v, count(*) / sum(count(*)) over () as s from {1} group by 1"
    sql = (
        f"with p as ({share.format(expression, 'this')}), q as ({share.format(expression, 'previous')}) "
        "select coalesce(sum((greatest(coalesce(p.s, 0), 0.001) - greatest(coalesce(q.s, 0), 0.001)) * "
        "ln(greatest(coalesce(p.s, 0), 0.001) / greatest(coalesce(q.s, 0), 0.001))), 0) "
        "from p full join q on p.v is not distinct from q.v"
    )
    return Metric(
        f"{name}_psi", f"shift of {name} against the last published partition (PSI)", sql, at_most=at_most
    )


def rows_suite(table: Table) -> list[dict[str, Any]]:
    """The expectations on every row: column by column, then the key."""
    suite = [e for column in table.columns if not column.is_list for e in _column_expectations(column)]
    if len(table.key) == 1:
        suite.append(_expect("column_values_to_be_unique", column=table.key[0]))
    elif table.key:
        suite.append(_expect("compound_columns_to_be_unique", column_list=list(table.key)))
    if not table.may_be_empty:
        suite.append(_expect("table_row_count_to_be_between", min_value=1))
    return suite


def partition_suite(metrics: tuple[Metric, ...]) -> list[dict[str, Any]]:
    """The expectations on the one row of figures."""
    return [
        _expect("column_values_to_be_between", column=m.name, min_value=m.at_least, max_value=m.at_most)
        for m in metrics
    ]


def _column_expectations(column: Column) -> list[dict[str, Any]]:
    found = []
    if not column.nullable:
        found.append(_expect("column_values_to_not_be_null", column=column.name))
    if column.one_of:
        found.append(_expect("column_values_to_be_in_set", column=column.name, value_set=list(column.one_of)))
    if column.between:
        low, high = column.between
        found.append(
            _expect("column_values_to_be_between", column=column.name, min_value=low, max_value=high)
        )
    if column.matches:
        found.append(_expect("column_values_to_match_regex", column=column.name, regex=column.matches))
    return found


def _expect(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}
