"""The rows that a cleaning job refused, as its quarantine holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def refused(rows: DataFrame, detail: Column) -> DataFrame:
    """The rows with a `verdict` other than `cleaned...`, once for each of their `copies`, in the quarantine's columns."""
    return (
        rows.where(F.col("verdict").isNotNull() & ~F.col("verdict").startswith("cleaned"))
        .withColumn("again", F.explode(F.sequence(F.lit(1), F.col("copies").cast("int"))))
        .select(
            F.col("verdict").alias("reason"),
            detail.alias("detail"),
            F.col("_record").alias("record"),
            F.col("_source").alias("source"),
        )
    )
