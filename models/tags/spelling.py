"""Spellings of a tag: what is folded away before two are compared, and which two are the same word spelled twice.

`surface_of` is how a tag is written down; `spelling_key` is equal for spellings of one tag: hashtag forms, hyphens,
plurals, British and American, generic Chinese endings. Keys are compared, never shown, so that a rule may be crude as
long as it sends no two different words that both occur to one key. The rules are ours.
"""

from __future__ import annotations

import re
import unicodedata

from models.tags.chain import folded

_MARKS = r"\s_\-−‐-―'’‘\"“”`´「」『』《》〈〉【】()\[\]、。,.!?;:~·・…/"
_OUTER = re.compile(rf"^[{_MARKS}]+(?!\d)|[{_MARKS}]+$")
_RUN = re.compile(rf"[{_MARKS}]+")
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_APOSTROPHE_S = re.compile(r"['’`´]s\b")
_WORD = re.compile(r"[a-z]+")
# 复古风 is 复古, 红色 is 红: endings that say "style", "series", "kind" and "colour" and nothing else.
_ENDINGS = re.compile(
    r"(?<=[\u3400-\u9fff]{2})(?:风格|风|系列|系|款式|款|的)$|(?<=[\u3400-\u9fff])(?:颜色|色)$"
)

_IRREGULAR = {
    "women": "woman", "men": "man", "children": "child", "feet": "foot", "teeth": "tooth", "mice": "mouse",
    "geese": "goose", "knives": "knife", "leaves": "leaf", "shelves": "shelf", "scarves": "scarf", "loaves": "loaf",
    "wolves": "wolf", "halves": "half", "calves": "calf", "tomatoes": "tomato", "potatoes": "potato",
    "mangoes": "mango", "heroes": "hero", "buses": "bus", "lenses": "lens", "mens": "man", "womens": "woman",
    "childrens": "child",
}  # fmt: skip
# The plural is another thing, or none.
_NO_PLURALS = {"glasses", "goods", "news", "series", "species", "arms", "customs", "woods", "canvas", "christmas", "swiss"}

_AMERICAN = (
    (re.compile(r"(col|fav|flav|od|arm|harb|hum|lab|neighb|parl|sav|vap|glam|behavi|hon|rum|tum|vig)our"), r"\1or"),
    (re.compile(r"(fib|cent|lit|met|theat|calib|lust|somb|spect|meag)re(?=s?$)"), r"\1er"),
    (re.compile(r"(?<=[a-z]{4})is(?=(?:e|ed|es|er|ers|ing|ation)$)"), "iz"),
    (re.compile(r"(trave|mode|labe|leve|jewe|cance|pane|quarre|woo)ll(?=(?:ed|ing|er|ers|en)$)"), r"\1l"),
    (re.compile(r"(cata|dia|ana|mono)logue(?=s?$)"), r"\1log"),
    (re.compile(r"grey"), "gray"),
    (re.compile(r"jewellery"), "jewelry"),
    (re.compile(r"alumini?um"), "aluminum"),
    (re.compile(r"mou(?=ld|lt)"), "mo"),
    (re.compile(r"pyjama"), "pajama"),
    (re.compile(r"yogh?urt"), "yogurt"),
    (re.compile(r"doughnut"), "donut"),
    (re.compile(r"whiskey"), "whisky"),
    (re.compile(r"^cos(?=y|i)"), "coz"),
    (re.compile(r"^tyre"), "tire"),
    (re.compile(r"^mum(?=s?$|my|mies)"), "mom"),
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"(def|off|lic)ence"), r"\1ense"),
)  # fmt: skip


def surface_of(raw: str) -> str:
    """A tag as it is written down: NFKC, width, case and white space folded, outer quotes and a hashtag's marks taken off.

    `#JoinedCase` becomes words: only behind a '#', since elsewhere it is a name (MacBook). What is written down already
    stays as it is. Never empty where `raw` has a letter or a digit.
    """
    text = unicodedata.normalize("NFKC", raw)
    while True:
        bare = _bare(text)
        if bare == text:
            return bare
        text = bare


def _bare(text: str) -> str:
    inner = _OUTER.sub("", text)
    if inner.startswith("#"):
        inner = _HUMPS.sub(" ", inner.strip("#"))
    return folded(inner.replace("_", " "))


def spelling_key(surface: str) -> str:
    """What all spellings of one tag have in common."""
    text = _APOSTROPHE_S.sub("", surface.replace("&", " and "))
    text = _ENDINGS.sub("", _ENDINGS.sub("", text))  # 红色款 has two
    text = _WORD.sub(lambda match: _singular(_american(match.group())), text)
    return _RUN.sub(_kept_marks, text) or surface


def _kept_marks(run: re.Match[str]) -> str:
    """Nothing, except where marks make a number: 1.5 is not 15, 1-2 is not 12, -5 is not 5."""
    before, after = run.string[: run.start()][-1:], run.string[run.end() :][:1]
    if before.isdigit() and after.isdigit():
        return "".join(run.group().split()) or " "
    is_minus = after.isdigit() and run.group()[-1] in "-−" and (not before or len(run.group()) > 1)
    return "-" if is_minus else ""


def _american(word: str) -> str:
    for pattern, written in _AMERICAN:
        word = pattern.sub(written, word)
    return word


def _singular(word: str) -> str:
    """A word without its plural; not always the English singular, but the same for both."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or word in _NO_PLURALS:
        return word
    if word.endswith("ies") or word.endswith("ie"):
        return word.removesuffix("s").removesuffix("ie") + "y" if len(word) > 4 else word.removesuffix("s")
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
