"""Titles as paths of a trie over words, so that `decoding.beam_search` finds the titles of a catalogue, as D3 does.

In: the tokens of each title (arXiv 2406.14900, section 3). Out: the trie of `models/ids` over them, every title ended by the
stop token and filled up with it to one length. What comes after a title is forced, and so is a word that no other title
has there: search with `score_forced=False`, or the filling is scored, too.

Shapes: N notes, T tokens of the longest title and its stop, V words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.ids.trie_build import Built, build


@dataclass(frozen=True)
class TitleTokens:
    """Every level has all words, in place of `IdTokens`."""

    num_words: int
    num_levels: int
    first: int = 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """V of every level."""
        return (self.num_words,) * self.num_levels

    @property
    def stop(self) -> int:
        """The token after the last one."""
        return self.num_words

    def first_of(self, level: int) -> int:
        """The token of code 0 of a level: codes are tokens."""
        return 0


def title_trie(titles: Sequence[Sequence[int]], stop_token: int, num_words: int) -> tuple[Built, TitleTokens]:
    """The trie, and what a decoder needs for it. Notes of one title share a leaf, by their order here.

    Raises `ValueError` for no titles, an empty one, one with the stop token in it, or tokens that are no words.
    """
    for row, tokens in enumerate(titles):
        if not tokens or stop_token in tokens:
            raise ValueError(f"title {row} is empty or has the stop token {stop_token} in it: {list(tokens)[:8]}")
    if not titles or not 0 <= stop_token < num_words:
        raise ValueError(f"{len(titles)} titles, and the stop token {stop_token} of {num_words} words: nothing to build")
    known = TitleTokens(num_words, 1 + max(map(len, titles)))
    token_NT = np.full((len(titles), known.num_levels), stop_token, dtype=np.int64)
    for row, tokens in enumerate(titles):
        token_NT[row, : len(tokens)] = tokens
    return build(token_NT, np.arange(len(titles)), known.sizes), known
