"""From counted contexts to groups of phrases that are values of one dimension, and how each phrase is spelt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from jobs.notes.encoders import Encoder, embed_texts
from jobs.tags.phrase_workers import SEARCHED, SPELT
from models.notes.text import language
from models.tags import clusters, cohesion
from models.tags.mining import Use
from models.tags.phrases import is_frame, is_told

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_PHRASES = 2500  # that are compared with each other, those acted on most within their category
SEARCH_WEIGHT = 0.3  # of the contexts in searches, which say less of a phrase than those in sentences


def grouped_phrases(
    contexts: Mapping[str, Mapping[str, int]],
    notes: DataFrame,
    leaves: Mapping[tuple[str, str], Use],
    encoders: Mapping[str, Encoder],
) -> tuple[list[list[str]], dict[str, str]]:
    """Groups of phrases, and by phrase its most frequent spelling.

    `contexts` are counts by phrase; `notes` has category, language and phrases; `leaves` says what is acted on.
    """
    spelt = {phrase: _spelling(found) for phrase, found in contexts.items() if _spelling(found)}
    free = {phrase for phrase in spelt if not _is_set_piece(contexts[phrase])}
    chosen = sorted(_most_acted_on(leaves, free))
    place = {phrase: at for at, phrase in enumerate(chosen)}
    told = [
        {c: n for c, n in contexts[p].items() if is_told(c) and not c.startswith((SPELT, SEARCHED))}
        for p in chosen
    ]
    asked = [{c: n for c, n in contexts[p].items() if c.startswith(SEARCHED)} for p in chosen]
    gram = clusters.context_gram(told) + SEARCH_WEIGHT * clusters.context_gram(asked)
    rows = notes.select("category", "language", "phrases").collect()
    members = ((r["category"], r["language"], [place[p] for p in r["phrases"] if p in place]) for r in rows)
    strata = sorted(((category, lang), found) for category, lang, found in members)
    embedded = _embedding_gram([spelt[p] for p in chosen], encoders)
    groups = clusters.clusters(gram, embedded, clusters.together(strata, len(chosen)), clusters.Config())
    return [[chosen[at] for at in group] for group in groups], spelt


def _spelling(contexts: Mapping[str, int]) -> str:
    spellings = {c[len(SPELT) :]: n for c, n in contexts.items() if c.startswith(SPELT)}
    return min(spellings, key=lambda s: (-spellings[s], s), default="")


def _is_set_piece(contexts: Mapping[str, int]) -> bool:
    return cohesion.is_set_piece([n for c, n in contexts.items() if is_frame(c)], cohesion.Config())


def _most_acted_on(leaves: Mapping[tuple[str, str], Use], known: Set[str]) -> list[str]:
    """Phrases in order of their best rank in any category, so that a small category has its say."""
    best: dict[str, tuple[int, int, str]] = {}
    num_ranked: Counter[str] = Counter()
    for (category, phrase), use in sorted(leaves.items(), key=lambda item: (-item[1].num_clicks, item[0])):
        if phrase in known:
            num_ranked[category] += 1
            rank = (num_ranked[category], -use.num_clicks, phrase)
            best[phrase] = min(best.get(phrase, rank), rank)
    return sorted(best, key=lambda phrase: best[phrase])[:MAX_PHRASES]


def _embedding_gram(values: Sequence[str], encoders: Mapping[str, Encoder]) -> clusters.Matrix | None:
    """Cosines of the values' embeddings, zero where their encoder is blind or reads another language."""
    gram = np.zeros((len(values), len(values)))
    spoken = [language(value) for value in values]
    for encoder in sorted(
        {encoders.get(lang, encoders["default"]) for lang in spoken}, key=lambda e: e.identity
    ):
        mine = [
            at
            for at, lang in enumerate(spoken)
            if encoders.get(lang, encoders["default"]) == encoder and encoder.reads(lang)
        ]
        if mine:
            vectors = np.asarray(embed_texts(encoder.folder, [values[at] for at in mine]), np.float64)
            gram[np.ix_(mine, mine)] = vectors @ vectors.T
    return gram if gram.any() else None
