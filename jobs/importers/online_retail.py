"""Import Online Retail (UCI, 352): the tills of a British gift shop, December 2010 to December 2011, dirt included.

A purchase becomes a `click`. The published file has neither invoice numbers nor stock codes, so a product is its
description (in capitals, with single spaces), and an invoice is what one customer bought in one minute. Its lines keep
their order as microseconds after the minute, so that "bought A, then B" has a direction; lines that are equal in every
column share an instant, so that cleaning sees them as the duplicates they are.

Fees and services (`SERVICES`) are sold, but are no products: their lines become events without a note, which cleaning
quarantines as `unknown_note`. Returns and the shop's own bookkeeping are no events and are left out, with counts. So
are sales to unknown customers: a quarter of all lines, and more than a table may quarantine (20 %) on 146 of 305 days.
`--keep-guests` writes those too, with no user_id, to be quarantined as `bad_user_id`.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jobs.importers.raw_folder import Event, Imported, Note, folder_parser, run_import, write_raw_folder
from jobs.importers.read_files import parquet_rows, source_file

FILE = "online_retail.parquet"
COLUMNS = ("Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
TIMEZONE = "Europe/London"
SERVICES = frozenset(
    {
        "ADJUST BAD DEBT",
        "AMAZON FEE",
        "BANK CHARGES",
        "CARRIAGE",
        "CRUK COMMISSION",
        "DISCOUNT",
        "DOTCOM POSTAGE",
        "HIGH RESOLUTION IMAGE",
        "MANUAL",
        "NEXT DAY CARRIAGE",
        "PACKING CHARGE",
        "POSTAGE",
        "SAMPLES",
    }
)
# All lines of an invoice carry one minute, up to 542 of them: by rate alone, good customers would look like robots.
CONFIG = {"ingest": {"robot_events_per_minute": 1000}}

RETURN = "returns and write-offs: the quantity is negative"
BOOKKEEPING = "stock and bookkeeping entries: neither customer nor price"
GUEST = "sales without a customer: nobody whose clicks could be followed"


class Line(NamedTuple):
    """One row of the file; `sold_at` is the shop's clock."""

    description: str | None
    quantity: int
    sold_at: datetime
    price: float
    customer: float | None
    country: str


def transform(rows: Iterable[Line], keep_guests: bool = False) -> Imported:
    """Every line is an event or is left out with a reason; every product that was ever sold is a note."""
    lines = list(rows)
    kinds = Counter(kind_of(line) for line in lines)
    sold = [line for line in lines if kind_of(line) in (None, GUEST)]
    left_out = {
        kind: kinds[kind] for kind in (RETURN, BOOKKEEPING, GUEST) if kind != GUEST or not keep_guests
    }
    kept = [line for line in sold if keep_guests or kind_of(line) is None]
    options = {"keep_guests": keep_guests}
    return Imported(products(sold), clicks(kept), len(lines), left_out, TIMEZONE, CONFIG, options)


def kind_of(line: Line) -> str | None:
    """Why the line is no event of a known customer; None where it is one."""
    if line.quantity <= 0:
        return RETURN
    if line.customer is None:
        return GUEST if line.price > 0 else BOOKKEEPING
    return None


def clicks(lines: Iterable[Line]) -> list[Event]:
    """A click for every line, at its minute plus its place in the invoice in microseconds."""
    invoices: dict[tuple[datetime, float | None], dict[Line, int]] = defaultdict(dict)
    events = []
    for line in lines:
        invoice = invoices[line.sold_at, line.customer]
        place = invoice.setdefault(line, len(invoice))
        user = None if line.customer is None else str(int(line.customer))
        events.append(
            Event(user, product_of(line), "click", utc(line.sold_at) + timedelta(microseconds=place))
        )
    return events


def products(lines: Iterable[Line]) -> list[Note]:
    """A note for every product: its most frequent spelling, published at midnight before it first was sold."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, datetime] = {}
    for line in lines:
        name = product_of(line)
        if name is not None and line.description is not None and name not in SERVICES:
            spellings[name][line.description.strip()] += 1
            first[name] = min(first.get(name, line.sold_at), line.sold_at)
    return [
        Note(
            name,
            min(found, key=lambda text: (-found[text], text)),
            utc(datetime.combine(first[name], time())),
        )
        for name, found in sorted(spellings.items())
    ]


def product_of(line: Line) -> str | None:
    """The product's id: its description in capitals with single spaces."""
    return " ".join(line.description.split()).upper() or None if line.description else None


def utc(shop_time: datetime) -> datetime:
    """The instant of a reading of the shop's clock."""
    return shop_time.replace(tzinfo=ZoneInfo(TIMEZONE)).astimezone(UTC)


def arg_parser() -> argparse.ArgumentParser:
    """`--from`, `--to`, and whether sales to unknown customers are written too."""
    parser = folder_parser("online_retail", __doc__)
    parser.add_argument(
        "--keep-guests", action="store_true", help="write sales without a customer, for quarantine"
    )
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    file = source_file(args.source, FILE)
    imported = transform((Line(*row) for row in parquet_rows(file, COLUMNS)), args.keep_guests)
    write_raw_folder(args.target, "online_retail", [file], imported)


if __name__ == "__main__":
    run_import(main)
