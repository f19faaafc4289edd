"""Import a folder of product photographs: `products.csv` (titles and attributes) beside `images/`.

Notes with pictures and no click log, so only the jobs on notes run. The pictures stay where they are: `image_roots` in
the configuration names their folder by its absolute path. The category path has the two wide levels; article type,
colour, gender, season and usage are what a tagger is to find in the picture, and stay out of the note. A product
is published on 1 January of its year.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from jobs.importers.raw_folder import (
    Imported,
    ImporterError,
    Note,
    folder_parser,
    run_import,
    write_raw_folder,
)
from jobs.importers.read_files import csv_rows, source_file

FILE = "products.csv"
COLUMNS = ("id", "masterCategory", "subCategory", "year", "productDisplayName", "image")


def transform(products: Iterable[Mapping[str, str]], images: Path) -> Imported:
    """A note per product. Raises `ImporterError` naming the product whose year is none."""
    return Imported([note_of(product) for product in products], config={"image_roots": [str(images)]})


def note_of(product: Mapping[str, str]) -> Note:
    """One product as a note; its picture is named inside the images folder."""
    try:
        created_at = datetime(int(float(product["year"])), 1, 1, tzinfo=UTC)
    except ValueError:
        raise ImporterError(f"{FILE}: product {product['id']} has the year {product['year']!r}") from None
    return Note(
        note_id=product["id"],
        title=product["productDisplayName"],
        created_at=created_at,
        category=(product["masterCategory"], product["subCategory"]),
        image_uris=(product["image"].removeprefix("images/"),),
    )


def main(argv: list[str]) -> None:
    args = folder_parser("fashion", __doc__).parse_args(argv)
    file = source_file(args.source, FILE)
    imported = transform(csv_rows(file, COLUMNS), (args.source / "images").resolve())
    write_raw_folder(args.target, "fashion", [file], imported)


if __name__ == "__main__":
    run_import(main)
