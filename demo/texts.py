"""Writes the text of a note from its facts and a list of random numbers: the same numbers, the same text."""

from __future__ import annotations

from typing import NamedTuple

from demo.catalogue import CATEGORIES, PRICES
from demo.interests import INTERESTS
from demo.wording import (
    CLOSERS,
    EMOJI,
    EMPTY_BODIES,
    FILLERS,
    HASHTAGS,
    OPENERS,
    POINTS,
    SENTENCES,
    SLOTS,
    TITLES,
    TITLES_WITH,
)

_MAX_WORDS = (118, 190)  # English words, Chinese characters
_SLIPS = (("的", "得"), ("在", "再"), ("做", "作"), ("已经", "己经"))  # what an input method lets through


class Facts(NamedTuple):
    """What a text is made from: `values` are indices, one a slot in order; `stated` the slots it names."""

    interest: int
    language: int
    values: tuple[int, ...]
    stated: tuple[str, ...]


class Text(NamedTuple):
    """The written parts of a note."""

    title: str
    body: str
    hashtags: list[str]


def value_word(interest: int, slot: str, value: int, language: int) -> str:
    """The word for one value of a text attribute, in English (0) or Chinese (1)."""
    category = CATEGORIES[INTERESTS[interest].category]
    if slot == "price":
        return PRICES[value][language]
    if slot == "brand":
        return category.brands[value][language]
    return category.dimensions[SLOTS.index(slot)].values[value][language]


def note_text(facts: Facts, draws: list[int], *, is_near_empty: bool) -> Text:
    """The text of one note; `draws` are at least 32 random numbers."""
    if is_near_empty:
        return Text("", EMPTY_BODIES[draws[0] % len(EMPTY_BODIES)], [])
    language = facts.language
    words = {
        slot: value_word(facts.interest, slot, value, language)
        for slot, value in zip(SLOTS, facts.values, strict=True)
    }
    names = INTERESTS[facts.interest].names[language]
    words["name"] = names[draws[1] % len(names)]
    title = _title(facts, words, draws)
    body = _body(facts, words, draws)
    if draws[2] % 14 == 0:
        body = _with_slip(body, language, draws[3])
    if draws[4] % 5 < 2:
        title += EMOJI[draws[5] % len(EMOJI)]
    return Text(title, body, _hashtags(facts, words, draws))


def _title(facts: Facts, words: dict[str, str], draws: list[int]) -> str:
    templates: tuple[str, ...] = TITLES[facts.language]
    if facts.stated and draws[6] % 2:
        templates = TITLES_WITH[facts.stated[draws[7] % len(facts.stated)]][facts.language]
    title = templates[draws[8] % len(templates)].format_map(words)
    return title[0].upper() + title[1:]


def _body(facts: Facts, words: dict[str, str], draws: list[int]) -> str:
    language = facts.language
    points = INTERESTS[facts.interest].points[language]
    told = [
        _fill(SENTENCES[slot][language], draws[9 + i], words)
        for i, slot in enumerate(SLOTS)
        if slot in facts.stated
    ]
    for i in range(1 + draws[15] % 2):
        point = points[(draws[16] + i) % len(points)]
        told.insert(draws[17 + i] % (len(told) + 1), _fill(POINTS[language], draws[19 + i], {"point": point}))
    for i in range(draws[21] % 4):
        told.insert(
            draws[22 + i] % (len(told) + 1), FILLERS[language][(draws[25] + 5 * i) % len(FILLERS[language])]
        )
    if draws[26] % 2:
        told.reverse()
    told.insert(0, _fill(OPENERS[language], draws[27], words))
    told.append(CLOSERS[language][draws[28] % len(CLOSERS[language])])
    return _within(told, language, draws[29])


def _fill(templates: tuple[str, ...], draw: int, words: dict[str, str]) -> str:
    sentence = templates[draw % len(templates)].format_map(words)
    return sentence[0].upper() + sentence[1:]


def _within(sentences: list[str], language: int, draw: int) -> str:
    """The sentences as one text; the last but the closing one go while it is too long."""
    glue = ("" if language else " ", "\n")[draw % 6 == 0]
    text = glue.join(sentences)
    while (len(text) if language else len(text.split())) > _MAX_WORDS[language]:
        del sentences[-2]
        text = glue.join(sentences)
    return text


def _with_slip(body: str, language: int, draw: int) -> str:
    """The body with one typing slip: two letters swapped, or a homophone."""
    if language:
        right, wrong = _SLIPS[draw % len(_SLIPS)]
        return body.replace(right, wrong, 1)
    words = body.split(" ")
    at = draw % len(words)
    if len(words[at]) > 4:
        words[at] = words[at][0] + words[at][2] + words[at][1] + words[at][3:]
    return " ".join(words)


def _hashtags(facts: Facts, words: dict[str, str], draws: list[int]) -> list[str]:
    """One to six hashtags, the name first, in one of the spellings that people use."""
    sources = [words["name"], *(words[slot] for slot in facts.stated if (draws[30] >> SLOTS.index(slot)) % 2)]
    general = HASHTAGS[facts.language]
    tags = [_spelling(word, draws[31] >> (2 * i)) for i, word in enumerate(sources)]
    tags += [general[(draws[30] >> 8) % len(general)]] * ((draws[31] >> 14) % 2)
    return list(dict.fromkeys(tags))[:6]


def _spelling(word: str, draw: int) -> str:
    joined = "".join(part[0].upper() + part[1:] for part in word.split())
    return (joined, joined.lower(), word.replace(" ", "_"), word.replace(" ", "-"))[draw % 4]
