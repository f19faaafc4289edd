"""Online Retail: what of a dirty till roll is an event, and what the counts say about the rest."""

from __future__ import annotations

from datetime import UTC, datetime

from jobs.importers.online_retail import BOOKKEEPING, GUEST, RETURN, Line, transform
from jobs.importers.raw_folder import Event

WINTER = datetime(2010, 12, 1, 8, 26)
SUMMER = datetime(2011, 7, 1, 8, 26)


def line(description: str | None = "RED MUG", **other: object) -> Line:
    """One good line of customer 17850, with some columns exchanged."""
    row = {"quantity": 6, "sold_at": WINTER, "price": 2.55, "customer": 17850.0, "country": "United Kingdom"}
    return Line(description, **{**row, **other})  # type: ignore[arg-type]


def test_every_line_is_an_event_or_is_left_out_for_what_it_is() -> None:
    lines = [
        line(),
        line(quantity=-6),
        line("damages", quantity=-1, price=0.0, customer=None),
        line(None, price=0.0, customer=None),
        line("Adjust bad debt", quantity=1, price=-11062.06, customer=None),
        line(customer=None),
        line("GIFT", price=0.0),
    ]
    found = transform(lines)
    assert [event.note_id for event in found.events] == ["RED MUG", "GIFT"]
    assert found.left_out == {RETURN: 2, BOOKKEEPING: 2, GUEST: 1}
    assert found.num_read == 7


def test_guests_are_kept_without_a_user_where_that_is_wanted() -> None:
    found = transform([line(customer=None), line()], keep_guests=True)
    assert [event.user_id for event in found.events] == [None, "17850"]
    assert found.left_out == {RETURN: 0, BOOKKEEPING: 0}


def test_lines_of_one_invoice_keep_their_order_as_microseconds() -> None:
    other = line("LAMP", customer=12345.0)
    found = transform([line("B"), other, line("A"), line("B", quantity=1)]).events
    assert [(e.note_id, e.ts and e.ts.microsecond) for e in found] == [
        ("B", 0),
        ("LAMP", 0),
        ("A", 1),
        ("B", 2),
    ]


def test_equal_lines_share_their_instant_so_that_cleaning_finds_the_duplicate() -> None:
    first, _, again = transform([line("A"), line("B"), line("A")]).events
    assert first == again


def test_the_shops_clock_is_londons_in_winter_and_in_summer() -> None:
    winter, summer = transform([line(), line(sold_at=SUMMER)]).events
    assert winter == Event("17850", "RED MUG", "click", datetime(2010, 12, 1, 8, 26, tzinfo=UTC))
    assert summer.ts == datetime(2011, 7, 1, 7, 26, tzinfo=UTC)


def test_a_product_is_a_description_titled_as_it_is_mostly_spelt_and_born_the_day_it_first_sold() -> None:
    lines = [
        line("Red  mug", sold_at=SUMMER),
        line("RED MUG "),
        line("RED MUG"),
        line("POSTAGE"),
        line(quantity=-1),
    ]
    (note,) = transform(lines).notes
    assert (note.note_id, note.title) == ("RED MUG", "RED MUG")
    assert note.created_at == datetime(2010, 12, 1, tzinfo=UTC)


def test_a_service_is_an_event_without_a_note() -> None:
    found = transform([line("Next Day  Carriage")])
    assert [event.note_id for event in found.events] == ["NEXT DAY CARRIAGE"]
    assert found.notes == []


def test_a_product_that_only_guests_bought_is_a_note_all_the_same() -> None:
    assert [note.note_id for note in transform([line(customer=None)]).notes] == ["RED MUG"]
