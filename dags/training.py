"""Train a quantizer on the embeddings of a day: a new generation of semantic IDs, beside the current one.

**When.** Every week, and by hand. A new generation is only a candidate: every ID changes with it, so it becomes current
when a person says so, by triggering this with *promote* (or by `promote_quantizer`, which also takes one back).

**What a failure means.** The current generation stays. `train_quantizer` fails where no embeddings of the day are
published, and where the new codebooks do not pass the health gate; its log prints the figures.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from dags.steps import DAY_PARAM, RETRIES, asset, run
from schemas.tables import NOTE_EMBEDDINGS


@dag(
    dag_id="notemill_training",
    schedule=CronDataIntervalTimetable("0 0 * * 1", timezone="UTC"),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    params={
        "day": DAY_PARAM,
        "promote": Param(
            False, type="boolean", description="make the new generation current from the day on"
        ),
    },
    doc_md=__doc__,
    tags=["notemill"],
)
def notemill_training() -> None:
    run(
        "ids/train_quantizer",
        "--promote",
        "{{ params.promote }}",
        pool="training",
        inlets=[asset(NOTE_EMBEDDINGS.folder)],
        outlets=[asset("quantizer")],
    )


notemill_training()
