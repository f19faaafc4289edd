"""The first job of a stack: goes once through what jobs will use (query, Parquet, shuffle, Python workers)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession


def same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


def main() -> None:
    spark = SparkSession.builder.getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "numbers")
        columns = ("id", "cast(id % 7 as string) as name", "timestamp_micros(id) as ts")
        spark.range(1000).selectExpr(*columns).write.parquet(path)
        numbers = spark.read.parquet(path)
        grouped = numbers.groupBy("name").agg({"id": "sum"}).join(numbers, on="name", how="inner")
        grouped.selectExpr("name", "row_number() over (partition by name order by id) as rank").toArrow()
        numbers.mapInArrow(same, numbers.schema).toArrow()
    spark.stop()


if __name__ == "__main__":
    main()
