"""The truth is in the data: a right algorithm can find it, a wrong one scores visibly worse."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from demo.catalogue import CATEGORIES, NUM_VALUES

CLICKS = (
    "with clicks as (select distinct user_id, note_id, ts, t.interest, t.colour, t.pattern from events "
    "join note_truth t using (note_id) join user_truth u using (user_id) "
    "where event = 'click' and not u.is_robot and ts < '2026-01-14 16:00:00') "
)

TEXT = "(title || ' ' || body || ' ' || list_aggr(hashtags, 'string_agg', ' '))"


def value(sql: duckdb.DuckDBPyConnection, query: str) -> float:
    row = sql.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def test_notes_clicked_by_one_user_mostly_belong_together(sql: duckdb.DuckDBPyConnection) -> None:
    together = value(
        sql,
        CLICKS
        + "select avg((a.interest = b.interest)::int) from clicks a join clicks b on a.user_id = b.user_id "
        "and a.ts < b.ts and b.ts < a.ts + interval 7 day and a.note_id <> b.note_id",
    )
    assert together > 0.55


def test_within_one_session_nearly_all_clicks_belong_together(sql: duckdb.DuckDBPyConnection) -> None:
    together = value(
        sql,
        CLICKS
        + "select avg((a.interest = b.interest)::int) from clicks a join clicks b on a.user_id = b.user_id "
        "and a.ts < b.ts and b.ts < a.ts + interval 10 minute and a.note_id <> b.note_id",
    )
    assert together > 0.75


def test_pairs_by_popularity_alone_do_not_belong_together(sql: duckdb.DuckDBPyConnection) -> None:
    popular = CLICKS + (
        ", top as (select note_id, interest, count(*) as n from clicks group by all "
        "order by n desc, note_id limit 40) "
        "select sum(a.n * b.n * (a.interest = b.interest)::int) / sum(a.n * b.n) "
        "from top a join top b on a.note_id <> b.note_id"
    )
    assert value(sql, popular) < 0.15


def test_the_true_pairs_are_clicked_together_far_more_than_others(sql: duckdb.DuckDBPyConnection) -> None:
    share = CLICKS + (
        ", pairs as (select distinct a.note_id, b.note_id as related_note_id from clicks a join clicks b "
        "using (user_id) where a.note_id <> b.note_id) "
        "select (select count(*) from pairs join pair_truth using (note_id, related_note_id)) "
        "/ (select count(*) from pair_truth)"
    )
    of_true = value(sql, share)
    of_all = value(sql, CLICKS + (
        "select count(distinct (a.note_id, b.note_id)) / (select count(*) * (count(*) - 1) from notes) "
        "from clicks a join clicks b using (user_id) where a.note_id <> b.note_id"
    ))  # fmt: skip
    assert of_true > 5 * of_all


@pytest.mark.parametrize(("attribute", "values"), [("colour", 6), ("pattern", 4)])
def test_what_only_the_picture_shows_decides_clicks(
    sql: duckdb.DuckDBPyConnection, attribute: str, values: int
) -> None:
    """Among notes of a user's own interests, those in the favourite look are clicked more often when seen."""
    rate = (
        "select sum((event = 'click')::int) / sum((event = 'impression')::int) from events "
        "join note_truth n using (note_id) join user_truth u using (user_id) "
        f"where list_contains(u.interests, n.interest) and (n.{attribute} = u.{attribute}) = {{}}"
    )
    assert value(sql, rate.format("true")) > 1.15 * value(sql, rate.format("false"))
    share = (
        f"select avg((c.{attribute} = u.{attribute})::int) from clicks c join user_truth u using (user_id)"
    )
    assert value(sql, CLICKS + share) > 1.2 / values


def test_who_ignores_pictures_predicts_clicks_worse(sql: duckdb.DuckDBPyConnection) -> None:
    """Area under the ROC curve of two scores, over what users saw of their own interests."""
    styles = [
        (c.name, rank, c.dimensions[0].values[rank][0]) for c in CATEGORIES for rank in range(NUM_VALUES)
    ]
    sql.execute("create temp table favourite (category varchar, style_rank int, style varchar)")
    sql.executemany("insert into favourite values (?, ?, ?)", styles)
    seen = sql.execute(
        "select max(2 * (n.style = f.style)::int + (n.language = u.language)::int) as by_text, "
        "max(4 * (n.colour = u.colour)::int + 2 * (n.pattern = u.pattern)::int) as by_picture, "
        "max((event = 'click')::int) as is_clicked from events join note_truth n using (note_id) "
        "join user_truth u using (user_id) "
        "join favourite f on f.category = n.category[1] and f.style_rank = u.style_rank "
        "where list_contains(u.interests, n.interest) group by user_id, note_id"
    ).fetchnumpy()
    is_clicked = seen["is_clicked"] == 1
    by_text = area(seen["by_text"], is_clicked)
    by_both = area(seen["by_text"] + seen["by_picture"], is_clicked)
    assert by_both > 0.65
    assert by_both > by_text + 0.07


def area(score: np.ndarray, is_positive: np.ndarray) -> float:
    """The chance that a positive scores above a negative; ties count half."""
    above = (score[is_positive][:, None] > score[~is_positive]).mean()
    return float(above + (score[is_positive][:, None] == score[~is_positive]).mean() / 2)


def test_the_colour_is_said_in_no_text(sql: duckdb.DuckDBPyConnection) -> None:
    english = r"\b(red|yellow|green|blue|purple|black|striped?|stripes|dotted|dots|checked|slim)\b"
    chinese = "红|黄|绿|蓝|紫|黑|条纹|波点|格纹|版型"
    said = f"regexp_matches(lower({TEXT}), '{english}') or regexp_matches({TEXT}, '{chinese}')"
    assert value(sql, f"select count(*) from notes where {said}") == 0


def test_what_the_truth_says_the_text_states_is_stated(sql: duckdb.DuckDBPyConnection) -> None:
    """Checked on brands in English notes; a typing slip may hide a few."""
    stated = (
        f"select avg((contains({TEXT}, brand))::int) "
        "from notes join note_truth using (note_id) where language = 'en' and not is_conflicting "
        "and list_contains(text_only, 'brand') = {}"
    )
    assert value(sql, stated.format("true")) > 0.97
    assert value(sql, stated.format("false")) == 0


def test_notes_read_like_notes(sql: duckdb.DuckDBPyConnection) -> None:
    lengths = "select {}(len(string_split_regex(trim(body), '\\s+'))) from notes where body ~ '^[A-Z]' "
    assert value(sql, lengths.format("min")) >= 15
    assert value(sql, lengths.format("max")) <= 120
    assert value(sql, "select count(distinct body) / count(*) from notes") > 0.9
    assert value(sql, "select min(len(hashtags)) from notes where title <> ''") >= 1
    assert value(sql, "select max(len(hashtags)) from notes") <= 6
    assert 0.4 < value(sql, "select avg((language = 'zh')::int) from note_truth") < 0.7


def test_note_dirt_is_as_much_as_the_truth_says(sql: duckdb.DuckDBPyConnection) -> None:
    def subjects(kind: str) -> list[str]:
        return [
            row[0]
            for row in sql.execute("select subject from dirt where kind = ? order by 1", [kind]).fetchall()
        ]

    def found(query: str) -> list[str]:
        return [row[0] for row in sql.execute(query + " order by 1").fetchall()]

    assert subjects("near_empty_note") == found(
        "select note_id from notes where len(title || trim(body)) < 2"
    )
    assert subjects("conflicting_note") == found(
        "select note_id from notes group by 1 having count(distinct (title, body)) = 2 and count(*) = 2"
    )
    assert value(sql, "select count(*) from notes") == 500 + len(subjects("conflicting_note"))
    same_text = found("select note_id from note_truth where text_group <> note_id")
    assert subjects("duplicate_text") == same_text != []
    differing = (
        "select count(*) from note_truth t join notes a using (note_id) "
        "join notes b on b.note_id = t.text_group "
        "where (a.title, a.body, a.hashtags, a.category) <> (b.title, b.body, b.hashtags, b.category)"
    )
    assert value(sql, differing + " and not t.is_conflicting") == 0


def test_pairs_in_truth_serve_one_interest_and_come_both_ways(sql: duckdb.DuckDBPyConnection) -> None:
    wrong = (
        "select count(*) from pair_truth p join note_truth a using (note_id) "
        "join note_truth b on b.note_id = p.related_note_id "
        "where a.interest <> b.interest or a.interest <> p.interest or a.note_id = b.note_id"
    )
    assert value(sql, wrong) == 0
    one_way = "select count(*) from pair_truth p anti join pair_truth q on (p.note_id, p.related_note_id) = "
    assert value(sql, one_way + "(q.related_note_id, q.note_id)") == 0
    twice = "select count(*) - count(distinct (note_id, related_note_id)) from pair_truth"
    assert value(sql, twice) == 0


def test_every_search_of_the_log_is_graded(sql: duckdb.DuckDBPyConnection) -> None:
    ungraded = (
        "select count(*) from events "
        "where query is not null and query not in (select query from relevance_truth)"
    )
    assert value(sql, ungraded) == 0
    assert value(sql, "select count(*) - count(distinct (query, note_id)) from relevance_truth") == 0
    shares = dict(
        sql.execute(
            "select grade, count(*) / sum(count(*)) over () from relevance_truth group by 1"
        ).fetchall()
    )
    assert set(shares) == {0, 1, 2, 3}
    assert min(shares.values()) > 0.05


@pytest.mark.parametrize(
    ("category", "attribute", "brand", "grade"),
    [
        (2, None, None, 3),
        (2, True, None, 3),
        (2, False, None, 2),
        (2, None, True, 3),
        (2, None, False, 1),
        (1, None, None, 1),
        (1, True, None, 1),
        (1, False, None, 0),
        (1, None, False, 0),
        (0, None, None, 0),
        (0, True, None, 0),
    ],
)
def test_grades_follow_from_the_sub_judgements(
    sql: duckdb.DuckDBPyConnection, category: int, attribute: bool | None, brand: bool | None, grade: int
) -> None:
    grades = sql.execute(
        "select distinct grade from relevance_truth where category_match = ? "
        "and attribute_match is not distinct from ? and brand_match is not distinct from ?",
        [category, attribute, brand],
    ).fetchall()
    assert grades == [(grade,)]
