"""Residual codebooks: encoding by look-ups against the plain way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from models.ids.blocks import BLOCK_ROWS
from models.ids.residual_codes import ResidualTokenizer, from_tensors
from tests.models.ids.rows import heaps


def books(levels: int = 3, codes: int = 8, dims: int = 12) -> np.ndarray:
    return np.stack([heaps(codes, dims, seed=7 + level) / (1 + level) for level in range(levels)])


def plainly(x: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    residual, codes = x.astype(np.float64), []
    for book in codebooks.astype(np.float64):
        codes.append(((residual[:, None] - book[None]) ** 2).sum(2).argmin(1))
        residual = residual - book[codes[-1]]
    return np.stack(codes, 1)


def test_two_levels_of_two_codes_by_hand() -> None:
    # (3, 2): code 1 of (0, 0) and (4, 0) leaves (-1, 2), nearer to (0, 1). (1, -1): code 0 leaves it, nearer to (0, -1).
    tokenizer = ResidualTokenizer(np.array([[[0, 0], [4, 0]], [[0, 1], [0, -1]]], dtype=np.float32))
    x = np.array([[3, 2], [1, -1]], dtype=np.float32)
    assert tokenizer.encode(x).tolist() == [[1, 0], [0, 1]]
    assert tokenizer.reconstruct(np.array([[1, 0], [0, 1]], dtype=np.int32)).tolist() == [[4, 1], [0, -1]]
    # What level one leaves is (-1, 2) and (1, -1): squared distances to (0, 1) and (0, -1).
    assert tokenizer.last_costs(x, tokenizer.encode(x)).tolist() == [[2, 10], [5, 1]]


def test_look_ups_agree_with_residuals_taken_one_by_one() -> None:
    x = heaps(1000)
    assert (ResidualTokenizer(books()).encode(x) == plainly(x, books())).all()


def test_a_beam_as_wide_as_the_codes_finds_the_best_of_all_ids() -> None:
    x, codebooks = heaps(60), books(2, 5)
    ids = np.array(list(itertools.product(range(5), range(5))))
    sums = codebooks[0][ids[:, 0]] + codebooks[1][ids[:, 1]]
    best = ids[((x[:, None].astype(np.float64) - sums[None]) ** 2).sum(2).argmin(1)]
    assert (ResidualTokenizer(codebooks, beam=5).encode(x) == best).all()


def test_a_wider_beam_reconstructs_better() -> None:
    x, codebooks = heaps(500), books()
    one, four = (ResidualTokenizer(codebooks, beam) for beam in (1, 4))
    errors = [((x - t.reconstruct(t.encode(x))) ** 2).sum() for t in (one, four)]
    assert errors[1] < 0.99 * errors[0]


@pytest.mark.parametrize("beam", [1, 3])
def test_a_row_gets_the_same_codes_whatever_stands_beside_it_and_however_many_threads_work(beam: int) -> None:
    x, tokenizer = heaps(2 * BLOCK_ROWS + 70), ResidualTokenizer(books(), beam)
    whole = tokenizer.encode(x)
    order = np.random.default_rng(0).permutation(len(x))
    torch.set_num_threads(3)
    assert (tokenizer.encode(x[order]) == whole[order]).all()
    assert (np.concatenate([tokenizer.encode(x[at : at + 9]) for at in range(0, 90, 9)]) == whole[:90]).all()
    assert tokenizer.encode(x[:0]).shape == (0, 3)


@pytest.mark.parametrize("beam", [1, 2])
def test_between_two_codes_exactly_the_first_is_taken_and_of_equal_codes_too(beam: int) -> None:
    level = np.array([[1, 0], [-1, 0], [0, 3], [0, 3]], dtype=np.float32)
    tokenizer = ResidualTokenizer(np.stack([level, np.zeros((4, 2), np.float32)]), beam)
    x = np.zeros((300, 2), dtype=np.float32)
    x[::2] = [0, 5]
    found = tokenizer.encode(x)
    assert (found[1::2] == [0, 0]).all()
    assert (found[::2] == [2, 0]).all()


def test_tensors_make_the_same_tokenizer_again() -> None:
    x, tokenizer = heaps(50), ResidualTokenizer(books(), 2)
    again = from_tensors(tokenizer.tensors())
    assert (again.levels, again.codes, again.input_dim, again.beam) == (3, 8, 12, 2)
    assert (again.encode(x) == tokenizer.encode(x)).all()
    with pytest.raises(ValueError, match="beam missing"):
        from_tensors({"codebooks_LKD": books()})


def test_bad_rows_and_bad_codebooks_are_errors() -> None:
    tokenizer, x = ResidualTokenizer(books()), heaps(BLOCK_ROWS + 9)
    with pytest.raises(ValueError, match="5 dimensions, the tokenizer reads 12"):
        tokenizer.encode(heaps(4, 5))
    x[BLOCK_ROWS + 3, 2] = np.nan
    with pytest.raises(ValueError, match=f"row {BLOCK_ROWS + 3} holds NaN"):
        tokenizer.encode(x)
    with pytest.raises(ValueError, match="beam is 9"):
        ResidualTokenizer(books(), 9)
    with pytest.raises(ValueError, match="levels x codes x dimensions"):
        ResidualTokenizer(books()[0])


def test_zero_rows_are_lawful_and_all_alike() -> None:
    found = ResidualTokenizer(books()).encode(np.zeros((3, 12), dtype=np.float32))
    assert (found == found[0]).all()
