"""The figures about semantic IDs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from models.ids.health import gini, health, hit_cap, prefix_groups, row_groups
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
    # Item 2 alone has a content of its own, and it shares its ID.
    assert found.distinct_shared_share == 1.0
    assert found.avoidable_share == pytest.approx(1 / 5)
    assert found.group_sizes == ((1, 2), (3, 1))
    # IDs of 1, 1 and 3 items: (-2 * 1 + 0 * 1 + 2 * 3) / (3 * 5).
    assert found.gini_of_ids == pytest.approx(4 / 15)
    # Entropy of 4/5 and 1/5 is 0.721928 bits.
    assert [level.perplexity for level in found.levels] == pytest.approx([1.649385, 1.649385], abs=1e-6)


def test_a_level_used_evenly_has_its_number_of_codes_as_perplexity() -> None:
    level = health(np.array([[0], [1], [2], [3]]), 8).levels[0]
    assert (level.codes_used, level.dead_codes, level.perplexity) == (4, 4, pytest.approx(4.0))


def test_gini_is_0_for_even_use_and_counts_dead_codes() -> None:
    assert gini(np.array([2, 2, 2])) == 0.0
    # Ascending 0, 0, 1, 3 with factors -3, -1, 1, 3: 10 over 4 codes times 4 items.
    assert gini(np.array([3, 0, 1, 0])) == pytest.approx(10 / 16)
    assert gini(np.array([0, 4, 0, 0])) == pytest.approx(3 / 4)


def test_a_level_that_the_codes_before_say_nothing_about_adds_all_its_bits() -> None:
    second = health(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), 2).levels[1]
    assert (second.entropy_bits, second.conditional_bits, second.room_bits) == pytest.approx((1.0, 1.0, 1.0))


def test_a_level_that_the_codes_before_say_everything_about_adds_none() -> None:
    second = health(np.array([[0, 1], [0, 1], [1, 0], [1, 0]]), 2).levels[1]
    assert (second.entropy_bits, second.conditional_bits, second.room_bits) == pytest.approx((1.0, 0.0, 1.0))


def test_what_a_level_adds_between_nothing_and_everything_by_hand() -> None:
    # Prefixes of 1/4, 1/4, 1/2: 1.5 bits, of which the first level says 1; alone the second has 3/4 and 1/4.
    second = health(np.array([[0, 0], [0, 1], [1, 0], [1, 0]]), 8).levels[1]
    assert second.conditional_bits == pytest.approx(0.5)
    assert second.entropy_bits == pytest.approx(0.811278, abs=1e-6)
    # Four items are 2 bits; one is said already, whatever the codebook holds.
    assert second.room_bits == pytest.approx(1.0)


def test_bits_of_all_levels_add_up_to_those_of_the_ids() -> None:
    codes = np.random.default_rng(5).integers(0, 4, (300, 3))
    size = np.bincount(row_groups(codes)) / 300
    assert sum(level.conditional_bits for level in health(codes, 4).levels) == pytest.approx(-(size * np.log2(size)).sum())


def test_prefix_groups_are_the_equal_beginnings() -> None:
    codes = np.random.default_rng(6).integers(0, 3, (60, 3))
    for depth, group in enumerate(prefix_groups(codes), start=1):
        same = (codes[:, None, :depth] == codes[None, :, :depth]).all(axis=2)
        assert ((group[:, None] == group[None, :]) == same).all()


def test_each_level_may_have_a_codebook_of_its_own_size() -> None:
    found = health(np.array([[0, 5], [1, 2]]), [2, 9])
    assert [level.dead_codes for level in found.levels] == [0, 7]
    with pytest.raises(ValueError, match="level 2 run from 2 to 5, outside a codebook of 5"):
        health(np.array([[0, 5], [1, 2]]), [2, 5])
    with pytest.raises(ValueError, match="sizes of 1 codebooks for 2 levels"):
        health(np.array([[0, 5]]), [9])


def test_the_cap_on_hit_1_is_what_a_draw_among_equal_ids_leaves() -> None:
    codes = np.array([[0, 1], [0, 1], [2, 2]])
    assert hit_cap(codes) == pytest.approx(2 / 3)
    # Three of four targets on an ID of two, one on an ID alone: (3 / 2 + 1) / 4.
    assert hit_cap(codes, np.array([3.0, 0.0, 1.0])) == pytest.approx(0.625)
    assert hit_cap(codes, np.array([3.0, 0.0, 1.0]), k=2) == 1.0


@pytest.mark.parametrize("weights", [[1.0, -1.0], [np.nan, 1.0], [0.0, 0.0], [1.0]])
def test_weights_of_targets_that_cannot_be_are_an_error(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        hit_cap(np.array([[0], [1]]), np.array(weights))


def test_codes_that_are_no_integers_or_contents_of_other_items_are_an_error() -> None:
    with pytest.raises(ValueError, match="must be integers"):
        health(np.array([[0.5]]), 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give one an item"):
        health(np.array([[0], [1]]), 2, np.array([1]))


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


def known_ids(index: str) -> tuple[list[str], np.ndarray]:
    folder = os.environ.get("NOTEMILL_EVALUATION_DATA")
    if not folder:
        pytest.skip("NOTEMILL_EVALUATION_DATA names no folder of evaluation data")
    ids = json.loads((Path(folder) / "amazon_scientific" / "published_sids" / f"{index}.json").read_text())
    return list(ids), np.array([text_to_codes("".join(tokens)) for tokens in ids.values()])


@pytest.mark.parametrize(
    ("index", "percent"), [("rqvae_native", 20.4), ("rkmeans_native", 30.5), ("letter_native", 1.2), ("rqvae_zcr", 0.0)]
)
def test_published_indexes_have_the_share_of_shared_ids_that_is_known_of_them(index: str, percent: float) -> None:
    assert round(100 * health(known_ids(index)[1], 256).shared_share, 1) == percent


@pytest.mark.parametrize(
    ("index", "cap"), [("rqvae_native", 0.846), ("rkmeans_native", 0.772), ("letter_native", 0.985), ("rqvae_zcr", 1.0)]
)
def test_published_indexes_cap_hit_1_where_it_is_known_that_they_do(index: str, cap: float) -> None:
    items, codes = known_ids(index)
    events = pq.read_table(Path(os.environ["NOTEMILL_EVALUATION_DATA"]) / "amazon_scientific" / "interactions.parquet")
    test = events.filter(pc.equal(events["split"], "test"))["item_id"].to_numpy()
    targets = np.bincount(test, minlength=len(items))[np.array(items, dtype=int)]
    assert hit_cap(codes, targets) == pytest.approx(cap, abs=5e-4)
