"""Gradients past a choice of codes."""

from __future__ import annotations

import math

import pytest
import torch

from models.ids.gradients import rotation_trick, straight_through


def gradient(way: object, z: list[float], chosen: list[float], towards: list[float]) -> list[float]:
    z_BE = torch.tensor([z], dtype=torch.float64, requires_grad=True)
    out = way(z_BE, torch.tensor([chosen], dtype=torch.float64))  # type: ignore[operator]
    assert out.tolist()[0] == pytest.approx(chosen)
    (out * torch.tensor(towards, dtype=torch.float64)).sum().backward()
    assert z_BE.grad is not None
    return [float(g) for g in z_BE.grad[0]]


def test_straight_through_leaves_the_gradient_as_it_is() -> None:
    assert gradient(straight_through, [1, 0], [0, 2], [3, 4]) == [3, 4]


def test_the_rotation_turns_the_gradient_back_by_the_angle_and_scales_it() -> None:
    # z = (1, 0) becomes (0, 2) by a quarter turn and doubling; so the gradient (3, 4) turns back to (4, -3) and doubles.
    assert gradient(rotation_trick, [1, 0], [0, 2], [3, 4]) == pytest.approx([8, -6])


def test_a_rotation_keeps_the_angle_between_gradient_and_vector() -> None:
    z, chosen, towards = [1.0, 2.0, -1.0], [0.5, 1.5, 0.5], [0.3, -0.2, 0.9]
    found = gradient(rotation_trick, z, chosen, towards)

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(p * q for p, q in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    assert cosine(found, z) == pytest.approx(cosine(towards, chosen))


@pytest.mark.parametrize(("z", "chosen"), [([1, 0], [-2, 0]), ([0, 0], [1, 1]), ([1, 1], [0, 0])])
def test_where_there_is_no_rotation_the_gradient_goes_straight(z: list[float], chosen: list[float]) -> None:
    assert gradient(rotation_trick, z, chosen, [3, 4]) == [3, 4]
