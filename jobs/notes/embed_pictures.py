"""Embed the first picture of every note of a day: only pictures that are new to the encoder are computed, on Spark.

A picture is known by the hash of its bytes: notes that show the same one share its vector, and a file that is moved or
renamed is not computed again. Without `image_encoder` in the configuration the table is published empty.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.config import Config, add_run_arguments
from jobs.lake import Lake
from jobs.notes.picture_encoders import PictureEncoder, embed_pictures, find_picture_encoder
from jobs.session import run_job, spark_session
from jobs.staging import Plan, persisted, published_reads, run_once, stage_arrow, stage_spark
from jobs.tags.pictures import ON_SERVERS, as_png, find_picture
from schemas.tables import NOTES, PICTURE_EMBEDDINGS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READS = ("notes",)
WRITES = ("picture_embeddings",)
log = logging.getLogger("notemill")

PICTURES_A_CALL = 128  # prepared at 224 pixels a side 77 MB
PICTURES_A_TASK = 2048
SEEN_SCHEMA = pa.schema(
    {"note_id": pa.string(), "image_uris": pa.list_(pa.string()), "picture_hash": pa.string(), "problem": pa.string()}
)
SEEN_DDL = "note_id string, image_uris array<string>, picture_hash string, problem string"
VECTOR_SCHEMA = pa.schema({"picture_hash": pa.string(), "embedding": pa.list_(pa.float32()), "problem": pa.string()})
VECTOR_DDL = "picture_hash string, embedding array<float>, problem string"
NO_DIRECTION = "the encoder makes nothing of it"
Batches = Iterator[pa.RecordBatch]


def seen(roots: tuple[str, ...]) -> Callable[[Batches], Batches]:
    """Notes to the columns of `SEEN_DDL`: the hash of the first picture's bytes, or null and what is wrong with it."""

    def see(batches: Batches) -> Batches:
        for batch in batches:
            rows = batch.to_pylist()
            found = [find_picture(row["image_uris"], roots) for row in rows]
            told = [
                {**row, "picture_hash": each.sha256, "problem": "" if each.problem == ON_SERVERS else each.problem}
                for row, each in zip(rows, found, strict=True)
            ]
            yield pa.RecordBatch.from_pylist(told, schema=SEEN_SCHEMA)

    return see


def reusable(spark: SparkSession, lake: Lake, day: str, encoder: PictureEncoder) -> DataFrame:
    """`picture_hash` and `embedding` of what this encoder saw on the nearest published days on both sides."""
    days = lake.days(PICTURE_EMBEDDINGS)
    near = [d for d in days if d <= day][-1:] + [d for d in days if d > day][:1]
    files = [path for d in near for path in lake.files(PICTURE_EMBEDDINGS, d)]
    read = spark.read.parquet(*files) if files else spark.createDataFrame([], PICTURE_EMBEDDINGS.ddl())
    mine = read.where(read["encoder"] == encoder.identity).select("picture_hash", "embedding")
    # The same bytes have the same vector, so any of several rows will do.
    return mine.dropDuplicates(["picture_hash"])


def embedded(roots: tuple[str, ...], encoder: PictureEncoder) -> Callable[[Batches], Batches]:
    """Pictures (hash, and a note's `image_uris` that lead to it) to the columns of `VECTOR_DDL`."""

    def embed(batches: Batches) -> Batches:
        for batch in batches:
            for at in range(0, len(batch), PICTURES_A_CALL):
                rows = batch.slice(at, PICTURES_A_CALL).to_pylist()
                yield pa.RecordBatch.from_pylist(_vectors(rows, roots, encoder), schema=VECTOR_SCHEMA)

    return embed


def _vectors(rows: list[dict[str, Any]], roots: tuple[str, ...], encoder: PictureEncoder) -> list[dict[str, Any]]:
    from models.notes.picture_encoder import is_sound

    opened = [_opened(row, roots) for row in rows]
    told: list[dict[str, Any]] = [
        {"picture_hash": row["picture_hash"], "embedding": None, "problem": problem}
        for row, (_, problem) in zip(rows, opened, strict=True)
    ]
    pngs = {at: png for at, (png, _) in enumerate(opened) if png is not None}
    if pngs:
        vectors_ND = embed_pictures(encoder.folder, list(pngs.values()))
        for at, vector_D, sound in zip(pngs, vectors_ND, is_sound(vectors_ND), strict=True):
            told[at] |= {"embedding": vector_D} if sound else {"problem": NO_DIRECTION}
    return told


def _opened(row: Mapping[str, Any], roots: tuple[str, ...]) -> tuple[bytes | None, str]:
    found = find_picture(row["image_uris"], roots)
    if found.content is None:
        return None, found.problem
    if found.sha256 != row["picture_hash"]:
        return None, "the file changed while the job ran"
    return as_png(found.content)


def stage(lake: Lake, plan: Plan, encoder: PictureEncoder, roots: tuple[str, ...]) -> None:
    """Find which pictures must be computed, compute them, and stage them with what is reused."""
    from pyspark.sql import functions as F

    spark = spark_session("embed_pictures")
    num_notes = int(lake.manifest(NOTES, plan.day)["rows"])
    notes = spark.read.parquet(*lake.files(NOTES, plan.day)).select("note_id", "image_uris")
    with persisted(notes.mapInArrow(seen(roots), SEEN_DDL), plan) as found:
        shown = found.where(F.col("picture_hash").isNotNull()).drop("problem")
        pictures = shown.groupBy("picture_hash").agg(F.min("image_uris").alias("image_uris"))
        known = reusable(spark, lake, plan.day, encoder).join(pictures, on="picture_hash", how="left_semi")
        todo = pictures.join(known, on="picture_hash", how="left_anti")
        num_computed = todo.count()
        spread = todo.repartition(-(-num_computed // PICTURES_A_TASK) + 1, "picture_hash")
        with persisted(spread.mapInArrow(embedded(roots, encoder), VECTOR_DDL), plan) as fresh:
            made = fresh.where(F.col("embedding").isNotNull()).select("picture_hash", "embedding")
            rows = shown.join(known.unionByName(made), on="picture_hash", how="inner")
            rows = rows.select("note_id", "picture_hash", F.lit(encoder.identity).alias("encoder"), "embedding")
            unmade = shown.join(fresh.where(F.col("embedding").isNull()), on="picture_hash", how="inner")
            wrong = found.where(F.col("problem") != "").select("note_id", "problem")
            wrong = wrong.unionByName(unmade.select("note_id", "problem"))
            counts = partial(_counts, lake, plan.day, num_notes, num_computed, wrong)
            stage_spark(lake, PICTURE_EMBEDDINGS, plan, rows, counts, num_notes)


def _counts(lake: Lake, day: str, num_notes: int, num_computed: int, wrong: DataFrame) -> dict[str, int]:
    """What came of the day's pictures, also said in the log with one example of what is wrong; asked after the write."""
    import pyarrow.parquet as pq
    from pyspark.sql import functions as F

    staged = lake.place("staging", PICTURE_EMBEDDINGS, day) / "data"
    num_rows = sum(pq.read_metadata(path).num_rows for path in staged.glob("*.parquet"))
    told = wrong.agg(F.count("*").alias("num_broken"), F.min(F.struct("note_id", "problem")).alias("first")).first()
    num_broken = int(told["num_broken"]) if told else 0
    seen_now = (day, num_rows + num_broken, num_notes, num_computed)
    log.info("embed_pictures ds=%s: %d of %d notes show a picture, %d pictures are new", *seen_now)
    if told and num_broken:
        log.warning("embed_pictures: %d notes stay without a picture's vector, such as %s: %s", num_broken, *told["first"])
    return _counted(num_notes, num_rows + num_broken, num_computed, num_broken, num_off=0)


def _counted(num_notes: int, num_pictures: int, num_computed: int, num_broken: int, num_off: int) -> dict[str, int]:
    return {
        "num_notes": num_notes,
        "num_pictures": num_pictures,
        "num_computed": num_computed,
        "num_broken": num_broken,
        "num_off": num_off,
    }


def stage_none(lake: Lake, plan: Plan) -> None:
    """Stage the table without rows: nobody named an encoder."""
    log.info("embed_pictures ds=%s: no image_encoder in the configuration, so there are no vectors of pictures", plan.day)
    no_rows = PICTURE_EMBEDDINGS.arrow_schema().empty_table()
    stage_arrow(lake, PICTURE_EMBEDDINGS, plan, no_rows, _counted(0, 0, 0, 0, num_off=1))


def run(lake: Lake, config: Config, day: str) -> None:
    """Stage the day's vectors unless they are published from the same notes, encoder and roots."""
    encoder = find_picture_encoder(config.image_encoder, config.home)
    roots = tuple(str(root) for root in config.image_roots)
    artifacts = {"image_encoder": encoder.identity if encoder else ""}
    plan = Plan("embed_pictures", day, published_reads(lake, [(NOTES, day)]), artifacts=artifacts)
    made = (lambda: stage(lake, plan, encoder, roots)) if encoder else (lambda: stage_none(lake, plan))
    run_once(lake, plan, (PICTURE_EMBEDDINGS,), made)


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`; the encoder is `image_encoder` in the configuration."""
    return add_run_arguments(argparse.ArgumentParser("embed_pictures", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    run(args.config.open_lake(), args.config, args.day)


if __name__ == "__main__":
    run_job(main)
