"""Raw text as values: how a CSV or JSON Lines field, and a Parquet column, becomes its declared type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.table import Column

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn


def cast_value(column: Column, format_: str, found: str) -> SparkColumn:
    """The column of Spark type `found` as its declared type; null where the value does not read as it."""
    from pyspark.sql import functions as F

    value = F.col(column.name)
    if column.type == "timestamp" and not found.startswith("timestamp"):
        return _timestamp(value.cast("string"))
    if format_ == "parquet":
        return value.cast(column.type)
    if column.is_list and format_ == "csv":
        as_json = F.from_json(value, "array<string>")
        apart = F.filter(F.split(value, r"\|"), lambda item: item != "")
        return (
            F.when(value.isNull(), F.array().cast("array<string>"))
            .when(value.startswith("["), as_json)
            .otherwise(apart)
        )
    return value if column.is_list or column.type == "string" else value.try_cast(column.type)


def _timestamp(value: SparkColumn) -> SparkColumn:
    """ISO 8601 text (no offset means UTC), or a whole number of seconds, milliseconds or microseconds since 1970.

    A text must begin with a whole date: Spark would read "12:30" as a time of the day it runs on.
    """
    from pyspark.sql import functions as F

    number = F.when(value.rlike(r"^-?\d{9,17}$"), value).try_cast("bigint")
    digits = F.length(F.abs(number).cast("string"))
    micros = F.when(digits >= 15, number).when(digits >= 12, number * 1000).otherwise(number * 1_000_000)
    text = F.when(value.rlike(r"^\s*\d{4}-\d{2}-\d{2}"), value).try_cast("timestamp")
    return F.when(number.isNotNull(), F.timestamp_micros(micros)).otherwise(text)
