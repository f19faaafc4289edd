"""Phrases in user-written text, English and Chinese alike: tokens, n-grams, one key for all spellings, and a matcher.

A token is a word, or one Chinese character. A phrase is a run of tokens that nothing but blanks, hyphens, underscores,
apostrophes or `&` stand between. Its key is its tokens without anything between them, so that the hashtags
`#FirstDates`, `#firstdates`, `#first_dates` and the words "first dates" are one phrase. Ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from models.tags.chain import folded

MAX_WORDS, MAX_TOKENS, MAX_LETTERS = (
    4,
    8,
    40,
)  # of a phrase: its words; its words and Chinese characters; its key
EDGE, PHRASE = "|", "*"  # in a context: the end of a segment; another phrase
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+|\s+|[^\s\-_'’&]")
_IS_HAN = re.compile(f"[{_HAN}]")
_JOINED = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\-]+")
_EMPTY_ENGLISH = (
    "a about after again all also am an and any are as at be because been before being best but by can could did do does "
    "even every for from get got had has have he her here his how i if in into is it its just like me more most much my "
    "never no not now of off on one only or other our out over really s she so some still such t than that the their "
    "them then there these they this those to too under until up us very was we were what when where which while who "
    "why will with would you your"
)
_EMPTY_CHINESE = (
    "的了是在和就也都很用我你他她它这那有没不为给把被着过吗呢吧啊之与及从到让会能要想款个些每最推荐怎么哪"
)
EMPTY = frozenset(_EMPTY_ENGLISH.split()) | frozenset(
    _EMPTY_CHINESE
)  # no phrase begins or ends with one of these


class Token(NamedTuple):
    """One token of a folded text and where it stands in it."""

    text: str
    start: int
    end: int


class Found(NamedTuple):
    """A phrase of the vocabulary in a text: its key, how it is spelt there, and the contexts it stands in."""

    key: str
    surface: str
    contexts: tuple[str, ...]


def is_han(token: str) -> bool:
    """Whether a token is a Chinese character."""
    return _IS_HAN.match(token) is not None


def segments(text: str) -> list[list[Token]]:
    """The tokens of a folded text, cut wherever a phrase cannot go on: punctuation, and blanks beside Chinese."""
    found: list[list[Token]] = [[]]
    is_after_blank = False
    for match in _TOKEN.finditer(text):
        token = Token(match.group(), match.start(), match.end())
        if token.text.isspace():
            is_after_blank = True
            continue
        last = found[-1][-1].text if found[-1] else ""
        if not token.text.isalnum():
            found.append([])
        elif is_after_blank and last and (is_han(last) or is_han(token.text)):
            found.append([token])
        else:
            found[-1].append(token)
        is_after_blank = False
    return [segment for segment in found if segment]


def key_of(tokens: Sequence[Token]) -> str:
    """What all spellings of a phrase have in common."""
    return "".join(token.text for token in tokens)


def ngrams(segment: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Where the n-grams of a segment begin and end: at most `MAX_WORDS` words and `MAX_TOKENS` tokens."""
    for start in range(len(segment)):
        num_words = 0
        for end in range(start + 1, min(start + MAX_TOKENS, len(segment)) + 1):
            num_words += not is_han(segment[end - 1].text)
            if num_words > MAX_WORDS:
                break
            yield start, end


def may_be_phrase(tokens: Sequence[str]) -> bool:
    """Whether tokens may be a phrase by their look: not too short or long, no empty word first or last, no number."""
    letters = "".join(tokens)
    is_long_enough = len(tokens) > 1 or (len(letters) > 2 and not is_han(letters))
    is_empty = tokens[0] in EMPTY or tokens[-1] in EMPTY
    return is_long_enough and len(letters) <= MAX_LETTERS and not is_empty and not letters.isdigit()


def hashtag_phrase(hashtag: str) -> tuple[str, ...] | None:
    """The tokens of a hashtag in any of its spellings, or None where it is no single phrase."""
    spelt = unicodedata.normalize("NFKC", hashtag).strip().lstrip("#")
    found = segments(folded(_JOINED.sub(" ", spelt)))
    if len(found) != 1:
        return None
    tokens = tuple(token.text for token in found[0])
    return tokens if len(tokens) <= MAX_TOKENS and may_be_phrase(tokens) else None


def query_phrases(query: str) -> set[tuple[str, ...]]:
    """All n-grams of a search that may be a phrase."""
    found = set()
    for segment in segments(folded(query)):
        texts = [token.text for token in segment]
        spans = (tuple(texts[start:end]) for start, end in ngrams(segment))
        found |= {tokens for tokens in spans if may_be_phrase(tokens)}
    return found


def occurrences(text: str, vocabulary: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Every occurrence of a key in a folded text, also inside another: the key, and its left and right neighbour."""
    for segment in segments(text):
        for start, end in ngrams(segment):
            key = key_of(segment[start:end])
            if key in vocabulary:
                left = segment[start - 1].text if start else EDGE
                yield key, left, segment[end].text if end < len(segment) else EDGE


def matches(text: str, vocabulary: Mapping[str, object]) -> list[Found]:
    """The phrases of a folded text from left to right, at every place the longest, none inside another."""
    found = []
    for segment in segments(text):
        spans = _longest(segment, vocabulary)
        units = _units(segment, spans)
        for at, (start, end, key) in enumerate(units):
            if key:
                surface = text[segment[start].start : segment[end - 1].end]
                found.append(Found(key, surface, tuple(_contexts(segment, units, at))))
    return found


def is_told(context: str) -> bool:
    """Whether a context has a word in it: edges and other phrases alone say nothing about a phrase."""
    return any(text not in (EDGE, PHRASE, "_") for text in context.split()[1:])


def is_frame(context: str) -> bool:
    """Whether a context is the pair of a phrase's direct neighbours."""
    return context.startswith("m ") and len(context.split()) == 4


def _longest(segment: Sequence[Token], vocabulary: Mapping[str, object]) -> dict[int, tuple[int, str]]:
    at, found = 0, {}
    while at < len(segment):
        fits = [end for start, end in ngrams(segment[at : at + MAX_TOKENS]) if start == 0]
        keys = ((at + end, key_of(segment[at : at + end])) for end in reversed(fits))
        hit = next(((end, key) for end, key in keys if key in vocabulary), None)
        if hit:
            found[at] = hit
        at = hit[0] if hit else at + 1
    return found


def _units(segment: Sequence[Token], spans: Mapping[int, tuple[int, str]]) -> list[tuple[int, int, str]]:
    """The segment as phrases and single tokens, which have an empty key."""
    at, found = 0, []
    while at < len(segment):
        end, key = spans.get(at, (at + 1, ""))
        found.append((at, end, key))
        at = end
    return found


def _contexts(segment: Sequence[Token], units: Sequence[tuple[int, int, str]], at: int) -> Iterator[str]:
    """Up to three units to the left, to the right, and around; another phrase counts as `PHRASE`, whatever it is."""
    texts = [PHRASE if key else segment[start].text for start, _, key in units]
    before = [EDGE, *texts[max(at - 3, 0) : at]] if at < 3 else texts[at - 3 : at]
    after = [*texts[at + 1 : at + 4], EDGE][:3]
    for width in (1, 2, 3):
        yield "l " + " ".join(before[-width:])
        yield "r " + " ".join(after[:width])
    yield f"m {before[-1]} _ {after[0]}"
    yield f"m {' '.join(before[-2:])} _ {' '.join(after[:2])}"
