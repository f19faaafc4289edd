"""Rows in blocks of one shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.ids.blocks import BLOCK_ROWS, Product, block, checked, content_order, in_order
from tests.models.ids.rows import heaps


def test_results_come_in_order_whatever_the_number_of_threads_and_leave_it_as_it_was() -> None:
    for threads in (1, 3):
        torch.set_num_threads(threads)
        assert list(in_order(lambda n: n * n, range(20))) == [n * n for n in range(20)]
        assert torch.get_num_threads() == threads


def test_every_piece_of_work_has_one_thread() -> None:
    torch.set_num_threads(2)
    assert set(in_order(lambda _: torch.get_num_threads(), range(8))) == {1}


def test_an_error_in_a_thread_is_raised() -> None:
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda n: 1 // n, [1, 0, 1]))
    assert torch.get_num_threads() == 2


def test_a_last_block_is_filled_up_with_zeros() -> None:
    x = np.ones((BLOCK_ROWS + 2, 3), dtype=np.float32)
    last = block(x, BLOCK_ROWS)
    assert last.shape == (BLOCK_ROWS, 3)
    assert last.sum() == 6


def test_the_order_by_content_is_the_same_rows_however_they_were_listed() -> None:
    x, dice = heaps(300, twins=5), np.random.default_rng(1)
    x[0, 0] = -0.0
    mixed = x[dice.permutation(300)]
    assert (x[content_order(x)] == mixed[content_order(mixed)]).all()


def test_the_product_is_that_of_numpy() -> None:
    x, weights = heaps(40), heaps(7, seed=1)
    found = Product(torch.from_numpy(weights))(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), x @ weights.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.zeros(3), "rows x dimensions"),
        (np.zeros((2, 4)), "4 dimensions, the tokenizer reads 3"),
        (np.array([[0, 0, 0], [0, np.nan, 1], [np.inf, 0, 0]]), "row 11 and 1 more holds NaN or infinity"),
    ],
)
def test_rows_that_cannot_be_are_named(x: np.ndarray, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checked(x, 3, first_row=10)


def test_zero_rows_and_very_large_numbers_are_lawful() -> None:
    assert checked(np.zeros((2, 3)), 3).dtype == np.float32
    assert len(checked(np.full((2, 3), 3e38, dtype=np.float32), 3)) == 2  # their sum is no finite float32, they are
