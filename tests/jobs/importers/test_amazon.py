"""The Amazon sets: descriptions, category paths, and synthetic days that keep order and split."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime

import pytest

from jobs.importers import amazon_beauty, amazon_office_dated, amazon_scientific
from jobs.importers.raw_folder import ImporterError
from jobs.importers.synthetic_days import clicks, microseconds

START = date(2018, 1, 1)
HOUR = 3_600_000_000


def sequence(user: int, *items: int) -> list[tuple[int, int, int, str]]:
    """A user's rows with the leave-one-out split."""
    splits = ["train"] * (len(items) - 2) + ["valid", "test"]
    return [(user, pos, item, split) for pos, (item, split) in enumerate(zip(items, splits, strict=True))]


def test_items_of_a_user_spread_over_the_train_days_by_the_users_phase() -> None:
    # The SHA-256 of "0" begins with 5feceb66: a phase of 0x5feceb66 / 2**32 = 0.374709. Three train items over
    # seven days of 24 hours: at (k + 0.374709) / 3 of 168 hours, that is after 20.98, 76.98 and 132.98 hours.
    times = microseconds("0", 5, days=9)
    assert [time / HOUR for time in times] == pytest.approx(
        [20.9837, 76.9837, 132.9837, 176.9930, 200.9930], abs=1e-3
    )


def test_time_gives_back_order_and_split() -> None:
    rows = [
        row for user in range(200) for row in sequence(user, *range(user * 300, user * 300 + 5 + user % 250))
    ]
    by_user = defaultdict(list)
    for event in clicks(reversed(rows), start=START, days=9):
        by_user[event.user_id].append((event.ts, int(event.note_id or "")))
    split_of_day = {date(2018, 1, 8): "valid", date(2018, 1, 9): "test"}
    recovered = {
        (int(user or ""), pos, item, split_of_day.get(ts.date(), "train"))
        for user, found in by_user.items()
        for pos, (ts, item) in enumerate(sorted(found))
        if ts
    }
    assert recovered == set(rows)


def test_train_days_hold_about_equally_many_events() -> None:
    rows = [row for user in range(700) for row in sequence(user, 1, 2, 3, 4, 5)]
    days = defaultdict(int)
    for event in clicks(rows, start=START, days=9):
        days[event.ts and event.ts.day] += 1
    assert [days[8], days[9]] == [700, 700]
    assert all(200 < days[day] < 400 for day in range(1, 8))


def test_another_split_or_too_few_days_are_refused() -> None:
    with pytest.raises(ImporterError, match="the split of user 3 is train, test, valid"):
        clicks([(3, 0, 1, "train"), (3, 1, 2, "test"), (3, 2, 3, "valid")], start=START, days=9)
    with pytest.raises(ImporterError, match="--days is 2: at least 3"):
        clicks(sequence(1, 1, 2, 3), start=START, days=2)


def test_a_category_path_is_parted_at_commas_without_a_space() -> None:
    text = "Industrial & Scientific,Test, Measure & Inspect,Calipers"
    assert amazon_scientific.category_path(text) == (
        "Industrial & Scientific",
        "Test, Measure & Inspect",
        "Calipers",
    )
    assert amazon_scientific.category_path("") == ()


def test_scientific_items_become_notes_of_the_first_day() -> None:
    item = {"item_id": 0, "title": "Relay", "description": "Hard start", "brand": "", "categories": "A,B"}
    found = amazon_scientific.transform([item], sequence(1, 0, 1, 2), start=START, days=9)
    (note,) = found.notes
    assert (note.note_id, note.body, note.category, note.author_id) == ("0", "Hard start", ("A", "B"), None)
    assert note.created_at == datetime(2018, 1, 1, tzinfo=UTC)
    assert (len(found.events), found.num_read) == (3, 3)


def test_beauty_items_take_the_first_of_several_paths() -> None:
    item = {"item_id": 1, "title": "Nail", "categories": [["Beauty", "Nails"], ["Gifts"]], "brand": "OPI"}
    bare = {"item_id": 2, "title": "Bare", "categories": [], "brand": None}
    notes = amazon_beauty.transform([item, bare], sequence(1, 1, 2, 1), start=START, days=9).notes
    assert [(note.category, note.author_id) for note in notes] == [(("Beauty", "Nails"), "OPI"), ((), None)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("['One.', \"It's two.\"]", "One.\nIt's two."),
        ("", ""),
        ("plain words", "plain words"),
        ("[1, 2]", "[1, 2]"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("(" * 5_000, "(" * 5_000),
        ("['" + "x" * 200_000 + "']", "['" + "x" * 200_000 + "']"),
    ],
)
def test_a_description_is_a_list_written_out_or_stays_as_it_is(text: str, wanted: str) -> None:
    assert amazon_office_dated.paragraphs(text) == wanted


def test_office_reviews_keep_their_day_and_notes_begin_with_their_first_review() -> None:
    items = [{"item_id": i, "title": "t", "description": ""} for i in (1, 2, 3)]
    found = amazon_office_dated.transform(items, [(0, 2, 1475366400), (0, 1, 1475280000), (9, 2, 1475280000)])
    assert [(e.user_id, e.note_id, e.ts and e.ts.day) for e in found.events] == [
        ("0", "2", 2),
        ("0", "1", 1),
        ("9", "2", 1),
    ]
    assert {note.created_at for note in found.notes} == {datetime(2016, 10, 1, tzinfo=UTC)}
