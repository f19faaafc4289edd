"""The tree of nested groups: growing it, going down it, and the price of last codes."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.growth import contents_of, grow
from models.ids.tree import TreeTokenizer, from_tensors

# Two heaps far apart on the first axis, each of two pairs on the second axis, pairs told apart by the third.
ROWS = np.array(
    [[heap, pair, side] for heap in (-8.0, 8.0) for pair in (-2.0, 2.0) for side in (-0.5, 0.5)],
    dtype=np.float32,
)
HEAP, PAIR = np.repeat([0, 1], 4), np.repeat([0, 1, 2, 3], 2)


def grown(rows_ND: np.ndarray = ROWS, codes: int = 4) -> tuple[TreeTokenizer, np.ndarray]:
    """The tree of heaps and pairs; codes in the order of the rows."""
    contents = contents_of(rows_ND, 3, codes)
    heap, pair = rows_ND[:, 0] > 0, 2 * (rows_ND[:, 0] > 0) + (rows_ND[:, 1] > 0)
    groups = [np.zeros(len(contents.hash_M), dtype=np.int64) for _ in range(2)]
    groups[0][contents.content_N], groups[1][contents.content_N] = heap, pair
    tokenizer, codes_ML = grow(contents, groups, codes, seed=1)
    return tokenizer, codes_ML[contents.content_N]


def test_codes_name_heap_pair_and_side_and_every_row_has_its_own() -> None:
    _, codes_NL = grown()
    assert len(np.unique(codes_NL, axis=0)) == 8
    assert len(set(codes_NL[:4, 0].tolist())) == len(set(codes_NL[4:, 0].tolist())) == 1
    assert codes_NL[0, :2].tolist() == codes_NL[1, :2].tolist() != codes_NL[2, :2].tolist()


def test_fitted_rows_find_their_own_leaf_again_alone_or_among_others() -> None:
    tokenizer, codes_NL = grown()
    assert tokenizer.encode(ROWS).tolist() == codes_NL.tolist()
    assert np.concatenate([tokenizer.encode(ROWS[[row]]) for row in range(8)]).tolist() == codes_NL.tolist()
    assert tokenizer.encode(ROWS[:0]).shape == (0, 3)


def test_a_new_row_takes_the_nearest_nodes_and_a_last_code_that_no_fitted_row_has() -> None:
    tokenizer, codes_NL = grown()
    (new,) = tokenizer.encode(np.array([[7.0, 1.5, 0.4]], dtype=np.float32)).tolist()
    assert new[:2] == codes_NL[6, :2].tolist()
    assert new not in codes_NL.tolist()


def test_a_row_in_a_full_group_shares_the_code_of_the_nearest_place() -> None:
    rows_ND = np.concatenate(
        [ROWS, ROWS[6:] * np.float32([1, 1, 3])]
    )  # the last pair has four, as many as codes
    tokenizer, codes_NL = grown(rows_ND)
    assert len(np.unique(codes_NL, axis=0)) == 10
    assert tokenizer.encode(np.array([[8.0, 2.0, 1.6]], dtype=np.float32)).tolist()[0] in codes_NL.tolist()


def test_the_own_code_costs_nothing_and_a_held_one_more_than_any_free_one() -> None:
    tokenizer, codes_NL = grown()
    own_K = tokenizer.last_costs(ROWS[:1], codes_NL[:1])[0]
    other = int(codes_NL[1, 2])
    free = [code for code in range(4) if code not in (int(codes_NL[0, 2]), other)]
    assert own_K[codes_NL[0, 2]] == 0
    assert own_K[other] > max(own_K[free]) >= min(own_K[free]) > 0


def test_what_an_id_stands_for_is_nearer_to_its_row_than_the_mean_of_its_pair() -> None:
    tokenizer, codes_NL = grown()
    found_ND = tokenizer.reconstruct(codes_NL)
    assert np.square(found_ND - ROWS).sum() < np.square(ROWS * np.float32([0, 0, 1])).sum()
    np.testing.assert_allclose(found_ND[:, :2], ROWS[:, :2], atol=1e-4)


def test_tensors_make_the_same_tokenizer_again_and_a_missing_one_is_named() -> None:
    tokenizer, codes_NL = grown()
    tensors = tokenizer.tensors()
    again = from_tensors(tensors)
    assert (again.levels, again.codes, again.input_dim) == (3, 4, 3)
    dice = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32) * 9
    assert again.encode(dice).tolist() == tokenizer.encode(dice).tolist()
    assert again.last_costs(ROWS, codes_NL).tolist() == tokenizer.last_costs(ROWS, codes_NL).tolist()
    del tensors["leaf.code"]
    with pytest.raises(ValueError, match=r"weights lack 'leaf\.code'"):
        from_tensors(tensors)


def test_rows_and_codes_that_do_not_fit_are_errors_that_say_so() -> None:
    tokenizer, codes_NL = grown()
    with pytest.raises(ValueError, match=r"vectors must be rows x 3; their shape is \(1, 2\)"):
        tokenizer.encode(np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="1 of 1 vectors hold NaN"):
        tokenizer.encode(np.full((1, 3), np.nan, dtype=np.float32))
    wrong_NL = codes_NL.copy()
    wrong_NL[2, 0] = 3
    with pytest.raises(ValueError, match=r"1 of 8 prefixes are not in the tree, the first is \[3, "):
        tokenizer.reconstruct(wrong_NL)


def test_rows_of_zeros_and_fewer_contents_than_codes_are_errors() -> None:
    with pytest.raises(ValueError, match="1 of 9 vectors are all zeros, the first in row 8"):
        contents_of(np.concatenate([ROWS, np.zeros((1, 3), dtype=np.float32)]), 3, 4)
    with pytest.raises(ValueError, match="8 different vectors cannot use 9 codes"):
        contents_of(np.concatenate([ROWS, ROWS]), 3, 9)


def test_more_groups_at_the_top_than_codes_are_an_error() -> None:
    contents = contents_of(ROWS, 3, 4)
    with pytest.raises(ValueError, match="the first level has 8 groups, more than its 4 codes"):
        grow(contents, [np.arange(8), np.arange(8)], 4, seed=1)


def test_contents_of_a_group_beyond_its_codes_share_them_evenly() -> None:
    contents = contents_of(ROWS, 3, 4)
    _, codes_ML = grow(contents, [np.zeros(8, dtype=np.int64)], 4, seed=1)
    assert np.bincount(codes_ML[:, 1]).tolist() == [2, 2, 2, 2]
