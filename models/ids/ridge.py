"""Ridge regression of one set of vectors on another, its strength chosen by generalised cross-validation.

In: pieces of (x_RD, y_RP) in float64. Out: `Ridge`, with x_D @ ridge_DP + offset_P the prediction. Shapes: R rows of a
piece, n rows in all, D inputs, P outputs. Two passes over the rows, for means and second moments: all follows from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# Strengths tried, in units of the mean eigenvalue of the inputs' covariance, the strongest first: it wins a tie.
STRENGTHS = tuple(10.0**power for power in range(3, -9, -1))
MIN_ROWS = 3  # below which nothing can be held against anything: the mean is predicted


Pieces = Callable[[], Iterator[tuple[Tensor, Tensor]]]


class Ridge(NamedTuple):
    """The map, and the share of the outputs' variance that it explains, judged by generalised cross-validation."""

    ridge_DP: Tensor
    offset_P: Tensor
    explained: float


def ridge(pieces: Pieces) -> Ridge:
    """Fit the rows of the pieces, which are asked for twice so that none need be held.

    The score of a strength s (Golub, Heath and Wahba 1979, section 1), with df_s the trace of the map from outputs to
    predictions and 1 for the mean, is (residual / n) / (1 - (df_s + 1) / n)^2.
    """
    rows, x_D, y_P = _means(pieces())
    nothing = Ridge(x_D.new_zeros(len(x_D), len(y_P)), y_P, 0.0)
    if rows < MIN_ROWS:
        return nothing
    gram_DD, cross_DP, total = x_D.new_zeros(len(x_D), len(x_D)), nothing.ridge_DP.clone(), 0.0
    for x_RD, y_RP in pieces():
        gram_DD += (x_RD - x_D).T @ (x_RD - x_D) / rows
        cross_DP += (x_RD - x_D).T @ (y_RP - y_P) / rows
        total += float((y_RP - y_P).square().sum()) / rows
    values_D, vectors_DD = torch.linalg.eigh(gram_DD)
    values_D, unit = values_D.clamp_min(0), float(values_D.clamp_min(0).mean())
    if unit <= 0 or total <= 0:
        return nothing  # one side does not vary
    turned_DP = vectors_DD.T @ cross_DP
    scores = [_score(values_D, turned_DP, total, s * unit, rows) for s in STRENGTHS]
    best = min(range(len(scores)), key=scores.__getitem__)
    flat = total / (1 - 1 / rows) ** 2  # the score of predicting the mean
    if scores[best] >= flat:
        return nothing
    ridge_DP = vectors_DD @ (turned_DP / (values_D + STRENGTHS[best] * unit)[:, None])
    return Ridge(ridge_DP, y_P - x_D @ ridge_DP, 1 - scores[best] / flat)


def _means(pieces: Iterator[tuple[Tensor, Tensor]]) -> tuple[int, Tensor, Tensor]:
    x_RD, y_RP = next(pieces)
    rows, x_D, y_P = len(x_RD), x_RD.sum(0), y_RP.sum(0)
    for x_RD, y_RP in pieces:
        rows, x_D, y_P = rows + len(x_RD), x_D + x_RD.sum(0), y_P + y_RP.sum(0)
    return rows, x_D / rows, y_P / rows


def _score(values_D: Tensor, turned_DP: Tensor, total: float, strength: float, rows: int) -> float:
    shrunk_D = 1 / (values_D + strength)
    freedom = float((values_D * shrunk_D).sum()) + 1
    if freedom > rows - 1:
        return float("inf")  # as many knobs as rows: the residual says nothing
    residual = total - float((turned_DP.square().sum(1) * (2 * shrunk_D - values_D * shrunk_D.square())).sum())
    return max(residual, 0.0) / (1 - freedom / rows) ** 2
