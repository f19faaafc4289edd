"""The tags of one note made canonical, and how sure a model was of a tag."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.tags.spelling import surface_of

# Dimension and surface to the tag it stands for; what is rare, blocked or unknown is not in it.
Vocabulary = Mapping[tuple[str, str], str]
IN_USE = ("canonical", "variant", "merged", "review")


class NoteTag(NamedTuple):
    """One tag of a note: the span of text behind it or 'picture', and the model's probability of it."""

    dimension: str
    tag: str
    evidence: str
    confidence: float


class Canonical(NamedTuple):
    """`tags` in the order of confidence, every tag once; `unmapped` as `dimension: value`, sorted."""

    tags: tuple[NoteTag, ...]
    unmapped: tuple[str, ...]


def canonical(said: Sequence[NoteTag], vocabulary: Vocabulary) -> Canonical:
    """What a model said of a note, in the words of the vocabulary.

    Of two values that stand for one tag, in whatever dimension, the more certain stays.
    """
    best: dict[str, NoteTag] = {}
    unmapped = set()
    for each in said:
        dimension, surface = surface_of(each.dimension), surface_of(each.tag)
        tag = vocabulary.get((dimension, surface))
        if tag is None:
            unmapped.add(f"{dimension}: {surface}")
            continue
        found = NoteTag(dimension, tag, each.evidence, each.confidence)
        if tag not in best or _rank(found) < _rank(best[tag]):
            best[tag] = found
    return Canonical(tuple(sorted(best.values(), key=_rank)), tuple(sorted(unmapped)))


def _rank(tag: NoteTag) -> tuple[float, str, str, str]:
    return (-tag.confidence, tag.dimension, tag.tag, tag.evidence)


def is_still_canonical(tags: Sequence[NoteTag], unmapped: Sequence[str], vocabulary: Vocabulary) -> bool:
    """Whether a later vocabulary makes the same of what an earlier one made."""
    later = canonical(tags, vocabulary)
    held_back = [tuple(text.partition(": ")[::2]) for text in unmapped]
    return later.tags == tuple(tags) and not later.unmapped and not any(key in vocabulary for key in held_back)


def span_confidence(ends: Sequence[int], logprobs: Sequence[float], start: int, end: int) -> float:
    """exp of the mean log-probability of the tokens that lie at least in part in `start` to `end` of a reply.

    `ends` are where the tokens' texts end, in order. 0 where no token lies there: a model that does not say how sure
    it was is not believed.
    """
    begins = [0, *ends]
    inside = [p for b, e, p in zip(begins, ends, logprobs, strict=False) if b < end and e > start]
    return math.exp(min(sum(inside) / len(inside), 0.0)) if inside else 0.0
