"""How sure a mean over cases is: bootstrap intervals over users, and of the difference of two arms on the same cases.

Users are drawn, not cases: what one user does hangs together. Shapes: Q cases, U users, M figures, R rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 1000
PERCENTILES = (2.5, 97.5)
BLOCK_DRAWS = 4_000_000


class Interval(NamedTuple):
    """Means over cases and the ends of their 95 % intervals."""

    value_M: Floats
    low_M: Floats
    high_M: Floats


class Difference(NamedTuple):
    """Mean differences, the ends of their 95 % intervals, and the share of rounds in which they are above 0."""

    value_M: Floats
    low_M: Floats
    high_M: Floats
    above_M: Floats


def interval(value_QM: Floats, user_Q: NDArray[np.int64], *, seed: int, rounds: int = ROUNDS) -> Interval:
    """Percentiles of the means of users drawn with replacement. Raises `ValueError` without cases or with numbers that
    are none."""
    mean_M, drawn_RM = _drawn(value_QM, user_Q, seed, rounds)
    low_M, high_M = np.percentile(drawn_RM, PERCENTILES, axis=0)
    # Of a figure that never varies the percentiles are its mean but for rounding.
    return Interval(mean_M, np.minimum(low_M, mean_M), np.maximum(high_M, mean_M))


def difference(
    value_QM: Floats, other_QM: Floats, user_Q: NDArray[np.int64], *, seed: int, rounds: int = ROUNDS
) -> Difference:
    """Of an arm less another, case by case, so that what both find hard cancels out; a tie counts half as above."""
    if value_QM.shape != other_QM.shape:
        raise ValueError(f"arms of {value_QM.shape} and {other_QM.shape} figures are not of the same cases")
    mean_M, drawn_RM = _drawn(value_QM - other_QM, user_Q, seed, rounds)
    low_M, high_M = np.percentile(drawn_RM, PERCENTILES, axis=0)
    above_M = ((drawn_RM > 0) + 0.5 * (drawn_RM == 0)).mean(axis=0)
    return Difference(mean_M, low_M, high_M, above_M)


def _drawn(value_QM: Floats, user_Q: NDArray[np.int64], seed: int, rounds: int) -> tuple[Floats, Floats]:
    """The mean as it is, and in every round."""
    if len(value_QM) != len(user_Q) or not len(user_Q) or rounds < 1:
        raise ValueError(f"{len(value_QM)} cases of {len(user_Q)} users in {rounds} rounds have no interval")
    if not np.isfinite(value_QM).all():
        raise ValueError("there is a NaN or an infinity among the figures of the cases")
    _, user_Q = np.unique(user_Q, return_inverse=True)
    num_users = int(user_Q.max()) + 1
    num_U = np.bincount(user_Q).astype(np.float64)
    sum_UM = np.zeros((num_users, value_QM.shape[1]))
    np.add.at(sum_UM, user_Q, value_QM)
    drawn = [count_RU @ sum_UM / (count_RU @ num_U)[:, None] for count_RU in _counts(num_users, seed, rounds)]
    return value_QM.mean(axis=0), np.concatenate(drawn)


def _counts(num_users: int, seed: int, rounds: int) -> Iterator[Floats]:
    """How often each user is drawn, in blocks of rounds; each round's draw follows from seed and round alone."""
    block = max(1, BLOCK_DRAWS // num_users)
    dice = np.random.default_rng(seed)
    for start in range(0, rounds, block):
        size = min(block, rounds - start)
        at = dice.integers(0, num_users, (size, num_users)) + np.arange(size)[:, None] * num_users
        yield np.bincount(at.ravel(), minlength=size * num_users).reshape(size, num_users).astype(np.float64)
