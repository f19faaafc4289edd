"""Ridge regression against plain formulas, and its strength against every strength tried by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.ids.ridge import STRENGTHS, ridge


def _noisy(rows: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    dice = torch.Generator().manual_seed(seed)
    x_ND = torch.randn(rows, 5, generator=dice, dtype=torch.float64) + 2
    map_DP = torch.randn(5, 3, generator=dice, dtype=torch.float64)
    return x_ND, x_ND @ map_DP + 7 + noise * torch.randn(rows, 3, generator=dice, dtype=torch.float64)


def test_a_line_is_found_exactly() -> None:
    # y = 3x - 1 in one dimension.
    x_N1 = torch.tensor([[0.0], [1.0], [2.0], [5.0]], dtype=torch.float64)
    found = ridge(lambda: iter([(x_N1, 3 * x_N1 - 1)]))
    assert found.ridge_DP.item() == pytest.approx(3, abs=1e-6)
    assert found.offset_P.item() == pytest.approx(-1, abs=1e-6)
    assert found.explained == pytest.approx(1)


@pytest.mark.parametrize("noise", [0.1, 3.0, 30.0])
def test_the_strength_is_the_best_of_all_by_the_plain_formula(noise: float) -> None:
    x_ND, y_NP = _noisy(40, noise)
    x, y = (x_ND - x_ND.mean(0)).numpy(), (y_NP - y_NP.mean(0)).numpy()
    unit = np.linalg.eigvalsh(x.T @ x / 40).mean()
    maps = [np.linalg.solve(x.T @ x / 40 + s * unit * np.eye(5), x.T @ y / 40) for s in STRENGTHS]
    scores = []
    for strength, map_DP in zip(STRENGTHS, maps, strict=True):
        hat = x @ np.linalg.solve(x.T @ x / 40 + strength * unit * np.eye(5), x.T / 40)
        scores.append(((y - x @ map_DP) ** 2).sum() / 40 / (1 - (np.trace(hat) + 1) / 40) ** 2)
    flat = (y**2).sum() / 40 / (1 - 1 / 40) ** 2
    best_DP = maps[int(np.argmin(scores))] if min(scores) < flat else np.zeros((5, 3))
    found = ridge(lambda: zip(x_ND.split(17), y_NP.split(17), strict=True))
    assert found.ridge_DP.numpy() == pytest.approx(best_DP, abs=1e-9)
    assert found.explained == pytest.approx(max(0.0, 1 - min(scores) / flat))


@pytest.mark.parametrize("rows", [1, 2])
def test_one_or_two_rows_give_their_mean(rows: int) -> None:
    x_ND, y_NP = _noisy(rows, 0.0)
    found = ridge(lambda: iter([(x_ND, y_NP)]))
    assert not found.ridge_DP.any()
    assert found.offset_P.tolist() == pytest.approx(y_NP.mean(0).tolist())


def test_fewer_rows_than_dimensions_and_rows_that_do_not_vary_stay_finite() -> None:
    x_ND, y_NP = _noisy(4, 1.0)
    assert torch.isfinite(ridge(lambda: iter([(x_ND, y_NP)])).ridge_DP).all()
    flat = ridge(lambda: iter([(torch.ones(12, 2, dtype=torch.float64), y_NP.repeat(3, 1))]))
    assert not flat.ridge_DP.any()
