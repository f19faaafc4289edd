"""Residual k-means: plain, balanced and streamed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models.ids.residual_kmeans import Config, fit, fit_streamed, from_tensors
from tests.models.ids.rows import heaps

PLAIN = Config(levels=2, codes=16, iterations=5)
BALANCED = Config(levels=2, codes=16, iterations=5, balanced=True, balanced_iterations=2)


def test_four_points_at_two_levels_by_hand() -> None:
    # Level one parts near from far, level two takes what is left: -1 or 1 in each.
    fitted = fit(np.array([[0], [2], [100], [102]], dtype=np.float32), Config(levels=2, codes=2), seed=1)
    assert sorted(fitted.tokenizer.reconstruct(fitted.codes_NL)[:, 0].tolist()) == [0, 2, 100, 102]
    assert fitted.figures["squared_error"] == 0
    assert len({tuple(row) for row in fitted.codes_NL.tolist()}) == 4


@pytest.mark.parametrize("config", [PLAIN, BALANCED])
def test_rows_in_another_order_make_the_same_codebooks_and_keep_their_codes(config: Config) -> None:
    x = heaps(300)
    order = np.random.default_rng(5).permutation(300)
    one, two = fit(x, config, seed=3), fit(x[order], config, seed=3)
    assert {k: v.tobytes() for k, v in one.tokenizer.tensors().items()} == {
        k: v.tobytes() for k, v in two.tokenizer.tensors().items()
    }
    assert (two.codes_NL == one.codes_NL[order]).all()


def test_another_seed_makes_other_codebooks() -> None:
    books = [fit(heaps(300), PLAIN, seed).tokenizer.tensors()["codebooks_LKD"] for seed in (3, 4)]
    assert (books[0] != books[1]).any()


def test_plain_codes_are_those_of_encode_and_balanced_ones_fill_every_code_evenly() -> None:
    x = heaps(320)
    plain, even = fit(x, PLAIN, seed=1), fit(x, BALANCED, seed=1)
    assert (plain.codes_NL == plain.tokenizer.encode(x)).all()
    for level in range(2):
        assert np.bincount(even.codes_NL[:, level]).tolist() == [20] * 16
    nearest = even.tokenizer.encode(x)
    assert (nearest == even.codes_NL).mean() > 0.5


def test_every_level_leaves_less() -> None:
    x = heaps(400)
    left = [fit(x, Config(levels=n, codes=16, iterations=5), 1).figures["squared_error"] for n in (1, 2, 3)]
    assert left[0] > left[1] > left[2]


def test_blocks_that_are_streamed_reconstruct_nearly_as_well() -> None:
    x = heaps(6000)

    def blocks() -> Iterator[np.ndarray]:
        return iter(np.array_split(x, 7))

    streamed, whole = fit_streamed(blocks, PLAIN, seed=1), fit(x, PLAIN, seed=1)
    errors = [((x - f.tokenizer.reconstruct(f.codes_NL)) ** 2).sum(1).mean() for f in (streamed, whole)]
    assert streamed.codes_NL.shape == (6000, 2)
    assert errors[0] < 1.05 * errors[1]
    assert (fit_streamed(blocks, PLAIN, seed=1).codes_NL == streamed.codes_NL).all()


def test_tensors_make_the_tokenizer_again() -> None:
    fitted = fit(heaps(100), PLAIN, seed=1)
    assert (from_tensors(fitted.tokenizer.tensors()).encode(heaps(100)) == fitted.codes_NL).all()


def test_rows_that_are_nearly_all_alike_are_lawful() -> None:
    x = np.zeros((40, 3), dtype=np.float32)
    x[:3] = np.eye(3)
    for config in (PLAIN, BALANCED):
        fitted = fit(x, config, seed=1)
        assert len({tuple(row) for row in fitted.tokenizer.encode(x).tolist()}) == 4


def test_what_cannot_be_fitted_is_said() -> None:
    nan = heaps(40)
    nan[7, 0] = np.nan
    with pytest.raises(ValueError, match="row 7 holds NaN"):
        fit(nan, PLAIN, 1)
    with pytest.raises(ValueError, match="15 rows cannot make 16 codes"):
        fit(heaps(15), PLAIN, 1)
    with pytest.raises(ValueError, match="balanced clusters need all rows"):
        fit_streamed(lambda: [heaps(40)], BALANCED, 1)
    with pytest.raises(ValueError, match="there are no rows"):
        fit_streamed(lambda: [], PLAIN, 1)
