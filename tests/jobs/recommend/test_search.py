"""A day's trie in a recommender's vocabulary, which may be wider: levels added against collisions grow from day to day."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jobs.lake import LakeError
from jobs.recommend.search import widened
from models.ids.trie import Trie
from models.ids.trie_build import build
from models.recommend.id_tokens import IdTokens

IDS = np.array([[0, 1, 0], [0, 1, 1], [3, 2, 0]], dtype=np.int32)


def spoken(*sizes: int) -> Any:
    """A recommender of which only the words are asked."""
    return SimpleNamespace(generation="g1", id_tokens=IdTokens(3, sizes))


@pytest.fixture(params=[2, 3])
def trie(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Trie:
    """The same catalogue with its last level packed, and as a table."""
    monkeypatch.setattr("models.ids.trie_build.DENSE_LEVELS", request.param)
    return build(IDS, np.zeros(3, dtype=np.int64), [4, 4, 2]).trie


def test_a_wider_vocabulary_leads_to_the_same_leaves_and_nowhere_else(trie: Trie) -> None:
    found = widened(trie, spoken(4, 4, 16))
    assert found.sizes == (4, 4, 16)
    assert found.walk(IDS).tolist() == [0, 1, 2]
    assert found.allowed([0, 1]) == [0, 1]
    assert not found.contains([0, 1, 15])


def test_the_same_vocabulary_changes_nothing(trie: Trie) -> None:
    found = widened(trie, spoken(4, 4, 2))
    for name, array in trie.tensors().items():
        assert np.array_equal(array, found.tensors()[name])


@pytest.mark.parametrize("sizes", [(4, 4, 1), (4, 4), (4, 4, 2, 2)])
def test_a_narrower_vocabulary_and_one_of_other_levels_are_refused(
    trie: Trie, sizes: tuple[int, ...]
) -> None:
    with pytest.raises(
        LakeError, match=r"the day's IDs have levels of \(4, 4, 2\) codes, recommender g1 has words for"
    ):
        widened(trie, spoken(*sizes))
