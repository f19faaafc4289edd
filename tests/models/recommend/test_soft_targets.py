"""Soft targets: shares of neighbours among IDs, and what an answer costs with them, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor

from models.recommend import content, soft_targets
from models.recommend.id_tokens import IdTokens
from models.recommend.lazy import Config, Lazy
from models.recommend.prefixes import prefix_keys
from models.recommend.soft_targets import (
    Config as Soft,
)
from models.recommend.soft_targets import (
    Near,
    SoftTargets,
    blend,
    near_leaves,
    sharper,
    strongest_of,
)

SIZES = (2, 2, 2)
IDS = IdTokens(1, SIZES)
CATALOGUE = np.array([(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)])
KEYS = prefix_keys(CATALOGUE, SIZES)
STILL = Config(places=4, dim=8, layers=1, dropout=0.0, note_dropout=0.0)
# The first ID is near all others, the second near the last; the third is near nothing.
NEAR = Near(
    np.array([[1, 2, 3], [3, -1, -1], [-1, -1, -1], [0, -1, -1]]),
    np.array([[0.5, 0.3, 0.2], [1, 0, 0], [0, 0, 0], [1, 0, 0]], dtype=np.float32),
)


def lazy(weight: float | None, is_training: bool = True) -> Lazy:
    """What scores by biases alone: 3/4 and 1/4 at first, 2/3 and 1/3 after 0, 1/4 and 3/4 after 0, 0."""
    model = Lazy(IDS, 7, KEYS, STILL)
    with torch.no_grad():
        for value in model.parameters():
            value.zero_()
        model.biases[0][0], model.biases[1][0], model.biases[2][1] = math.log(3), math.log(2), math.log(3)
    if weight is not None:
        model.soft = SoftTargets(NEAR, weight, KEYS, SIZES)
    return model.train(is_training)


def costs(model: Lazy, answers: list[tuple[int, int, int]]) -> Tensor:
    """loss_QL of each answer after nothing."""
    token_QL = torch.from_numpy(IDS.tokens(np.array(answers))).long()
    found: Tensor = model(token_QL, torch.ones_like(token_QL), token_QL)
    return found


def test_an_answer_costs_its_neighbours_under_the_codes_before_by_hand() -> None:
    def log(share: float) -> float:
        return -math.log(share)

    found = costs(lazy(0.4), [(0, 0, 0), (0, 0, 1), (0, 1, 0)]).tolist()
    assert found[0] == pytest.approx(
        [
            0.6 * log(3 / 4) + 0.4 * (0.8 * log(3 / 4) + 0.2 * log(1 / 4)),
            (0.6 * log(2 / 3) + 0.4 * (0.5 * log(2 / 3) + 0.3 * log(1 / 3))) / (0.6 + 0.4 * 0.8),
            (0.6 * log(1 / 4) + 0.4 * 0.5 * log(3 / 4)) / (0.6 + 0.4 * 0.5),
        ]
    )
    # Its neighbour has another first code, so that it says nothing of what follows.
    assert found[1] == pytest.approx([0.6 * log(3 / 4) + 0.4 * log(1 / 4), log(2 / 3), log(3 / 4)])
    assert found[2] == pytest.approx([log(3 / 4), log(1 / 3), 0.0])  # near nothing


def test_a_weight_of_nothing_changes_no_bit_and_judging_is_by_answers_alone() -> None:
    answers = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    plain = costs(lazy(None), answers)
    assert torch.equal(costs(lazy(0.0), answers), plain)
    assert torch.equal(costs(lazy(0.4, is_training=False), answers), plain)
    assert not torch.equal(costs(lazy(0.4), answers), plain)


def test_an_answer_that_nobody_had_costs_nothing_where_it_has_no_prefix() -> None:
    found = costs(lazy(0.4), [(0, 1, 1), (1, 1, 0)])
    assert found[0].tolist() == pytest.approx([-math.log(3 / 4), -math.log(1 / 3), 0.0])
    assert found[1].tolist() == pytest.approx([-math.log(1 / 4), 0.0, 0.0])


def test_neighbours_learn_and_are_no_part_of_what_is_kept() -> None:
    model = lazy(0.4)
    costs(model, [(0, 0, 0)]).sum().backward()
    grad = model.biases[0].grad
    assert grad is not None
    assert grad.tolist() == pytest.approx([3 / 4 - 0.92, 1 / 4 - 0.08])
    assert set(model.state_dict()) == set(lazy(None).state_dict())


def test_neighbours_of_notes_that_share_an_id_are_its_own_by_hand() -> None:
    """Notes 1 and 2 have the second ID: one is near note 0 alone, the other near notes 0 and 3 alike."""
    codes_NL = np.array([(0, 0), (0, 1), (0, 1), (1, 0)])
    near_NN = sp.csr_array(
        np.array([[0, 1, 3, 0], [5, 0, 0, 0], [2, 0, 0, 2], [0, 0, 0, 0]], dtype=np.float32)
    )
    found = near_leaves(near_NN, codes_NL).toarray()
    assert found.tolist() == [[0, 1, 0], [0.75, 0, 0.25], [0, 0, 0]]


def test_both_neighbourhoods_are_mixed_and_one_alone_has_all_weight_by_hand() -> None:
    clicks = sp.csr_array(np.array([[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    read = sp.csr_array(np.array([[0, 0, 0.5, 0.5], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    found = blend(clicks, read, Soft(by_content=0.4, keep=3))
    assert found.leaf_NE.tolist()[1:] == [[2, -1, -1], [0, -1, -1], [-1, -1, -1]]
    assert found.leaf_NE[0, 0] == 1
    assert sorted(found.leaf_NE[0, 1:]) == [2, 3]
    assert found.share_NE.tolist() == [
        pytest.approx([0.6, 0.2, 0.2]),
        pytest.approx([1, 0, 0]),
        pytest.approx([1, 0, 0]),
        [0, 0, 0],
    ]
    assert blend(clicks, None, Soft()).leaf_NE[0, 0] == 1


def test_of_too_many_the_nearest_are_kept_with_all_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    near_NN = sp.csr_array(np.array([[0.1, 0.4, 0.2, 0.3], [0, 0, 1, 0]], dtype=np.float32))
    for rows in (8192, 1):
        monkeypatch.setattr(soft_targets, "BLOCK_ROWS", rows)
        found = strongest_of(near_NN, 2)
        assert found.leaf_NE.tolist() == [[1, 3], [2, -1]]
        assert found.share_NE.tolist() == [pytest.approx([4 / 7, 3 / 7]), [1, 0]]


def test_neighbours_made_flat_become_those_made_sharp() -> None:
    vector_ND = np.random.default_rng(4).normal(size=(9, 3)).astype(np.float32)
    vector_ND /= np.linalg.norm(vector_ND, axis=1, keepdims=True)
    flat, sharp = (content.fit(vector_ND, content.Config(sharp=sharp)) for sharp in (12.0, 20.0))
    found = sharper(flat.near_NN, Soft(sharp=20.0)).toarray()
    assert found == pytest.approx(sharp.near_NN.toarray(), abs=1e-5)
    assert not np.allclose(found, flat.near_NN.toarray(), atol=1e-2)


@pytest.mark.parametrize(
    ("weight", "said"), [(1.0, "below 1"), (-0.1, "at least 0"), (float("nan"), "below 1")]
)
def test_a_weight_that_leaves_the_answer_nothing_is_refused(weight: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SoftTargets(NEAR, weight, KEYS, SIZES)


def test_neighbours_of_another_catalogue_are_refused() -> None:
    with pytest.raises(ValueError, match="neighbours of 4 IDs are not those of 3"):
        SoftTargets(NEAR, 0.4, prefix_keys(CATALOGUE[:3], SIZES), SIZES)
