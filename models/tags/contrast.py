"""Tags that are near in meaning and yet not the same: sizes, numbers, colours, opposites, narrower and wider.

An encoder puts `red` beside `blue` and `size 38` beside `size 39`, since texts use them alike; a tag that swaps one for
the other is wrong. What is in the sets is ours; they hold words, and words are compared after `spelling_key`.
"""

from __future__ import annotations

import re
from functools import cache

from models.tags.spelling import spelling_key

_NUMBER = re.compile(r"\d+(?:[.,/:x×-]\d+)*")
_HAN = re.compile(r"[\u3400-\u9fff]")
_SEPARATORS = re.compile(r"[\s\-‐-―_/·・]+")
_NEGATED = "no not non never without free less un anti 无 不 非 免 没 零"
_NEGATIONS = frozenset(_NEGATED.split())
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve single double triple dual solo pair half quarter"
)
EXCLUSIVE = tuple(
    frozenset(line.split())
    for line in (
        _NUMBER_WORDS + " first second third fourth fifth 一 二 两 三 四 五 六 七 八 九 十 单 双 半",
        "red orange yellow green blue purple violet pink brown black white grey silver gold golden beige cream ivory "
        "navy teal turquoise maroon burgundy khaki lilac mint coral "
        "红 橙 黄 绿 蓝 紫 粉 棕 褐 黑 白 灰 银 金 米 青",
        "xs s m l xl xxl xxxl small medium large mini midi maxi tiny big huge petite tall short 大 中 小 迷 巨",
        "man woman boy girl baby toddler kid teen adult senior male female mother father mum dad unisex "
        "grandparent student teacher 男 女 童 婴 老 少",
        "kitten puppy cat dog hamster rabbit bird fish horse 猫 狗 犬 鱼 鸟 兔",
        "spring summer autumn fall winter 春 夏 秋 冬",
        "monday tuesday wednesday thursday friday saturday sunday weekend weekday",
        "january february march april may june july august september october november december",
        "morning noon afternoon evening night midnight day 早 晨 午 晚 夜",
        "hot warm cool cold 冷 热 暖 凉 温",
        "dry oily wet damp normal combination 干 油 湿 润",
        "matte glossy satin shiny dull 亮 哑",
        "long short cropped 长 短",
        "wide narrow slim thin thick loose tight fitted oversized 宽 窄 厚 薄 松 紧",
        "light heavy dark bright pale 轻 重 深 浅 明 暗",
        "hard soft firm 软 硬",
        "old new modern vintage used 新 旧 古",
        "indoor outdoor inside outside interior exterior 内 外",
        "high low mid 高 低 中",
        "cheap budget affordable premium luxury expensive 贵 廉 平",
        "left right 左 右",
        "up down upper lower top bottom front back 上 下 前 后",
        "beginner intermediate advanced expert professional amateur 初 进",
        "sweet sour bitter salty savoury spicy 甜 酸 苦 咸 辣",
        "real genuine natural faux fake synthetic artificial vegan 真 假 仿",
        "plain striped dotted checked floral 条 格 点 纯 花",
        "fast quick slow 快 慢",
        "full empty partial 满 空 全",
    )
)


@cache
def _groups() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, words in enumerate(EXCLUSIVE):
        for word in words:
            found.setdefault(spelling_key(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def words_of(surface: str) -> frozenset[str]:
    """The words of a tag as keys, every Chinese character by itself."""
    spaced = _HAN.sub(lambda match: f" {match.group()} ", surface)
    return frozenset(spelling_key(word) for word in _SEPARATORS.split(spaced) if word)


def are_exclusive(left: str, right: str) -> bool:
    """Whether two tags cannot both be true, or speak of different numbers: they are never one tag."""
    if sorted(_NUMBER.findall(left)) != sorted(_NUMBER.findall(right)):
        return True
    one, other = words_of(left), words_of(right)
    only_left, only_right = one - other, other - one
    if (only_left | only_right) & _NEGATIONS or _negated(only_left, only_right):
        return True
    groups = _groups()
    sides = [{g for word in side for g in groups.get(word, ())} for side in (only_left, only_right)]
    return bool(sides[0] & sides[1])


def _negated(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether one side has a word of the other with a prefix or an ending that denies it: scented, unscented."""
    pairs = [(a, b) for a in left for b in right] + [(b, a) for a in left for b in right]
    return any(a in (f"{p}{b}" for p in ("un", "non", "in", "im", "dis", "anti", "de")) or a == f"{b}less" for a, b in pairs)


def is_narrower(left: str, right: str) -> bool:
    """Whether one tag is the other with words added: faux leather is not leather."""
    one, other = words_of(left), words_of(right)
    return one < other or other < one


def shared_characters(left: str, right: str) -> float:
    """Dice's share of characters in common, 0 to 1: all that can be said where no encoder reads the text."""
    one, other = list(left), list(right)
    common = sum(min(one.count(c), other.count(c)) for c in set(one))
    return 2 * common / (len(one) + len(other)) if one and other else 0.0
