"""What is one tag spelled twice, and what only looks like it."""

from __future__ import annotations

import random

import pytest

from models.tags.contrast import are_exclusive, is_narrower, shared_characters
from models.tags.spelling import spelling_key, surface_of
from models.tags.typos import Typos, is_typo


@pytest.mark.parametrize(
    ("raw", "surface"),
    [
        ("ＲＥＤ　Dress", "red dress"),  # full width, an ideographic blank
        ("#SummerDress", "summer dress"),
        ("#DIYHome", "diy home"),
        ("MacBook", "macbook"),  # a name, no hashtag
        ("summer_dress", "summer dress"),
        ("#露营#", "露营"),
        ("「复古风」", "复古风"),
        ("《小王子》。", "小王子"),
        ('  "#Tote  Bag!" ', "tote bag"),
        ("C++", "c++"),
        ("-5°C", "-5°c"),
        ("!?", ""),
    ],
)
def test_a_tag_is_written_down_folded(raw: str, surface: str) -> None:
    assert surface_of(raw) == surface


def test_what_is_written_down_stays_as_it_is() -> None:
    dice = random.Random(1)
    alphabet = "aB1 #_-'\"「」。·风ｅßİǅ#"
    for _ in range(3000):
        surface = surface_of("".join(dice.choices(alphabet, k=dice.randint(1, 8))))
        assert surface_of(surface) == surface


@pytest.mark.parametrize(
    "spellings",
    [
        ("tote bag", "tote bags", "tote-bag", "totebag"),
        ("colour-blocked", "color blocked"),
        ("organiser", "organizers"),
        ("cosy", "cozy"),
        ("carbon fibre", "carbon fiber", "carbon-fibres"),
        ("grey", "gray"),
        ("women's shoes", "womens shoe", "women’s shoe"),
        ("cookie", "cookies"),
        ("watch", "watches"),
        ("house", "houses"),
        ("knife", "knives"),
        ("jewellery", "jewelry"),
        ("salt & pepper", "salt and pepper"),
        ("复古", "复古风", "复古风格"),
        ("红", "红色", "红色款"),
    ],
)
def test_spellings_of_one_tag_have_one_key(spellings: tuple[str, ...]) -> None:
    assert len({spelling_key(surface) for surface in spellings}) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("glass", "glasses"),
        ("1-2 people", "12 people"),
        ("size 3.5", "size 35"),
        ("-5°c", "5°c"),
        ("1 2", "12"),
        ("c", "c++"),
        ("c++", "c#"),
        ("dress", "dres"),
        ("clothes", "cloths"),
        ("new", "news"),
        ("大风", "大"),
        ("学生", "学生党"),
    ],
)
def test_other_tags_have_other_keys(left: str, right: str) -> None:
    assert spelling_key(left) != spelling_key(right)


def test_a_misspelling_is_one_edit_inside_a_long_word() -> None:
    assert is_typo("polyster fleece", "polyester fleece")  # a letter left out
    assert is_typo("aluminuim", "aluminium")  # two neighbours swapped
    assert is_typo("waterprouf", "waterproof")  # replaced
    assert is_typo("waterproooof", "waterprooof")
    assert not is_typo("linen", "liner")  # short
    assert not is_typo("typical", "atypical")
    assert not is_typo("recycled", "recycler")
    assert not is_typo("waterprouf", "waterproff boots")
    assert not is_typo("interior", "exterior")  # two edits
    assert not is_typo("12345678", "12345679")


def test_a_misspelling_is_a_quarter_as_frequent_at_most() -> None:
    typos = Typos([("polyester", 8), ("polyesters x", 99)])
    assert typos.twin("polyster", 2) == "polyester"
    assert typos.twin("polyster", 3) is None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("size 38", "size 39"),
        ("2 person tent", "3 person tent"),
        ("two-person tent", "three-person tent"),
        ("1.5 l", "15 l"),
        ("red", "blue"),
        ("red dress", "blue dress"),
        ("men's shoes", "women's shoes"),
        ("dry skin", "oily skin"),
        ("gluten", "gluten-free"),
        ("scented", "unscented"),
        ("indoor plants", "outdoor plants"),
        ("小户型", "大户型"),
        ("男装", "女装"),
        ("一人食", "两人食"),
        ("含糖", "无糖"),
    ],
)
def test_what_excludes_each_other_is_told_apart(left: str, right: str) -> None:
    assert are_exclusive(left, right)
    assert are_exclusive(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("couch", "sofa"),
        ("cell phone", "mobile phone"),
        ("size 38", "38 size"),
        ("red dress", "red gown"),
        ("小户型", "小公寓"),
    ],
)
def test_what_does_not_exclude_each_other_is_left_to_the_encoder(left: str, right: str) -> None:
    assert not are_exclusive(left, right)


def test_a_tag_with_words_added_is_narrower() -> None:
    assert is_narrower("faux leather", "leather")
    assert is_narrower("beginners", "absolute beginner")
    assert not is_narrower("couch", "sofa")


def test_shared_characters_are_counted_as_dice_does() -> None:
    assert shared_characters("美利奴羊毛", "美利奴羊绒") == 8 / 10
    assert shared_characters("手账", "手账本") == 4 / 5
    assert shared_characters("人人", "人") == 2 / 3
    assert shared_characters("", "人") == 0.0
