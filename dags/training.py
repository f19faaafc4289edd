"""Train what the daily chain uses: the interest handbook, the small tagger, a quantizer for semantic IDs.

**When.** Every week, and by hand, for a day that `notemill_daily` has published.

The handbook guides the days after its own. A tagger becomes current when it agrees with its teacher well enough. A new
quantizer is only a candidate: every ID changes with it, so it becomes current when a person says so, by triggering this
with *promote* (or by `promote_quantizer`, which also takes one back).

**What a failure means.** What was current stays.

| failed step | most likely | do |
|---|---|---|
| `build_handbook` | no events of the week are published | run `notemill_daily` for the day |
| `publish_interest_handbook` | its dimensions explain too few clicks: the page says how many | look at the page; more days |
| `distill_tagger` | the student's folder cannot be loaded | check `tags.student` |
| `train_quantizer` | the codebooks do not pass the health gate: the log prints the figures | more notes, other settings |
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from dags.steps import DAY_PARAM, RETRIES, asset, publish, run
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
    distill_tagger = run("tags/distill_tagger", pool="training", outlets=[asset("tagger")])
    run("tags/build_handbook") >> publish("interest_handbook") >> distill_tagger
    run(
        "ids/train_quantizer",
        "--promote",
        "{{ params.promote }}",
        pool="training",
        inlets=[asset(NOTE_EMBEDDINGS.folder)],
        outlets=[asset("quantizer")],
    )


notemill_training()
