"""IDs that begin with what is clicked together."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from models.ids.collaborative import co_occurrence
from models.ids.community_tree import Config, fit, text_neighbours
from models.ids.fixed_point import to_fixed
from models.ids.tokenizer import Fitted

CODES = 16


def world(seed: int = 0) -> tuple[np.ndarray, sp.csr_array]:
    """240 notes in 12 circles of 20; each user reads within a circle; texts say little of it."""
    dice = np.random.default_rng(seed)
    x_ND = dice.standard_normal((240, 8)).astype(np.float32)
    users = np.repeat(np.arange(300), 5)
    notes = (users % 12) * 20 + dice.integers(0, 20, len(users))
    return x_ND, co_occurrence(users, notes, 240)


def fitted(levels: int = 3, seed: int = 0) -> Fitted:
    x_ND, together_NN = world(seed)
    return fit(x_ND, Config(8, levels, CODES, neighbours=3), 1, together_NN)


@pytest.mark.parametrize("levels", [3, 4])
def test_every_note_has_an_id_of_its_own_and_every_code_of_every_level_is_used(levels: int) -> None:
    codes_NL = fitted(levels).codes_NL
    assert codes_NL.shape == (240, levels)
    assert len(np.unique(codes_NL, axis=0)) == 240
    assert [len(np.unique(codes_N)) for codes_N in codes_NL.T] == [CODES] * levels
    assert np.unique(codes_NL[:, :2], axis=0, return_counts=True)[1].max() <= CODES


def test_notes_read_together_share_their_first_codes_far_above_chance() -> None:
    codes_NL = fitted().codes_NL
    together = world()[1].tocoo()
    row, column = together.coords
    same = np.all(codes_NL[row, :2] == codes_NL[column, :2], axis=1).mean()
    size = np.unique(codes_NL[:, :2], axis=0, return_counts=True)[1] / 240
    assert same > 5 * np.square(size).sum()


def test_the_order_of_rows_and_the_scale_of_the_graph_do_not_matter() -> None:
    x_ND, together_NN = world()
    turned = np.random.default_rng(5).permutation(240)
    config = Config(8, 4, CODES, neighbours=3)
    other = fit(x_ND[turned], config, 1, sp.csr_array(8.0 * together_NN[turned][:, turned]))
    assert other.codes_NL.tolist() == fitted(4).codes_NL[turned].tolist()
    first, second = fitted(4).tokenizer.tensors(), other.tokenizer.tensors()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_equal_contents_share_an_id_and_are_one_node() -> None:
    x_ND, together_NN = world()
    x_ND[7] = x_ND[200]
    codes_NL = fit(x_ND, Config(8, 3, CODES), 1, together_NN).codes_NL
    assert codes_NL[7].tolist() == codes_NL[200].tolist()
    assert len(np.unique(codes_NL, axis=0)) == 239


def test_without_any_pair_texts_alone_make_the_communities() -> None:
    x_ND, _ = world()
    codes_NL = fit(x_ND, Config(8, 3, CODES), 1, sp.csr_array((240, 240))).codes_NL
    assert len(np.unique(codes_NL, axis=0)) == 240
    assert len(np.unique(codes_NL[:, 0])) == CODES


def test_figures_add_up_to_the_bits_that_tell_all_notes_apart() -> None:
    figures = fitted().figures
    assert sum(figures[f"bits_{level}"] for level in (1, 2, 3)) == pytest.approx(np.log2(240))
    assert 0 < figures["found_by_text_2"] <= figures["found_by_text_1"] <= 1


def test_text_neighbours_are_the_nearest_by_cosine_however_long_a_row_is() -> None:
    angles = np.radians([0, 10, 30, 180])
    rows_ND = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [5], [1], [1]]
    found = text_neighbours(to_fixed(rows_ND, 2.0**-20), 1).toarray()
    assert np.argmax(found, axis=1)[:3].tolist() == [1, 0, 1]
    assert found[3].tolist() == [0, 0, 0, 0]  # all that is near is on the other side
    assert found[0, 1] / 2**20 == pytest.approx(np.cos(np.radians(10)), abs=1e-5)


def test_a_graph_of_other_rows_and_too_few_levels_are_errors() -> None:
    x_ND, together_NN = world()
    with pytest.raises(ValueError, match=r"the graph is \(240, 240\), the vectors are 239"):
        fit(x_ND[1:], Config(8, 3, CODES), 1, together_NN)
    with pytest.raises(ValueError, match="weights that are negative or not finite"):
        fit(x_ND, Config(8, 3, CODES), 1, sp.csr_array(-together_NN))
    with pytest.raises(ValueError, match="at least 3 levels"):
        fit(x_ND, Config(8, 2, CODES), 1, together_NN)
