"""Edges and colours of patches, worked by hand."""

from __future__ import annotations

import pytest
import torch

from models.tags.forms import DIRECTIONS, NUM_FORMS, form_loss, forms


def test_an_upright_edge_is_told_by_the_patches_that_it_runs_through_and_colours_by_all() -> None:
    picture_B = torch.zeros(1, 3, 8, 8)
    picture_B[:, 0, :, 2:] = 0.75  # red from the third column on: grey goes from 0 to 0.25
    found_PF = forms(picture_B, 4)[0]
    assert found_PF.shape == (4, NUM_FORMS)
    # Columns 1 and 2 change by 0.25; the picture's own rim has no edges, so 3 of a patch's 4 rows count: 6 of 16 pixels.
    edge = (0.25 * 6 / 16) ** 0.5
    assert found_PF[:, 0].tolist() == pytest.approx([edge, 0, edge, 0])
    assert found_PF[:, 1:DIRECTIONS].abs().sum() == 0
    assert found_PF[:, DIRECTIONS].tolist() == pytest.approx([0.375, 0.75, 0.375, 0.75])
    assert found_PF[:, DIRECTIONS + 1 :].abs().sum() == 0


def test_a_level_edge_has_the_direction_a_quarter_of_a_turn_on_whichever_side_is_lighter() -> None:
    picture_B = torch.zeros(2, 3, 8, 8)
    picture_B[0, :, 3:], picture_B[1, :, :3] = 1.0, 1.0
    edges_BPE = forms(picture_B, 8)[..., :DIRECTIONS]
    assert edges_BPE.argmax(-1).flatten().tolist() == [DIRECTIONS // 2, DIRECTIONS // 2]
    assert torch.equal(edges_BPE[0], edges_BPE[1])


def test_telling_the_mean_of_all_costs_as_much_as_pictures_differ_and_even_pictures_cost_nothing() -> None:
    pixels_B = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    told_BPF = torch.zeros(6, 4, NUM_FORMS)
    assert float(form_loss(told_BPF, pixels_B, 8)) == pytest.approx(23 / 24, rel=1e-4)  # a sample's variance of 24
    assert float(form_loss(told_BPF, torch.ones(6, 3, 16, 16), 8)) == pytest.approx(0, abs=1e-6)
