"""What `recommend_instructions` promises: nothing of the future in a row, no ID that is not one, every split as told."""

from __future__ import annotations

from schemas.expectations import coverage
from schemas.table import Metric

ALIGNMENT = "('id_to_title', 'title_to_id')"
SHOWS_IDS = "('next_item', 'ids_to_title')"
# How many words of IDs a text holds: each begins with a sign that no title is let through with.
_SIGNS = "(length({0}) - length(replace({0}, '<', '')))"
_IN_HISTORY = _SIGNS.format("array_to_string(history_semantic_ids, '')")
_IN_NOTE, _IN_INPUT, _IN_OUTPUT = (_SIGNS.format(name) for name in ("semantic_id", "input", "output"))
# One row a step of a user, whatever tasks and languages ask for it.
_STEPS = (
    "select user_id, position, any_value(note_id) as note_id, any_value(ts) as ts, "
    "any_value(history_note_ids[-1]) as last, any_value(leave_one_out) as split from this "
    "where user_id is not null group by user_id, position"
)

INSTRUCTION_METRICS = (
    Metric(
        "longer_than_what_came_before",
        "rows whose history is longer than what came before the answer, or empty where a user is asked about",
        "select count(*) from this where len(history_note_ids) > position "
        "or (user_id is not null and len(history_note_ids) = 0)",
        at_most=0,
    ),
    Metric(
        "broken_histories",
        "steps whose history does not end with the step before, or that are earlier than it",
        f"with steps as ({_STEPS}) select count(*) from steps a join steps b "
        "on a.user_id = b.user_id and a.position = b.position + 1 "
        "where a.last is distinct from b.note_id or (a.ts, a.note_id) <= (b.ts, b.note_id)",
        at_most=0,
    ),
    Metric(
        "uneven_histories",
        "rows in which history_note_ids and history_semantic_ids differ in length",
        "select count(*) from this where len(history_note_ids) <> len(history_semantic_ids)",
        at_most=0,
    ),
    Metric(
        "without_asker",
        "rows of a user's task without a user, or of the notes' names with one",
        f"select count(*) from this where (user_id is null) <> (task in {ALIGNMENT})",
        at_most=0,
    ),
    Metric(
        "next_items",
        "rows that ask for the next note",
        "select count(*) from this where task = 'next_item'",
        at_least=1,
    ),
    Metric(
        "generations",
        "generations in one partition",
        "select count(distinct generation) from this",
        at_most=1,
    ),
    Metric(
        "foreign_ids",
        "notes whose ID is not the one published for the day",
        "select count(*) from (select distinct note_id, semantic_id, generation from this) "
        "anti join semantic_ids using (note_id, semantic_id, generation)",
        at_most=0,
        reads=("semantic_ids",),
    ),
    Metric(
        "foreign_histories",
        "notes of histories whose ID is not the one published for the day",
        "select count(*) from (select distinct unnest(history_note_ids) as note_id, "
        "unnest(history_semantic_ids) as semantic_id from this) anti join semantic_ids using (note_id, semantic_id)",
        at_most=0,
        reads=("semantic_ids",),
    ),
    Metric(
        "forged_ids",
        "rows whose words hold more or fewer IDs than they are about",
        f"select count(*) from this where {_IN_OUTPUT} <> case when task in ('id_to_title', 'ids_to_title') then 0 "
        f"else {_IN_NOTE} end or {_IN_INPUT} <> case when task in {SHOWS_IDS} then {_IN_HISTORY} "
        f"when task = 'id_to_title' then {_IN_NOTE} else 0 end",
        at_most=0,
    ),
    Metric(
        "broken_lines",
        "rows whose words are empty, or hold a line break or another control character",
        "select count(*) from this where least(length(instruction), length(input), length(output)) = 0 "
        "or regexp_matches(instruction || input || output, '[\\x00-\\x1f\\x7f]')",
        at_most=0,
    ),
    Metric(
        "users_of_other_splits",
        "users whose last step is not their only test, or the one before not their only valid (leave one out)",
        f"with steps as ({_STEPS}), placed as (select *, max(position) over (partition by user_id) - position as back "
        "from steps) select count(distinct user_id) from placed where split <> "
        "case back when 0 then 'test' when 1 then 'valid' else 'train' end",
        at_most=0,
    ),
    Metric(
        "training_after_test",
        "by date: rows that are not before every row of a later split",
        "select count(*) from this where (by_date = 'train' and ts >= "
        "(select min(ts) from this where by_date in ('valid', 'test'))) "
        "or (by_date = 'valid' and ts >= (select min(ts) from this where by_date = 'test'))",
        at_most=0,
    ),
    coverage("notes", at_least=1.0),
)
