"""Steps and decayed neighbours together."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.recommend import markov_knn
from models.recommend.markov_knn import TRACE, Config, MarkovKnn, from_tensors
from models.recommend.sequences import Sequences, padded, sequences_of

SEQUENCES = sequences_of([[0, 1, 2], [0, 1], [3, 0]])
PLAIN = Config(decay=0.5, mix=2.0, doubt=1.0, shrink=0.0)


@pytest.fixture(scope="module")
def fitted() -> MarkovKnn:
    return markov_knn.fit(SEQUENCES, 5, PLAIN)


def test_a_score_is_the_step_from_the_last_item_and_the_decayed_cosines(fitted: MarkovKnn) -> None:
    found = fitted.scores(padded([[0, 1]], 3))[0]
    # 1 was followed once, by 2: 1 / (1 + 1). cos(2, 1) = 1 / sqrt(2) of age 0, cos(2, 0) = 1 / sqrt(3) of age 1.
    assert found[2] == pytest.approx(1 / 2 + 2 * (1 / 2**0.5 + 0.5 / 3**0.5), abs=1e-5)
    assert found[3] == pytest.approx(2 * 0.5 / 3**0.5, abs=1e-5)  # never after 1
    assert found[4] == 0


def test_a_history_of_nothing_gets_a_trace_of_popularity(fitted: MarkovKnn) -> None:
    found = fitted.scores(padded([[]], 2))[0]
    assert found.tolist() == pytest.approx([TRACE, TRACE * 2 / 3, TRACE / 3, TRACE / 3, 0])


def test_the_top_has_the_scores_without_what_was_seen_and_without_the_trace(fitted: MarkovKnn) -> None:
    history_QT = padded([[0, 1], [4], []], 3)
    found = fitted.top(history_QT, 3)
    assert found.item_QK.tolist() == [[2, 3, -1], [-1, -1, -1], [-1, -1, -1]]
    assert found.score_QK[0, :2] == pytest.approx(fitted.scores(history_QT)[0, [2, 3]], abs=2e-6)
    with_seen = fitted.top(history_QT, 9, exclude_seen=False).item_QK[0]
    assert sorted(with_seen[with_seen >= 0].tolist()) == [0, 1, 2, 3]


def test_the_top_agrees_with_the_dense_scores_over_blocks_of_histories(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = np.random.default_rng(5)
    lists = [dice.integers(0, 30, 8).tolist() for _ in range(40)]
    large = markov_knn.fit(sequences_of(lists), 30, Config())
    history_QT = padded(lists, 5)
    monkeypatch.setattr(markov_knn, "CASES", 7)
    found, dense_QN = large.top(history_QT, 6, exclude_seen=False), large.scores(history_QT)
    for row in range(40):
        best = np.sort(dense_QN[row])[::-1][:6]
        assert found.score_QK[row] == pytest.approx(best, abs=2e-6)
        assert dense_QN[row, found.item_QK[row]] == pytest.approx(best, abs=2e-6)


def test_no_histories_are_no_lists(fitted: MarkovKnn) -> None:
    assert fitted.top(np.zeros((0, 4), dtype=np.int64), 3).item_QK.shape == (0, 3)


def test_a_fit_survives_its_file_to_the_bit(fitted: MarkovKnn) -> None:
    again = from_tensors(load(save(fitted.tensors())))
    history_QT = padded([[0, 1], [3], []], 4)
    assert (again.scores(history_QT) == fitted.scores(history_QT)).all()
    assert save(again.tensors()) == save(markov_knn.fit(SEQUENCES, 5, PLAIN).tensors())


def test_a_fit_on_nobody_knows_nothing() -> None:
    nobody = Sequences(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert markov_knn.fit(nobody, 3, Config()).scores(padded([[1]], 2)).tolist() == [[0, 0, 0]]


def test_a_file_that_is_not_whole_is_an_error_that_says_what(fitted: MarkovKnn) -> None:
    tensors = fitted.tensors()
    with pytest.raises(ValueError, match=r"the collaborative scorer lacks decay, near\.values"):
        from_tensors({k: v for k, v in tensors.items() if k not in ("decay", "near.values")})
    with pytest.raises(ValueError, match="next of the collaborative scorer is no matrix of 5 x 5 items"):
        from_tensors({**tensors, "next.indices": tensors["next.indices"] + 4})
    with pytest.raises(ValueError, match="next of the collaborative scorer is no matrix of 4 x 4 items"):
        from_tensors({**tensors, "num_users": tensors["num_users"][:4]})


def test_a_history_of_unknown_items_is_an_error(fitted: MarkovKnn) -> None:
    with pytest.raises(ValueError, match="histories name items 0 to 5; there are 5"):
        fitted.scores(np.array([[0, 5]]))
