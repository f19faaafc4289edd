"""RQ-VAE: residual quantization, its loss and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.ids.rqvae import (
    RQVAE,
    Config,
    code_sum,
    codes_of,
    nearest_codes,
    quantize,
    restart_unused,
    seed_codebooks,
)

# Level 1: (0, 0) and (4, 0). Level 2: (0, 1) and (0, -1).
CODEBOOKS = torch.tensor([[[0.0, 0.0], [4.0, 0.0]], [[0.0, 1.0], [0.0, -1.0]]])
SMALL = Config(input_dim=6, levels=3, codes=4, hidden_dims=(16, 8), latent_dim=3)


def small_model(seed: int = 0, rows: int = 40) -> tuple[RQVAE, torch.Tensor]:
    dice = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, SMALL.input_dim, generator=dice)
    torch.manual_seed(seed)
    model = RQVAE(SMALL)
    model.standardize_on(x)
    seed_codebooks(model, x, seed=1)
    return model, x


def test_two_levels_of_two_codes_by_hand() -> None:
    # (3, 2) is 13 from (0, 0) and 5 from (4, 0): code 1 leaves (-1, 2), which is 2 from (0, 1) and 10 from (0, -1).
    # (1, -1) is 2 from (0, 0) and 10 from (4, 0): code 0 leaves itself, which is 5 from (0, 1) and 1 from (0, -1).
    z = torch.tensor([[3.0, 2.0], [1.0, -1.0]])
    found = quantize(z, CODEBOOKS, commitment=0.25)
    assert found.codes_BL.tolist() == [[1, 0], [0, 1]]
    assert found.latent_BE.tolist() == [[4.0, 1.0], [0.0, -1.0]]
    # Mean over the batch of 1.25 times the squared distances: (5 + 2) and (2 + 1).
    assert found.loss.item() == pytest.approx(1.25 * (7 + 3) / 2)


def test_gradients_go_straight_to_the_latent_and_each_code_is_pulled_by_its_own_level() -> None:
    z = torch.tensor([[3.0, 2.0]], requires_grad=True)
    codebooks = CODEBOOKS.clone().requires_grad_()
    quantize(z, codebooks, commitment=0.25).latent_BE.sum().backward()
    assert z.grad is not None
    assert z.grad.tolist() == [[1.0, 1.0]]
    assert codebooks.grad is None
    z.grad = None
    quantize(z, codebooks, commitment=0.25).loss.backward()
    assert codebooks.grad is not None
    # 2 (e - r): level 1 has e (4, 0), r (3, 2); level 2 has e (0, 1), r (-1, 2); codes not chosen feel nothing.
    assert codebooks.grad.tolist() == [[[0.0, 0.0], [2.0, -4.0]], [[2.0, -2.0], [0.0, 0.0]]]
    # 0.25 * 2 (r - e) of both levels: (-1, 2) / 2 + (-1, 1) / 2.
    assert z.grad.tolist() == [[-1.0, 1.5]]


def test_codes_decode_to_what_the_sum_of_their_vectors_decodes_to() -> None:
    model, x = small_model()
    codes = nearest_codes(model.encode(x), model.codebooks_LKE)
    total = sum(model.codebooks_LKE[level][codes[:, level]] for level in range(SMALL.levels))
    assert isinstance(total, torch.Tensor)
    torch.testing.assert_close(code_sum(codes, model.codebooks_LKE), total)
    torch.testing.assert_close(model.decode(codes), model.decoder(total))
    torch.testing.assert_close(model.decode(codes), model(x).reconstruction_BD)


def test_every_level_brings_the_sum_nearer_to_the_latent() -> None:
    model, x = small_model()
    z = model.encode(x)
    codes = nearest_codes(z, model.codebooks_LKE)
    left = [(z - code_sum(codes[:, :n], model.codebooks_LKE[:n])).square().sum().item() for n in range(1, 4)]
    assert left[0] > left[1] > left[2]


def test_inputs_are_standardised_and_a_dimension_that_does_not_vary_is_left_unscaled() -> None:
    model = RQVAE(Config(input_dim=2, levels=1, codes=2, hidden_dims=(4,), latent_dim=2))
    model.standardize_on(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert model.mean_D.tolist() == [2.0, 5.0]
    assert model.std_D.tolist() == [1.0, 1.0]
    model.standardize_on(torch.tensor([[1.0, 5.0], [5.0, 5.0]]))
    assert model.std_D.tolist() == [2.0, 1.0]


def test_the_network_is_the_one_of_tiger_by_default() -> None:
    model = RQVAE(Config(input_dim=384))
    widths = [layer.out_features for layer in model.encoder if isinstance(layer, torch.nn.Linear)]
    mirrored = [layer.out_features for layer in model.decoder if isinstance(layer, torch.nn.Linear)]
    assert widths == [512, 256, 128, 32]
    assert mirrored == [128, 256, 512, 384]
    assert model.codebooks_LKE.shape == (3, 256, 32)
    assert not isinstance(model.encoder[-1], torch.nn.ReLU)


def test_fewer_different_rows_than_codes_still_seed_every_level() -> None:
    torch.manual_seed(0)
    model = RQVAE(SMALL)
    x = torch.tensor([[1.0, 0, 0, 0, 0, 0]] * 3 + [[0.0, 1, 0, 0, 0, 0]])
    seed_codebooks(model, x, seed=1)
    codes = nearest_codes(model.encode(x), model.codebooks_LKE)
    assert codes[0].tolist() == codes[1].tolist() != codes[3].tolist()
    assert torch.isfinite(model.codebooks_LKE).all()


def test_codes_that_nobody_has_move_to_the_residuals_farthest_from_their_code() -> None:
    model, x = small_model()
    with torch.no_grad():
        model.codebooks_LKE[1, 2:] = 1000.0
    used = torch.ones(3, 4, dtype=torch.bool)
    used[1, 2:] = False
    moved = restart_unused(model, x, used)
    assert [len(m) for m in moved] == [0, 2, 0]
    codes = nearest_codes(model.encode(x), model.codebooks_LKE)
    assert set(codes[:, 1].tolist()) >= {2, 3}


def test_a_vector_gets_the_same_codes_whatever_stands_beside_it() -> None:
    dice = np.random.default_rng(3)
    x = dice.normal(size=(2500, 6)).astype(np.float32)
    model = small_model(rows=400)[0].double()
    whole = codes_of(model, x)
    for size, end in ((1, 10), (7, 70), (1000, 2500)):
        pieces = [codes_of(model, x[at : at + size]) for at in range(0, end, size)]
        together = np.concatenate(pieces)
        assert (together == whole[: len(together)]).all()
    order = dice.permutation(len(x))
    assert (codes_of(model, x[order]) == whole[order]).all()
    assert codes_of(model, x[:0]).shape == (0, 3)


def test_codes_are_taken_in_float64_only() -> None:
    with pytest.raises(ValueError, match=r"model.double\(\)"):
        codes_of(small_model()[0], np.zeros((1, 6), dtype=np.float32))
