"""The daily chain: click logs and notes become published pairs, embeddings, semantic IDs, tags and recommendations.

**When.** Every day, for the day that has ended (UTC days of the schedule name the days of the configured time zone).
By hand: *Trigger*, and choose the day. Over historical days: `airflow backfill create --dag-id notemill_daily
--from-date A --to-date B`; days that are right already are found so and left alone, also with
`--reprocess-behavior completed`.

**What a failure means.** Nothing half-made is ever published: readers keep the last good partition.

| failed step | most likely | do |
|---|---|---|
| `clean_*` | a raw file is missing, truncated or has other columns: the log names it | deliver it again, clear the task |
| `publish_*` | a promise broke: the log names it and the page under `<lake>/audits/` | mend, clear the *job before it* |
| `build_pairs` | a day of its week is not published | run that day, or trigger with *allow_gaps* |
| `embed_notes`, `embed_pictures` | the encoder cannot be loaded | check `encoders`, `image_encoder` in the configuration |
| `assign_ids` | the quantizer was trained on another encoder | train and promote one: `notemill_training` |
| `build_trie` | the day has no IDs, or a trie's file is damaged: the log names it | mend, or delete that folder; clear |
| `recommend` | the IDs are of another quantizer than the recommender speaks | train one (`notemill_training`), clear |
| `extract_tags`, `tag_notes` | the teacher's server is down or out of quota: the log says | mend, clear the task |

Every step may be cleared and run again at any time: the same inputs give the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from dags.steps import DAY_PARAM, RETRIES, asset, publish, run


@dag(
    dag_id="notemill_daily",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    default_args=RETRIES,
    params={
        "day": DAY_PARAM,
        "notes_from": Param(
            "", type="string", description="read the day's notes from this folder inside the lake or a source"
        ),
        "events_from": Param(
            "",
            type="string",
            description="read the day's events from this folder inside the lake or a source",
        ),
        "since": Param(
            None,
            type=["null", "string"],
            format="date",
            description="the first day of this history: no earlier day is waited for by build_pairs",
        ),
        "sample": Param(
            0, type="integer", minimum=0, description="ask the teacher about so many notes only; 0: about all"
        ),
        "allow_gaps": Param(
            False, type="boolean", description="build pairs although days of the week are not published"
        ),
    },
    doc_md=__doc__,
    tags=["notemill"],
)
def notemill_daily() -> None:
    clean_notes = run("notes/clean_notes", "--notes-from", "{{ params.notes_from }}")
    clean_events = run("logs/clean_events", "--events-from", "{{ params.events_from }}")
    clean_users = run("logs/clean_users")
    gaps = ("--since", "{{ params.since or '' }}", "--allow-gaps", "{{ params.allow_gaps }}")
    build_pairs = run("notes/build_pairs", *gaps)
    embed_notes = run("notes/embed_notes", pool="embedding")
    # It waits for all that some tokenizer learns from, but needs none of it once a quantizer is current: a day without
    # clicks or pictures still gets its IDs.
    first_quantizer = run(
        "ids/train_quantizer", "--if-missing", pool="training", trigger_rule="all_done", outlets=[asset("quantizer")]
    )
    assign_ids = run("ids/assign_ids", pool="ids", inlets=[asset("quantizer")])
    build_trie = run("ids/build_trie", pool="ids", outlets=[asset("catalogue_trie")])
    extract_tags = run("tags/extract_tags", "--sample", "{{ params.sample }}", pool="teacher")
    build_vocabulary = run("tags/build_vocabulary", pool="vocabulary")
    tag_notes = run("tags/tag_notes", pool="teacher")
    recommend = run("recommend/recommend", *gaps, inlets=[asset("recommender")])
    notes = publish("notes")
    vocabulary = publish("tag_vocabulary", pool="vocabulary")
    embeddings = publish("note_embeddings")
    pairs, ids = publish("note_pairs"), publish("semantic_ids", pool="ids")
    users = publish("users")
    pictures = publish("picture_embeddings")

    clean_notes >> notes >> clean_events >> publish("events") >> build_pairs >> pairs
    notes >> embed_notes >> embeddings
    notes >> run("notes/embed_pictures", pool="embedding") >> pictures
    [embeddings, pictures, pairs] >> first_quantizer >> assign_ids >> ids >> build_trie
    [pairs, ids] >> run("ids/report_health") >> publish("id_health")
    clean_users >> users
    [build_trie, pairs, users] >> recommend >> publish("recommendations")
    notes >> extract_tags >> publish("teacher_tags") >> build_vocabulary >> vocabulary >> tag_notes
    tag_notes >> publish("note_tags") >> publish("tag_postings") >> run("tags/report_tags")


notemill_daily()
