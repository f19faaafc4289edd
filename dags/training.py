"""Train what the daily chain uses: interest handbook, small tagger, recommender, a quantizer for semantic IDs.

**When.** Every week, and by hand, for a day that `notemill_daily` has published.

The handbook guides the days after its own. A tagger becomes current when it agrees with its teacher well enough, a
recommender when it passes its gate: every list inside the catalogue, above the counting floors, no worse than the current
one. It speaks the codes of the quantizer that is current as of the day. A new quantizer is only a candidate: every ID
changes with it, so it becomes current when a person says so, by triggering this with *promote* (or by `promote_quantizer`,
which also takes one back); then the days from there on are run again, and a recommender is trained for the new codes.

**What a failure means.** What was current stays.

| failed step | most likely | do |
|---|---|---|
| `build_handbook` | no events of the week are published | run `notemill_daily` for the day |
| `publish_interest_handbook` | its dimensions explain too few clicks: the page says how many | look at the page; more days |
| `distill_tagger` | the student's folder cannot be loaded | check `tags.student` |
| `build_instructions` | events of the window are missing, or no user acted on two notes | run those days, or *allow_gaps* |
| `train_recommender`, `evaluate_recommender` | a setting, or the day's trie | the log says which |
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
        "since": Param(
            None,
            type=["null", "string"],
            format="date",
            description="the first day of this history: no earlier day is waited for by build_instructions",
        ),
        "allow_gaps": Param(
            False, type="boolean", description="build instructions although days of the window are not published"
        ),
        "promote": Param(
            False, type="boolean", description="make the new quantizer current from the day on"
        ),
    },
    doc_md=__doc__,
    tags=["notemill"],
)
def notemill_training() -> None:
    gaps = ("--since", "{{ params.since or '' }}", "--allow-gaps", "{{ params.allow_gaps }}")
    distill_tagger = run("tags/distill_tagger", pool="training", outlets=[asset("tagger")])
    run("tags/build_handbook") >> publish("interest_handbook") >> distill_tagger
    instructions = run("recommend/build_instructions", *gaps) >> publish("recommend_instructions")
    train_recommender = run("recommend/train_recommender", pool="training")
    evaluate_recommender = run("recommend/evaluate_recommender", pool="training")
    promote_recommender = run("recommend/promote_recommender", outlets=[asset("recommender")])
    instructions >> train_recommender >> evaluate_recommender >> publish("recommender_metrics") >> promote_recommender
    run(
        "ids/train_quantizer",
        "--promote",
        "{{ params.promote }}",
        pool="training",
        inlets=[asset(NOTE_EMBEDDINGS.folder)],
        outlets=[asset("quantizer")],
    )


notemill_training()
