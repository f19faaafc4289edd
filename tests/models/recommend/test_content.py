"""Neighbours by content, from vectors whose cosines are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.recommend import content
from models.recommend.content import Config, Content, fit, from_tensors, joined, renumbered
from models.recommend.sequences import PAD, padded

# 0 and 1 are twins, 2 has a cosine of 0.6 to both, 3 of 0 to them and 0.8 to 2; 4 has no vector.
VECTORS = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1], [0, 0]], dtype=np.float32)
PLAIN = Config(sharp=2.0, decay=0.5, keep=3)


def clouds(num: int, dims: int = 16, around: int = 40) -> content.Vectors:
    dice = np.random.default_rng(11)
    found = dice.normal(size=(around, dims))[dice.integers(0, around, num)] + 0.5 * dice.normal(
        size=(num, dims)
    )
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> Content:
    return fit(VECTORS, PLAIN)


def test_near_are_others_by_their_cosine_as_a_distribution_and_twins_are_nearest(fitted: Content) -> None:
    near_NN = fitted.near_NN.toarray()
    # exp(2 (cos - 1)): 1 of the twin, exp(-0.8) of 2, exp(-2) of 3.
    total = 1 + math.exp(-0.8) + math.exp(-2)
    assert near_NN[0] == pytest.approx(
        [0, 1 / total, math.exp(-0.8) / total, math.exp(-2) / total, 0], abs=1e-6
    )
    total = 2 * math.exp(-0.8) + math.exp(-0.4)
    assert near_NN[2] == pytest.approx(
        [math.exp(-0.8) / total, math.exp(-0.8) / total, 0, math.exp(-0.4) / total, 0], abs=1e-6
    )


def test_a_note_without_a_vector_has_no_neighbours_and_is_nobodys(fitted: Content) -> None:
    near_NN = fitted.near_NN.toarray()
    assert not near_NN[4].any()
    assert not near_NN[:, 4].any()
    assert fitted.scores(padded([[4]], 2)).tolist() == [[0] * 5]
    assert fitted.top(padded([[4], []], 2), 2).item_QK.tolist() == [[-1, -1], [-1, -1]]


def test_only_the_nearest_are_kept_and_share_all_weight() -> None:
    near_NN = fit(VECTORS, Config(sharp=2.0, keep=1)).near_NN.toarray()
    assert near_NN.tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0] * 5]


def test_a_score_is_the_sum_over_the_history_the_latest_most(fitted: Content) -> None:
    near_NN = fitted.near_NN.toarray()
    found = fitted.scores(padded([[0, 2]], 3))[0]
    assert found == pytest.approx(0.5 * near_NN[0] + near_NN[2], abs=1e-6)


def test_the_top_leaves_out_what_was_seen(fitted: Content) -> None:
    # 1: 0.5 * 0.631 + 0.286, 3: 0.5 * 0.085 + 0.427, 0: 0.286, 2: 0.5 * 0.284.
    history_QT = padded([[0, 2]], 3)
    assert fitted.top(history_QT, 3).item_QK.tolist() == [[1, 3, -1]]
    assert fitted.top(history_QT, 5, exclude_seen=False).item_QK.tolist() == [[1, 3, 0, 2, -1]]
    assert fitted.top(np.zeros((0, 4), dtype=np.int64), 3).item_QK.shape == (0, 3)


def test_blocks_agree_with_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    vector_ND = clouds(90)
    monkeypatch.setattr(content, "BLOCK_CELLS", 7 * 90)
    found = fit(vector_ND, Config(sharp=8.0, keep=12)).near_NN.toarray()
    cos_NN = vector_ND @ vector_ND.T
    for row in range(90):
        others = sorted((n for n in range(90) if n != row), key=lambda n: -cos_NN[row, n])[:12]
        weight = np.exp(8 * (cos_NN[row, others] - 1))
        assert sorted(np.flatnonzero(found[row])) == sorted(others)
        assert found[row, others] == pytest.approx(weight / weight.sum(), abs=1e-5)


def test_cells_find_nearly_what_brute_force_finds_and_the_same_every_time() -> None:
    vector_ND = clouds(3000)
    exact, _ = content.nearest(vector_ND, 20, Config())
    near_NK, cos_NK = content.nearest(vector_ND, 20, Config(exact_below=100))
    found = np.mean(
        [len(set(a) & set(b)) / 20 for a, b in zip(exact.tolist(), near_NK.tolist(), strict=True)]
    )
    assert found >= 0.95
    assert not (near_NK == np.arange(3000)[:, None]).any()
    assert (np.diff(cos_NK, axis=1) <= 0).all()
    again, cos_again_NK = content.nearest(vector_ND, 20, Config(exact_below=100))
    assert (near_NK == again).all()
    assert (cos_NK == cos_again_NK).all()


def test_in_cells_a_note_of_many_twins_is_still_not_its_own_neighbour() -> None:
    vector_ND = np.concatenate([np.repeat(clouds(1), 50, axis=0), clouds(200)[1:]])
    near_NK, _ = content.nearest(vector_ND, 5, Config(exact_below=10))
    assert near_NK.shape == (249, 5)
    assert not (near_NK == np.arange(249)[:, None]).any()


def test_a_large_catalogue_keeps_fewer_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_KEPT", 90 * 25)
    assert np.diff(fit(clouds(90), Config()).near_NN.indptr).tolist() == [25] * 90


def test_other_numbers_keep_the_neighbours_and_drop_those_that_are_gone(fitted: Content) -> None:
    near_NN = fitted.near_NN.toarray()
    found = renumbered(fitted, np.array([2, PAD, 0, 1, PAD]), 4).near_NN.toarray()
    assert found[2] == pytest.approx([near_NN[0, 2], near_NN[0, 3], 0, 0])
    assert not found[3].any()


def test_encoders_are_joined_without_neighbours_across() -> None:
    first, second = fit(VECTORS[:2], PLAIN), fit(VECTORS[2:4], PLAIN)
    found = joined([(first, np.array([0, 2])), (second, np.array([3, 1]))], 5, 0.5)
    assert found.near_NN.toarray().tolist() == [
        [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0] * 5,
    ]  # fmt: skip
    assert joined([], 2, 0.5).near_NN.toarray().tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("vector_ND", [VECTORS[:0], VECTORS[:1], VECTORS[4:], VECTORS[3:]])
def test_nobody_or_one_has_no_neighbours(vector_ND: content.Vectors) -> None:
    assert fit(vector_ND, PLAIN).near_NN.nnz == 0


@pytest.mark.parametrize("wrong", [2.0, 0.5, float("nan"), float("inf")])
def test_a_vector_of_another_length_is_an_error_that_names_the_row(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"1 vectors are not of length 1, the first at row 1"):
        fit(np.array([[1, 0], [wrong, 0], [0, 1]], dtype=np.float32), PLAIN)


def test_a_fit_survives_its_file_to_the_bit(fitted: Content) -> None:
    again = from_tensors(load(save(fitted.tensors())))
    assert (again.near_NN.toarray() == fitted.near_NN.toarray()).all()
    assert again.decay == 0.5
    assert save(again.tensors()) == save(fit(VECTORS, PLAIN).tensors())


def test_a_file_that_is_not_whole_is_an_error_that_says_what(fitted: Content) -> None:
    tensors = fitted.tensors()
    with pytest.raises(ValueError, match=r"the neighbours by content lack content\.decay, content\.values"):
        from_tensors({k: v for k, v in tensors.items() if k not in ("content.decay", "content.values")})
    with pytest.raises(ValueError, match="are no matrix of 5 x 5 notes"):
        from_tensors({**tensors, "content.indices": tensors["content.indices"] + 4})


def test_a_history_of_unknown_notes_is_an_error(fitted: Content) -> None:
    with pytest.raises(ValueError, match="histories name items 0 to 5; there are 5"):
        fitted.scores(np.array([[0, 5]]))
