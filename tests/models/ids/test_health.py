"""The figures about semantic IDs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from models.ids.health import health, row_groups
from models.ids.text import text_to_codes


def test_the_figures_of_five_items_by_hand() -> None:
    # Items 0, 1 and 2 share an ID; 0 and 1 have the same content. 3 and 4 have IDs of their own.
    codes = np.array([[0, 1], [0, 1], [0, 1], [0, 3], [2, 1]])
    found = health(codes, 4, np.array([7, 7, 8, 9, 9]))
    assert (found.num_items, found.num_ids, found.largest_group) == (5, 3, 3)
    assert found.shared_share == pytest.approx(3 / 5)
    assert found.irreducible_share == pytest.approx(2 / 5)
    assert found.unique_rate == pytest.approx(3 / 5)
    # Contents under their IDs: 0 and 1 together, 2, 3, 4: four that could be told apart, in three IDs.
    assert found.separable_unique_rate == pytest.approx(3 / 4)
    assert [level.codes_used for level in found.levels] == [2, 2]
    assert [level.dead_codes for level in found.levels] == [2, 2]
    # Entropy of 4/5 and 1/5 is 0.721928 bits.
    assert [level.perplexity for level in found.levels] == pytest.approx([1.649385, 1.649385], abs=1e-6)


def test_a_level_used_evenly_has_its_number_of_codes_as_perplexity() -> None:
    level = health(np.array([[0], [1], [2], [3]]), 8).levels[0]
    assert (level.codes_used, level.dead_codes, level.perplexity) == (4, 4, pytest.approx(4.0))


def test_without_contents_nothing_is_irreducible() -> None:
    found = health(np.array([[1], [1]]), 2)
    assert (found.shared_share, found.irreducible_share, found.separable_unique_rate) == (1.0, 0.0, 0.5)


def test_figures_do_not_depend_on_the_order_of_items() -> None:
    dice = np.random.default_rng(1)
    codes, content, order = dice.integers(0, 3, (200, 3)), dice.integers(0, 50, 200), dice.permutation(200)
    assert health(codes[order], 3, content[order]) == health(codes, 3, content)


def test_equal_rows_and_only_they_are_one_group() -> None:
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]], dtype=np.float32)
    group = row_groups(rows)
    assert group[0] == group[2] != group[1]


@pytest.mark.parametrize(
    ("codes", "complaint"),
    [([[0, 4]], "outside a codebook of 4"), ([[-1, 0]], "outside a codebook"), (np.empty((0, 2)), "at least one of each")],
)
def test_codes_that_cannot_be_are_an_error(codes: list[list[int]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        health(np.asarray(codes), 4)


@pytest.mark.parametrize(
    ("index", "percent"), [("rqvae_native", 20.4), ("rkmeans_native", 30.5), ("letter_native", 1.2), ("rqvae_zcr", 0.0)]
)
def test_published_indexes_have_the_share_of_shared_ids_that_is_known_of_them(index: str, percent: float) -> None:
    folder = os.environ.get("NOTEMILL_EVALUATION_DATA")
    if not folder:
        pytest.skip("NOTEMILL_EVALUATION_DATA names no folder of evaluation data")
    ids = json.loads((Path(folder) / "amazon_scientific" / "published_sids" / f"{index}.json").read_text())
    codes = np.array([text_to_codes("".join(tokens)) for tokens in ids.values()])
    assert round(100 * health(codes, 256).shared_share, 1) == percent
