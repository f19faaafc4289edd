"""Hierarchical k-means with clusters of about equal size."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.hierarchical import Config, capped, constrained, fit


def test_the_cheapest_askers_get_the_room_and_the_others_ask_again() -> None:
    cost_NC = np.array([[1.0, 9.0], [2.0, 3.0], [0.0, 9.0], [5.0, 4.0]])
    assert capped(cost_NC, 2).tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="4 rows do not fit into 2 clusters of at most 1"):
        capped(cost_NC, 1)


def test_clusters_of_rows_on_a_line_are_its_parts_and_equal_rows_are_spread() -> None:
    line_N1 = np.arange(12.0)[:, None] * 4096
    found = constrained(line_N1, 3, seed=1)
    assert np.bincount(found).tolist() == [4, 4, 4]
    assert np.bincount(constrained(np.full((6, 1), 4096.0), 3, seed=1)).tolist() == [2, 2, 2]


def drawn(rows: int = 60) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, 6)).astype(np.float32)


def test_every_content_has_an_id_of_its_own_and_clusters_have_equal_sizes() -> None:
    found = fit(drawn(64), Config(6, levels=3, codes=8, children=4), 1)
    assert len(np.unique(found.codes_NL, axis=0)) == 64
    assert np.bincount(found.codes_NL[:, 0]).tolist() == [16, 16, 16, 16]


def test_clusters_are_made_of_the_item_vectors_where_they_are_given() -> None:
    side = np.repeat([[1.0, 0.0], [0.0, 1.0]], 30, axis=0)
    found = fit(drawn(), Config(6, levels=3, codes=8, children=2), 1, side).codes_NL
    assert len(set(found[:30, 0].tolist())) == len(set(found[30:, 0].tolist())) == 1


def test_settings_and_item_vectors_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="2 to 8 children, not 3, 9"):
        fit(drawn(), Config(6, codes=8, children=9), 1)
    with pytest.raises(ValueError, match="there are 59 item vectors and 60 text vectors"):
        fit(drawn(), Config(6, codes=8), 1, np.ones((59, 2)))
    with pytest.raises(ValueError, match="60 different vectors cannot use 61 codes"):
        fit(drawn(), Config(6, codes=61), 1)
