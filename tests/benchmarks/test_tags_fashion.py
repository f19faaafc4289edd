"""Products with photographs: titles without colour and type, products of a title together, figures worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fashion_products import (
    COLUMNS,
    Mask,
    Product,
    chain_of,
    pages_of,
    read_products,
    split_of,
    stem,
)
from benchmarks.fashion_shop import ARMS, SEEING, Shop
from benchmarks.tags_fashion import accuracy_of, bars, f1_of, score, tags_of
from jobs.tags.asking import Question, Reply
from models.tags.chain import parse_reply
from models.tags.prompt import NoteText, Prompt


def product(number: int, title: str, colour: str = "Black", kind: str = "Tshirts", **other: str) -> Product:
    gold = {"colour": colour, "type": kind, "gender": "Men", "usage": "Casual", "season": "Fall", **other}
    return Product(str(number), title, "Apparel", "Topwear", Path(f"{number}.jpg"), gold)


SHELF = [
    product(1, "Nike Men Town Navy Blue T-Shirts", "Navy Blue"),
    product(2, "Arrow Men Ties", "Grey", "Ties"),
    product(3, "Timberland Men Casual Shoe", "Tan", "Casual Shoes"),
    product(4, "Baggit Women Purse", "Pink", "Handbags"),
]


@pytest.mark.parametrize(
    ("title", "masked"),
    [
        ("Nike Men Town Navy Blue T-Shirts", "Nike Men Town"),
        ("Nike Men T Shirt", "Nike Men"),  # written apart
        ("Puma Men TSHIRT Polo", "Puma Men"),  # whatever the case, and a word that is a kind of it
        ("Arrow Men Formal Red Tie+Cufflink+Square", "Arrow Men Formal Red Cufflink"),  # Red is on no shelf here
        ("Fila Women Sportshoes", "Fila Women"),  # a word that holds a masked one
        ("Lee Men Blue/Tan Handbag-Set", "Lee Men"),
        ("Titan Men Standard Tantra", "Titan Men Standard Tantra"),  # three letters are masked as whole words only
        ("Wills Men Solid", "Wills Men Solid"),
        ("Pink Tshirts", ""),
    ],
)
def test_words_of_colour_and_type_are_taken_out_of_a_title(title: str, masked: str) -> None:
    assert Mask(SHELF)(title) == masked


def test_plurals_and_hyphens_have_one_stem() -> None:
    forms = {"Ties": "tie", "Accessories": "accessory", "Dress": "dress", "Dresses": "dress", "Watches": "watch"}
    assert {word: stem(word) for word in forms} == forms
    assert {stem(word) for word in ("T-Shirts", "tshirt", "TShirts")} == {"tshirt"}


def test_products_of_one_title_are_on_one_side_and_a_half_teaches() -> None:
    counts = {"teacher": 0, "transfer": 0, "rest": 0}
    for number in range(4000):
        counts[split_of(f"title {number}")] += 1
    assert abs(counts["teacher"] - 2000) < 150
    assert abs(counts["transfer"] - 1000) < 120
    assert split_of("Nike Men Town") == split_of("Nike Men Town")


def test_a_page_has_the_values_seen_most_often() -> None:
    page = pages_of([*SHELF, product(5, "x", "Tan")])["Apparel"]
    colours = next(d for d in page.dimensions if d.name == "colour")
    assert colours.values == ("Tan", "Grey", "Navy Blue", "Pink")


def test_the_finer_category_is_not_shown() -> None:
    shop = Shop({"teacher": SHELF, "transfer": [], "rest": []}, {"1": "Nike Men Town"}, pages_of(SHELF))
    assert shop.note(SHELF[0], SEEING).category == ("Apparel",)
    assert "Topwear" not in shop.question(SHELF[0], ARMS[1], "chain").prompt.user
    assert shop.title(SHELF[0], ARMS[2]) == "Nike Men Town Navy Blue T-Shirts"


def reply(*values: tuple[str, str, str]) -> Reply:
    said = [{"dimension": d, "value": v, "evidence": e} for d, v, e in values]
    return Reply("ok", json.dumps({"values": said}))


def test_a_tag_counts_if_its_evidence_holds_and_it_is_gold() -> None:
    note, asked = NoteText("Nike Men Town", ""), Question(Prompt("", "", True), b"png")
    seen = (("colour", "navy blue", "picture"), ("type", "Shirts", "picture"))
    said = tags_of(note, asked, reply(*seen, ("gender", "Men", "Men"), ("usage", "Casual", "Paris")))
    assert said == {"colour": "navy blue", "type": "Shirts", "gender": "Men"}
    found = score(SHELF[0], said)
    assert (found.said, found.right, found.gold) == (3, 2, 5)
    assert found.is_right == {"colour": True, "type": False, "gender": True, "usage": False, "season": False}


def test_what_has_no_gold_counts_for_nothing_and_what_is_no_dimension_counts_against() -> None:
    unknown = product(9, "x", season="")
    assert score(unknown, {"season": "Fall", "colour": "Black"})[:3] == (1, 1, 4)
    assert score(unknown, {"mood": "calm"})[:3] == (1, 0, 4)


def test_figures_of_two_notes_by_hand() -> None:
    scores = [score(SHELF[0], {"colour": "Navy Blue", "type": "Tshirts"}), score(SHELF[1], {"colour": "Blue"})]
    draws = np.array([[0, 0], [1, 1], [0, 1]])
    assert f1_of(scores, draws).tolist() == pytest.approx([4 / 7, 0, 4 / 13])  # 2 * 4 / (4 + 10), 0, 2 * 2 / (3 + 10)
    assert accuracy_of(scores, "colour", draws).tolist() == [1, 0, 0.5]
    assert accuracy_of(scores, "season", draws).tolist() == [0, 0, 0]


def test_bars_hold_and_are_missed_by_what_was_measured() -> None:
    right, wrong = ({d: v for d, v in SHELF[0].gold.items() if d in kept} for kept in (("colour", "type"), ("gender",)))
    many = {name: [score(SHELF[0], said)] * 9 for name, said in (("seeing", right), ("blind", wrong))}
    scores = {SEEING.name: many["seeing"], ARMS[1].name: many["blind"], "student, tags alone": many["seeing"]}
    draws = np.zeros((4, 9), dtype=int)
    assert all(bars(scores, {"teacher": [2.0], "student": [10.0]}, draws).values())
    scores[SEEING.name] = many["blind"]
    assert list(bars(scores, {"teacher": [2.0], "student": [9.9]}, draws).values())[:2] == [False, False]
    assert not list(bars(scores, {"teacher": [2.0], "student": [9.9]}, draws).values())[3]


def test_a_folder_without_a_column_or_a_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no products\.csv"):
        read_products(tmp_path)
    (tmp_path / "products.csv").write_text("id,title\n1,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no column articleType, baseColour"):
        read_products(tmp_path)
    (tmp_path / "products.csv").write_text(f"{','.join(COLUMNS)}\n{',1' * (len(COLUMNS) - 1)}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="names 1 pictures that are not there"):
        read_products(tmp_path)


@pytest.mark.parametrize("has_picture", [True, False])
def test_the_chain_that_is_taught_reads_back_as_gold(has_picture: bool) -> None:
    title = "Nike Men Town"
    text = chain_of(SHELF[0], title, has_picture=has_picture)
    read = parse_reply(text, title, has_picture=has_picture)
    assert {(tag.dimension, tag.value) for tag in read.tags} == SHELF[0].pairs
    assert {tag.dimension: tag.evidence for tag in read.tags}["colour"] == ("picture" if has_picture else "Nike")
    assert {tag.dimension: tag.evidence for tag in read.tags}["gender"] == "Men"
