"""The Spark session of a job, and what every job's process sets up first.

`spark-submit` decides master, memory and cores; with SPARK_REMOTE set the job is a client of a Spark Connect server.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs.lake import LakeError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger("notemill")


def spark_session(app: str) -> SparkSession:
    """The session, with the settings that results depend on: UTC, zstd, no silent narrowing."""
    from pyspark.sql import SparkSession

    started = time.monotonic()
    spark = SparkSession.builder.appName(f"notemill {app}").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    spark.conf.set("spark.sql.ansi.enabled", "true")
    spark.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    log.info("spark session after %.1f s", time.monotonic() - started)
    return spark


def run_job(main: Callable[[list[str]], None]) -> None:
    """Run a job's `main` as a process: log to standard output, and end with 2 and one clear line on a known error."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout, force=True)
    log.setLevel(logging.INFO)
    started = time.monotonic()
    try:
        main(sys.argv[1:])
    except LakeError as error:
        log.error("notemill: %s", error)
        raise SystemExit(2) from None
    except Exception as error:
        # A file whose footer is whole and whose pages are not shows only when Spark reads it.
        if "FAILED_READ_FILE" not in str(error):
            raise
        log.error("notemill: a file is broken inside, deliver it again: %s", str(error).splitlines()[0])
        raise SystemExit(2) from None
    log.info("compute %.2f s", time.monotonic() - started)
