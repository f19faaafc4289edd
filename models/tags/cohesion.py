"""Which n-grams are phrases: their parts attract each other, and what stands beside them is free. Ours.

Attraction is normalized pointwise mutual information (Bouma 2009) over the weakest cut of the n-gram; freedom is the
share of its most frequent neighbour on either side, the criterion of branching entropy (Jin and Tanaka-Ishii 2006) in
the form that is robust for rare phrases. No dictionary or segmenter is asked, so both languages are treated alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Thresholds, chosen on generated worlds and on the examples of the tests."""

    min_npmi: float = 0.5
    max_neighbour: float = 0.6  # a piece of a phrase has one neighbour nearly always
    min_count: int = 2
    min_frames: float = (
        2.5  # effective number of frames that a phrase stands in, once it is seen often enough
    )
    seen_often: int = 8


@dataclass
class Seen:
    """One n-gram: its tokens, how often it is a hashtag, a search's part, or stands in a text, and its neighbours."""

    tokens: tuple[str, ...]
    num_hashtags: int = 0
    num_queries: int = 0
    num_texts: int = 0
    most_left: int = 0  # occurrences of the most frequent neighbour, the end of a segment not counted
    most_right: int = 0

    @property
    def key(self) -> str:
        """What all spellings have in common."""
        return "".join(self.tokens)


def phrases_among(
    seen: Mapping[str, Seen], counts: Mapping[str, int], num_tokens: int, config: Config
) -> set[str]:
    """The keys of `seen` that are phrases; `counts` has their parts too, out of `num_tokens` tokens of text.

    What people write as a hashtag is a phrase by their own word, unless it is a mere piece of a longer one. Any other
    n-gram must hold together, and must not be two phrases side by side.
    """
    known = {k for k, s in seen.items() if _is_used(s, config) and _is_free(s, config)}
    tagged = {k for k in known if seen[k].num_hashtags >= config.min_count}
    whole = {k for k in known - tagged if _npmi(seen[k].tokens, counts, num_tokens) >= config.min_npmi}
    singles = tagged | whole
    return tagged | {k for k in whole if not _is_two(seen[k].tokens, singles)}


def is_set_piece(frames: Sequence[int], config: Config) -> bool:
    """Whether a phrase is a word of a set expression: it stands between the same two neighbours nearly always.

    `frames` are the counts of its pairs of neighbours; their effective number is the exponential of their entropy.
    """
    total = sum(frames)
    if total < config.seen_often:
        return False
    return math.exp(-sum(n / total * math.log(n / total) for n in frames)) < config.min_frames


def _is_used(seen: Seen, config: Config) -> bool:
    """Used by several people, and in more than one of hashtags, searches and texts; a search alone will do."""
    is_twice = seen.num_hashtags + seen.num_queries >= config.min_count
    return is_twice and (seen.num_queries > 0 or seen.num_texts > 0)


def _is_free(seen: Seen, config: Config) -> bool:
    # As a hashtag it stands alone, which says that both its sides are free; two more places are given for rare ones.
    places = seen.num_texts + seen.num_hashtags + 2
    return max(seen.most_left, seen.most_right) <= config.max_neighbour * places


def _npmi(tokens: Sequence[str], counts: Mapping[str, int], num_tokens: int) -> float:
    if len(tokens) == 1:
        return 1.0
    together = counts.get("".join(tokens), 0) / num_tokens
    cuts = [
        counts.get("".join(tokens[:at]), 0) * counts.get("".join(tokens[at:]), 0)
        for at in range(1, len(tokens))
    ]
    if not together or min(cuts) == 0:
        return 0.0
    return min(math.log(together * num_tokens**2 / cut) for cut in cuts) / max(-math.log(together), 1e-9)


def _is_two(tokens: Sequence[str], singles: set[str]) -> bool:
    return any(
        "".join(tokens[:at]) in singles and "".join(tokens[at:]) in singles for at in range(1, len(tokens))
    )
