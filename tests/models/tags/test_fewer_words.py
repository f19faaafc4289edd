"""A note with fewer words: what the reply repeats or rests on stays."""

from __future__ import annotations

import numpy as np
import pytest

from models.tags import fewer_words as module
from models.tags.fewer_words import fewer_words


@pytest.fixture
def dice() -> np.random.Generator:
    return np.random.default_rng(1)


def test_what_the_reply_repeats_or_a_tag_rests_on_stays(
    dice: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARE", 1.0)
    assert fewer_words("Puma Men, light\nand OAK-made", '{"text": ["men"]}', ["oak"], dice) == "Men, OAK-made"
    assert fewer_words("新的棉布 bag", '{"text": ["棉布"]}', ["棉布"], dice) == "棉布"
    assert fewer_words("quite another", "{}", [], dice) == "quite another"  # else none would be left


def test_about_a_third_of_the_other_words_go_and_others_every_time(dice: np.random.Generator) -> None:
    text = " ".join(f"w{number}x" for number in range(300))
    first, second = (fewer_words(text, "", [], dice) for _ in range(2))
    assert first != second
    assert 180 < len(first.split()) < 240  # 210 expected, deviation 8
