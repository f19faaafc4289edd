"""Products with a photograph, a title and attributes that people gave them: how they are read, split, masked and asked.

    DIR/products.csv   id, gender, masterCategory, subCategory, articleType, baseColour, season, usage,
                       productDisplayName, image
    DIR/images/        the pictures that the column `image` names, as images/ID.jpg

This is the form of the public table "Fashion Product Images (small)". Titles name colour and type nearly always, so
`Mask` takes such words out of them; the category path shown is `masterCategory`, because the finer one is the type.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.tags.chain import PICTURE, folded
from models.tags.handbook import Dimension, Page
from models.tags.prompt import NoteText

FILE = "products.csv"
# The dimension of a tag and the column that is gold for it.
DIMENSIONS = {
    "colour": "baseColour",
    "type": "articleType",
    "gender": "gender",
    "usage": "usage",
    "season": "season",
}
DEFINITIONS = {
    "colour": "Its main colour.",
    "type": "What kind of thing it is.",
    "gender": "Whom it is made for.",
    "usage": "The occasion that it suits.",
    "season": "The season that it was made for.",
}
COLUMNS = ("id", "masterCategory", "subCategory", "productDisplayName", "image", *DIMENSIONS.values())
NUM_EXAMPLES = 8  # values of a dimension on a page
# What titles say in place of a colour or a type; words that a name of one consists of are added by `Mask`.
COLOUR_WORDS = """
    aqua assorted burgundy camel chocolate coloured colored crimson cyan dark fluorescent golden gray indigo ivory light
    lime mauve metallic mink multicolor multicolour neon plum rose royal ruby scarlet sky violet wine
"""
TYPE_WORDS = """
    analog analogue apparel aviator ballerina beanie bikini blazer blouse boot brassiere cardigan chino
    chronograph clog denim dial digital duffle eyewear floater footwear frame frock gown hat henley hobo
    hooded hoodie hoody jersey lace-up lens loafer moccasin mule pant pocket polo pullover pump purse rucksack
    satchel scarf slacks sling slip slipper sneaker square stiletto strap suspender tank tee thong tote
    trolley undershirt visor wayfarer wedge
"""
_PIECES = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SHORTEST_PART = 4  # letters: a longer word that holds a masked one of so many is masked too (navyblue, sportshoe)
Split = Literal["teacher", "transfer", "rest"]


@dataclass(frozen=True)
class Product:
    """One product: its title as it came, its picture, and the gold value of every dimension (`""`: none given)."""

    id: str
    title: str
    category: str
    sub_category: str
    image: Path
    gold: Mapping[str, str]

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The gold tags."""
        return frozenset((dimension, value) for dimension, value in self.gold.items() if value)


def read_products(source: Path) -> list[Product]:
    """All products of a folder. Raises `ValueError` that says what is missing."""
    file = source / FILE
    if not file.is_file():
        raise ValueError(f"--source {source} has no {FILE}: name a folder of the form that {Path(__file__).name} says")
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = sorted({*COLUMNS} - {*(rows.fieldnames or ())})
        if missing:
            raise ValueError(f"{file} has no column {', '.join(missing)}")
        found = [_product(row, source) for row in rows]
    lost = [str(product.image) for product in found if not product.image.is_file()]
    if lost:
        raise ValueError(f"{file} names {len(lost)} pictures that are not there, such as {lost[0]}")
    return found


def _product(row: Mapping[str, str], source: Path) -> Product:
    gold = {dimension: row[column].strip() for dimension, column in DIMENSIONS.items()}
    title, image = row["productDisplayName"].strip(), source / row["image"]
    return Product(row["id"], title, row["masterCategory"], row["subCategory"], image, gold)


def split_of(title: str) -> Split:
    """A half teaches the teacher, a quarter shows its pictures and titles to the student, a quarter nobody has seen.

    By the hash of the title and not of the id: products of one title, which may be one product, stay together.
    """
    place = int(hashlib.sha256(f"fashion split {title}".encode()).hexdigest()[:12], 16) % 100
    return "teacher" if place < 50 else "transfer" if place < 75 else "rest"


class Mask:
    """Takes the words of colours and types out of titles."""

    def __init__(self, products: Iterable[Product]) -> None:
        names: set[str] = set()
        for product in products:
            names |= {product.gold["colour"], product.gold["type"], product.sub_category}
        words = {word for text in (*names, COLOUR_WORDS, TYPE_WORDS) for word in _words(text)}
        self.stems = {stem(word) for word in words if len(word) > 1 and word.lower() != "and"}
        self.parts = sorted(part for part in self.stems if len(part) >= _SHORTEST_PART)

    def __call__(self, title: str) -> str:
        """The title without them; words joined by anything but a letter are looked at one by one."""
        split = re.sub(r"(?i)\bt[\s-]+shirt", "tshirt", title)
        return " ".join(" ".join(self._kept(word)) for word in split.split() if self._kept(word))

    def _kept(self, word: str) -> list[str]:
        """A word as it came if nothing in it is masked, else those of its pieces that are not."""
        pieces = _PIECES.findall(word)
        kept = [piece for piece in pieces if not self.is_masked(piece)]
        return [word] if len(kept) == len(pieces) else kept

    def is_masked(self, word: str) -> bool:
        """Whether a word, one of the words it is made of, or a part of it says a colour or type."""
        joined = stem(word)
        if joined in self.stems or any(part in joined for part in self.parts):
            return True
        return any(stem(piece) in self.stems for piece in re.split(r"[-'’]", word))


def _words(text: str) -> list[str]:
    """The words of a name, each whole and, where it is hyphenated, in its parts."""
    found = _PIECES.findall(text)
    return [*found, *(part for word in found for part in re.split(r"[-'’]", word))]


def stem(word: str) -> str:
    """Letters alone, small, without the ending of a plural: T-Shirts, tshirt and TShirts are one."""
    letters = "".join(c for c in word.casefold() if c.isalpha())
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if letters.endswith(ending) and not letters.endswith("ss") and len(letters) > len(ending) + 1:
            return letters.removesuffix(ending) + instead
    return letters


def note_of(product: Product, title: str) -> NoteText:
    """What a prompt shows of a product beside its picture: a title (masked or not) and the widest category."""
    return NoteText(title, "", (product.category,))


def chain_of(product: Product, title: str, *, has_picture: bool) -> str:
    """The chain that a perfect teacher would write, in the form of `models.tags.chain`.

    Evidence must stand in the text where there is no picture: that of a guess is then the title's first word.
    """
    words = {folded(word): word for word in title.split()}
    guess = PICTURE if has_picture else title.split()[0] if title else ""
    stated = {d: words[folded(v)] for d, v in product.gold.items() if folded(v) in words}
    values = [
        {"dimension": d, "value": v, "evidence": stated.get(d, guess)}
        for d, v in product.gold.items()
        if v and stated.get(d, guess)
    ]
    seen = [v["value"] for v in values if has_picture and v["evidence"] == PICTURE]
    reply = {
        "text": list(dict.fromkeys(v["evidence"] for v in values if v["evidence"] != PICTURE)),
        "picture": ", ".join(seen),
        "dimensions": [v["dimension"] for v in values],
        "values": values,
        "tags": [f"{v['dimension']}: {v['value']}" for v in values],
    }
    return json.dumps(reply, ensure_ascii=False)


def pages_of(products: Sequence[Product]) -> dict[str, Page]:
    """The handbook: a page for every wide category and one for all, with the values seen most often, as the only
    knowledge of a value's name that a prompt gives."""
    groups: dict[str, list[Product]] = {"": list(products)}
    for product in products:
        groups.setdefault(product.category, []).append(product)
    return {name: _page(name, group) for name, group in sorted(groups.items())}


def _page(name: str, products: Sequence[Product]) -> Page:
    dimensions = []
    for dimension, definition in DEFINITIONS.items():
        counts = Counter(p.gold[dimension] for p in products if p.gold[dimension])
        often = sorted(counts, key=lambda value: (-counts[value], value))[:NUM_EXAMPLES]
        dimensions.append(Dimension(dimension, definition, tuple(often)))
    return Page(name, tuple(dimensions))
