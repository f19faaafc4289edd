"""The counting scorer of yesterday's notes on today's catalogue, from literal sequences."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.recommend.collaborative import Collaborative
from jobs.recommend.collaborative_leaves import Voice, leaf_scores, leaves_of, voice_of
from models.ids.trie_build import build
from models.recommend import markov_knn
from models.recommend.sequences import padded, sequences_of

# Items 0, 1, 2 are the notes a, b, c: after a comes b three times and c once.
SEQUENCES = [[0, 1], [0, 1], [0, 1], [0, 2]]


@pytest.fixture
def counted() -> Collaborative:
    scorer = markov_knn.fit(sequences_of(SEQUENCES), 3, markov_knn.Config())
    return Collaborative(scorer, pa.array(["a", "b", "c"]))


def catalogue(**ids: tuple[list[int], int]) -> CatalogueTrie:
    """Notes with their codes and ranks."""
    codes_NL, ranks_N = (np.array(part) for part in zip(*ids.values(), strict=True))
    built = build(codes_NL.astype(np.int32), ranks_N.astype(np.int64), [4, 4])
    names = pa.array(list(ids))
    return CatalogueTrie(built.trie, pa.chunked_array([names.take(pa.array(built.order_N))]), {})


def shares(voice: Voice, history: list[int], **how: bool) -> dict[int, float]:
    place_QM, share_QM = leaf_scores(voice, padded([history], 2), **how)
    pairs = zip(place_QM[0].tolist(), share_QM[0].tolist(), strict=True)
    return {place: share for place, share in pairs if place >= 0 and share > 0}


def test_each_note_is_found_under_its_leaf_of_the_day(counted: Collaborative) -> None:
    day = catalogue(c=([0, 0], 0), b=([2, 1], 1), new=([2, 1], 0), other=([3, 3], 0))
    assert leaves_of(counted.note_ids, day).tolist() == [-1, 1, 0, -1]  # a is gone; and at the end no note


def test_the_note_that_mostly_came_next_has_the_greater_share(counted: Collaborative) -> None:
    voice = voice_of(*counted, catalogue(a=([0, 0], 0), b=([1, 0], 0), c=([2, 0], 0)), 1.0)
    found = shares(voice, [0], exclude_seen=True)
    assert set(found) == {1, 2}
    assert found[1] > 2 * found[2]
    assert sum(found.values()) == pytest.approx(1)


def test_of_a_note_that_is_gone_nothing_is_said(counted: Collaborative) -> None:
    voice = voice_of(*counted, catalogue(a=([0, 0], 0), c=([2, 0], 0)), 1.0)
    assert shares(voice, [0], exclude_seen=True) == {1: pytest.approx(1)}


def test_of_a_history_without_known_notes_nothing_is_said(counted: Collaborative) -> None:
    voice = voice_of(*counted, catalogue(a=([0, 0], 0), b=([1, 0], 0)), 1.0)
    assert shares(voice, [], exclude_seen=True) == {}


def test_a_seen_note_has_a_share_only_where_it_may_come_again(counted: Collaborative) -> None:
    voice = voice_of(*counted, catalogue(a=([0, 0], 0), b=([1, 0], 0), c=([2, 0], 0)), 1.0)
    assert 1 not in shares(voice, [1, 0], exclude_seen=True)
    assert 1 in shares(voice, [1, 0], exclude_seen=False)
