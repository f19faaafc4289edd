"""The bytes of a file follow from its rows, not from the batches or the engine they came in."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from jobs import part_files
from jobs.part_files import write_part, write_parts

SCHEMA = pa.schema([("name", pa.string()), ("numbers", pa.list_(pa.float32()))])
ROWS = [{"name": f"n{i:03d}", "numbers": [float(i), 0.5]} for i in range(100)]


def test_the_way_rows_come_in_batches_leaves_no_trace(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(part_files, "ROWS_A_GROUP", 32)
    rows = pa.Table.from_pylist(ROWS, SCHEMA)
    found = set()
    for size in (1, 7, 32, 100):
        path = tmp_path / f"{size}.parquet"
        assert write_part(path, SCHEMA, rows.to_batches(max_chunksize=size)) == 100
        found.add(path.read_bytes())
    assert len(found) == 1
    assert pq.read_metadata(path).num_row_groups == 4  # 32 + 32 + 32 + 4
    assert pq.read_table(path).to_pylist() == ROWS


def test_a_file_by_spark_is_that_by_hand_and_an_empty_partition_makes_none(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = pa.Table.from_pylist(ROWS, SCHEMA)
    by_hand = tmp_path / "by-hand.parquet"
    write_part(by_hand, SCHEMA, rows.to_batches())
    frame = spark.createDataFrame(rows).repartition(1).sortWithinPartitions("name")
    write_parts(frame, tmp_path, SCHEMA)
    assert (tmp_path / "part-00000.parquet").read_bytes() == by_hand.read_bytes()
    (tmp_path / "none").mkdir()
    write_parts(frame.where("name = 'nobody'"), tmp_path / "none", SCHEMA)
    assert list((tmp_path / "none").iterdir()) == []
