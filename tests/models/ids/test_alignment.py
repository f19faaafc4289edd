"""New codebooks are numbered like the old ones: nothing else of the tokenizer changes, and as few IDs as can be."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from models.ids.alignment import Churn, Relabeled, align, churn, renamed
from models.ids.rqvae import RQVAE, Config
from models.ids.rqvae_tokenizer import RQVAETokenizer, from_tensors

RNG = np.random.default_rng
SMALL = Config(input_dim=5, levels=3, codes=6, hidden_dims=(8, 7), latent_dim=4)


def small_tokenizer(seed: int = 1) -> RQVAETokenizer:
    torch.manual_seed(seed)
    model = RQVAE(SMALL)
    torch.nn.init.normal_(model.codebooks_LKE)
    return RQVAETokenizer(model)


X = RNG(3).normal(size=(50, 5)).astype(np.float32)


def test_a_code_takes_the_old_number_that_most_of_its_notes_had() -> None:
    old = np.array([[0], [0], [1], [1], [1]], dtype=np.int32)
    new = np.array([[1], [1], [0], [0], [1]], dtype=np.int32)
    assert align(new, old, 2).tolist() == [[1, 0]]


def test_notes_that_kept_their_first_codes_decide_before_those_that_did_not() -> None:
    # Level 1 keeps 0 and 1 (two votes each against one). On level 2 the kept notes (first two rows) call code 0 "1",
    # though three notes that lost their first code would call it "0".
    old = np.array([[0, 1], [1, 1], [0, 0], [0, 0], [0, 0], [1, 0]], dtype=np.int32)
    new = np.array([[0, 0], [1, 0], [2, 0], [2, 0], [2, 0], [1, 1]], dtype=np.int32)
    names = align(new, old, 3)
    assert names[0].tolist() in ([1, 2, 0], [2, 1, 0])
    by_hand = align(new[[0, 1, 5]], old[[0, 1, 5]], 3)
    assert by_hand[0].tolist()[:2] == [0, 1]
    assert by_hand[1].tolist()[:2] == [1, 0]


def test_where_no_note_decides_the_nearest_code_does() -> None:
    # Codes 0 and 1 are shared by one note each way; by place the new code 0 lies where the old code 1 does.
    old = np.array([[0], [1], [1], [0]], dtype=np.int32)
    new = np.array([[0], [0], [1], [1]], dtype=np.int32)
    x = np.array([[0.0], [8.0], [1.0], [-1.0]], dtype=np.float32)  # old means -0.5 and 4.5, new means 4 and 0
    assert align(new, old, 2, x).tolist() == [[1, 0]]


@pytest.mark.parametrize("seed", range(4))
def test_a_permuted_vocabulary_is_put_back_whole(seed: int) -> None:
    dice = RNG(seed)
    old = dice.integers(0, 8, size=(200, 3)).astype(np.int32)
    shuffled = np.stack([dice.permutation(8) for _ in range(3)]).astype(np.int32)
    new = renamed(old, shuffled)
    assert churn(old, new).changed_share > 0.5
    assert churn(old, renamed(new, align(new, old, 8))) == Churn(200, 0.0, (0.0, 0.0, 0.0))


@pytest.mark.parametrize("seed", range(4))
def test_the_first_codes_churn_as_little_as_any_numbering_allows(seed: int) -> None:
    dice = RNG(seed)
    old, new = (dice.integers(0, 5, size=(60, 1)).astype(np.int32) for _ in range(2))
    ways = (np.array([way], dtype=np.int32) for way in permutations(range(5)))
    least = min(churn(old, renamed(new, way)).changed_share for way in ways)
    assert churn(old, renamed(new, align(new, old, 5))).changed_share == least


def test_codebooks_of_other_sizes_and_lengths_are_aligned_as_far_as_they_go() -> None:
    old = np.array([[7, 0], [1, 1], [0, 2]], dtype=np.int32)
    names = align(np.array([[0, 0, 0], [0, 1, 0], [1, 2, 0]], dtype=np.int32), old, 3, X[:3, :2])
    assert names[0].tolist()[:2] == [1, 0]  # 7 is no number of the new codebook
    assert names[2].tolist() == [0, 1, 2]
    assert sorted(names[1].tolist()) == [0, 1, 2]
    assert align(np.empty((0, 2), np.int32), np.empty((0, 2), np.int32), 3).tolist() == [[0, 1, 2]] * 2


def test_churn_is_counted_by_prefix() -> None:
    old = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]], dtype=np.int32)
    new = np.array([[1, 2, 3], [1, 2, 0], [1, 0, 3], [0, 2, 3]], dtype=np.int32)
    assert churn(old, new) == Churn(4, 0.75, (0.25, 0.5, 0.75))
    assert churn(old, new[:, :2]) == Churn(4, 1.0, (0.25, 0.5))
    assert churn(old[:0], new[:0]) == Churn(0, 0.0, (0.0, 0.0, 0.0))


def test_a_relabeled_tokenizer_says_the_same_under_other_names() -> None:
    inner = small_tokenizer()
    names = np.stack([RNG(level).permutation(6) for level in range(3)]).astype(np.int32)
    outer = Relabeled(inner, names)
    plain, called = inner.encode(X), outer.encode(X)
    assert called.tolist() == renamed(plain, names).tolist()
    assert np.array_equal(outer.reconstruct(called), inner.reconstruct(plain))
    costs, under = inner.last_costs(X, plain), outer.last_costs(X, called)
    assert np.array_equal(under[:, names[2]], costs)
    assert (outer.levels, outer.codes, outer.input_dim) == (3, 6, 5)
    with pytest.raises(ValueError, match="must be a permutation"):
        Relabeled(inner, np.zeros((3, 6), dtype=np.int32))
    with pytest.raises(ValueError, match="do not fit a tokenizer of 3 x 6"):
        Relabeled(inner, names[:2])


def test_the_last_code_of_an_rqvae_costs_the_least_and_costs_are_distances_in_latent_space() -> None:
    tokenizer = small_tokenizer()
    codes = tokenizer.encode(X)
    costs = tokenizer.last_costs(X, codes)
    assert costs.argmin(axis=1).tolist() == codes[:, -1].tolist()
    latent = tokenizer.model.encode(torch.from_numpy(X).double()).detach().numpy()
    books = tokenizer.model.codebooks_LKE.detach().numpy()
    left = latent[7] - books[0, codes[7, 0]] - books[1, codes[7, 1]]
    assert costs[7, 2] == pytest.approx(((left - books[2, 2]) ** 2).sum(), rel=1e-5)


def test_an_rqvae_comes_back_whole_from_its_tensors() -> None:
    tokenizer = small_tokenizer()
    again = from_tensors(tokenizer.tensors())
    assert again.model.config.hidden_dims == (8, 7)
    assert again.encode(X).tolist() == tokenizer.encode(X).tolist()
    assert np.array_equal(again.reconstruct(again.encode(X)), tokenizer.reconstruct(tokenizer.encode(X)))
    with pytest.raises(ValueError, match=r"these are no \w+ of an RQ-VAE"):
        from_tensors({"codebooks_LKE": np.zeros((3, 6, 4), np.float32)})
