"""The running mean of weights: by hand, and put in their place and back."""

from __future__ import annotations

import pytest
import torch

from jobs.recommend.averaging import Averaging


def test_the_mean_moves_by_the_share_and_faster_in_the_first_steps() -> None:
    weight = torch.tensor([0.0])
    averaging = Averaging({"w": weight}, 0.5)
    weight.fill_(1.0)
    averaging.follow(50)  # of the old mean 50 / (50 + 50) stays
    assert averaging.means["w"].tolist() == [0.5]
    averaging.follow(150)  # 150 / 200 is more than may stay
    assert averaging.means["w"].tolist() == [0.75]
    weight.fill_(0.0)
    averaging.follow(1)
    assert averaging.means["w"].item() == pytest.approx(0.75 / 51)


def test_it_stands_in_for_the_weights_and_gives_them_back_also_after_an_error() -> None:
    weight = torch.tensor([0.0])
    averaging = Averaging({"w": weight}, 0.5)
    weight.fill_(1.0)
    averaging.follow(50)

    def fail() -> None:
        with averaging.instead():
            assert weight.tolist() == [0.5]
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert (weight.tolist(), averaging.means["w"].tolist()) == ([1.0], [0.5])


def test_without_a_share_the_weights_stand_for_themselves() -> None:
    weight = torch.tensor([1.0])
    averaging = Averaging({"w": weight}, 0.0)
    averaging.follow(1)
    assert averaging.means == {}
    with averaging.instead():
        assert weight.tolist() == [1.0]


def test_it_goes_on_from_a_mean_that_was_kept() -> None:
    averaging = Averaging({"w": torch.tensor([0.0])}, 0.5)
    averaging.load({"w": torch.tensor([3.0])})
    assert averaging.means["w"].tolist() == [3.0]
