"""Two opinions at every code: masses of prefixes by hand and by addition, and what they do to a search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from models.ids import trie_build
from models.ids.trie import DenseLevel
from models.ids.trie_build import build
from models.ids.trie_torch import on_device
from models.recommend.decoding import beam_search
from models.recommend.mixing import ItemScores, Mix, combined, leaf_ranges, leaves_of, mass, masses
from tests.models.recommend.tiny import (
    PROMPTS,
    SIZES,
    Table,
    all_prefix_scores,
    asked,
    brute_beams,
    catalogue,
    decoder_of,
    model_of,
    trie_of,
)

NEVER = -math.inf


def shares_of(rows: list[dict[int, float]], width: int = 3) -> ItemScores:
    """From leaf -> share, in the order given, filled up with -1."""
    place, share = torch.full((len(rows), width), -1), torch.zeros(len(rows), width)
    for row, items in enumerate(rows):
        place[row, : len(items)], share[row, : len(items)] = torch.tensor(list(items)), torch.tensor(list(items.values()))
    return ItemScores(place, share)


# Leaves 0 to 4.
IDS = [(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0)]


def five_leaves() -> Any:
    return trie_of(IDS, (2, 2, 2))


def test_the_leaves_under_every_prefix_by_hand() -> None:
    found = leaf_ranges(five_leaves())
    assert [first.tolist() for first in found.first_S1] == [[0, 5], [0, 3, 5], [0, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("dense", [0, 1, 3])
def test_the_leaves_under_every_prefix_of_a_drawn_catalogue(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trie_build, "DENSE_LEVELS", dense)
    ids = catalogue(120)
    built = build(np.array(ids), np.zeros(120, dtype=int), SIZES).trie
    assert sum(isinstance(level, DenseLevel) for level in built.levels) == dense
    for length, first_S1 in enumerate(leaf_ranges(on_device(built)).first_S1):
        prefixes = sorted({codes[:length] for codes in ids})
        starts = [next(at for at, codes in enumerate(ids) if codes[:length] == prefix) for prefix in prefixes]
        assert first_S1.tolist() == [*starts, 120]


def test_notes_are_found_by_their_leaves() -> None:
    """Three notes share the first ID, the second has one: places 0 to 2, and 3."""
    codes = np.array([[0, 1], [0, 1], [0, 1], [1, 0]])
    trie = on_device(build(codes, np.array([0, 1, 2, 0]), (2, 2)).trie)
    assert leaves_of(trie, torch.tensor([[0, 2, 3], [1, -1, -1]])).tolist() == [[0, 0, 1], [0, -1, -1]]


def test_masses_by_hand() -> None:
    """Leaves 1 and 3 have shares 0.75 and 0.25; a tenth of all is everybody's: 0.02 a leaf."""
    mix = Mix(shares_of([{3: 0.25, 1: 0.75}]), leaf_ranges(five_leaves()), background=0.1)
    of = masses(mix, 1)
    leaves = mass(of, mix.ranges, 3, torch.arange(5)[None])
    assert leaves[0].tolist() == pytest.approx([0.02, 0.695, 0.02, 0.245, 0.02])
    assert mass(of, mix.ranges, 1, torch.tensor([[0, 1]]))[0].tolist() == pytest.approx([0.735, 0.265])
    assert mass(of, mix.ranges, 2, torch.tensor([[0, 1, 2, 3]]))[0].tolist() == pytest.approx([0.715, 0.02, 0.245, 0.02])
    assert mass(of, mix.ranges, 0, torch.tensor([[0]])).tolist() == [[pytest.approx(1.0)]]


def test_a_request_that_the_scorer_knows_nothing_of_has_the_same_mass_everywhere() -> None:
    mix = Mix(shares_of([{}, {0: 1.0}]), leaf_ranges(five_leaves()), background=0.1)
    of = masses(mix, 2)
    assert mass(of, mix.ranges, 3, torch.arange(5).expand(2, -1))[0].tolist() == pytest.approx([0.2] * 5)


def test_shares_need_no_order_may_repeat_and_are_made_to_sum_to_one() -> None:
    """Leaf 2 has 1 + 2 of 4, leaf 4 the rest; a leaf that the trie has not is nobody's."""
    scores = ItemScores(torch.tensor([[4, 2, -1, 2, 5]]), torch.tensor([[1.0, 1.0, 9.0, 2.0, 7.0]]))
    mix = Mix(scores, leaf_ranges(five_leaves()), background=0.5)
    leaves = mass(masses(mix, 1), mix.ranges, 3, torch.arange(5)[None])
    assert leaves[0].tolist() == pytest.approx([0.1, 0.1, 0.475, 0.1, 0.225])


def test_a_small_share_behind_large_ones_keeps_its_digits() -> None:
    """The sums before a leaf are near 1, where float32 has seven digits."""
    scores = ItemScores(torch.tensor([[0, 1, 2]]), torch.tensor([[0.7, 0.3 - 1e-9, 1e-9]], dtype=torch.float64))
    mix = Mix(scores, leaf_ranges(five_leaves()), background=1e-12)
    found = mass(masses(mix, 1), mix.ranges, 3, torch.tensor([[2]]))
    assert float(found) == pytest.approx(1e-9, rel=1e-3)


def random_shares(num_requests: int, num_leaves: int, seed: int = 2) -> ItemScores:
    drawn = np.random.default_rng(seed)
    place = np.stack([drawn.choice(num_leaves, 9, replace=False) for _ in range(num_requests)])
    share = drawn.random((num_requests, 9))
    place[:, 7:] = -1
    share[:, 7:] = 0
    return ItemScores(torch.tensor(place), torch.tensor(share / share.sum(1, keepdims=True)).float())


def leaf_masses(mix: Mix, num_leaves: int) -> torch.Tensor:
    """Dense, by scattering: what the sparse sums must agree with."""
    num_requests = len(mix.scores.place_QM)
    dense = torch.zeros(num_requests, num_leaves + 1, dtype=torch.float64)
    at = mix.scores.place_QM.where(mix.scores.place_QM >= 0, num_leaves)
    dense.scatter_add_(1, at, mix.scores.share_QM.double())
    return (1 - mix.background) * dense[:, :-1] + mix.background / num_leaves


def prefix_ratios(of_leaf: torch.Tensor, ids: list[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    """log(mass(prefix) / mass(prefix less its last code)), by addition over all IDs."""
    sums: dict[tuple[int, ...], float] = {}
    for codes, share in zip(ids, of_leaf.tolist(), strict=True):
        for length in range(len(codes) + 1):
            sums[codes[:length]] = sums.get(codes[:length], 0.0) + share
    return {codes: math.log(total / sums[codes[:-1]]) for codes, total in sums.items() if codes}


# The law: over a whole ID the ratios of child to parent multiply to the item's share, so that without the model
# (guidance 0) the score of every leaf is the logarithm of its share.
@pytest.mark.parametrize("of_probabilities", [False, True])
def test_over_a_whole_id_the_ratios_telescope_to_the_items_share(of_probabilities: bool) -> None:
    model, ids = model_of("llama"), catalogue(60)
    trie = trie_of(ids)
    mix = Mix(random_shares(4, 60), leaf_ranges(trie), guidance=0.0, background=0.05, of_probabilities=of_probabilities)
    beams = beam_search(decoder_of(model), asked(model), trie, num_beams=60, mix=mix)
    expected = leaf_masses(mix, 60).log()
    assert torch.allclose(beams.score_QB.double(), expected.gather(1, beams.state_QB), atol=1e-5)
    assert torch.allclose(beams.score_QB.exp().sum(1), torch.ones(4), atol=1e-5)


@pytest.mark.parametrize("of_probabilities", [False, True])
def test_guidance_one_is_the_model_alone(of_probabilities: bool) -> None:
    model, trie = model_of("t5"), trie_of(catalogue(60))
    mix = Mix(random_shares(4, 60), leaf_ranges(trie), guidance=1.0, of_probabilities=of_probabilities)
    mixed = beam_search(decoder_of(model), asked(model), trie, num_beams=20, mix=mix)
    alone = beam_search(decoder_of(model), asked(model), trie, num_beams=20)
    assert torch.equal(mixed.score_QB, alone.score_QB)
    assert torch.equal(mixed.code_QBL, alone.code_QBL)


@pytest.mark.parametrize("family", ["t5", "qwen3"])
@pytest.mark.parametrize(("num_ids", "num_beams"), [(60, 64), (200, 20)])
def test_a_mixed_search_keeps_what_a_beam_search_in_plain_python_keeps(family: str, num_ids: int, num_beams: int) -> None:
    model, ids = model_of(family), catalogue(num_ids)
    trie = trie_of(ids)
    mix = Mix(random_shares(4, num_ids), leaf_ranges(trie), guidance=0.3, background=0.05)
    beams = beam_search(decoder_of(model), asked(model), trie, num_beams=num_beams, mix=mix)
    for request, tokens in enumerate(PROMPTS):
        ratios = prefix_ratios(leaf_masses(mix, num_ids)[request], ids)
        model_scores = all_prefix_scores(model, tokens)
        scores: dict[tuple[int, ...], float] = {(): 0.0}
        for codes in sorted(ratios, key=len):
            own = model_scores[codes] - model_scores.get(codes[:-1], 0.0)
            scores[codes] = scores[codes[:-1]] + 0.3 * own + 0.7 * ratios[codes]
        expected = brute_beams(scores, ids, num_beams)
        kept = beams.state_QB[request] >= 0
        assert beams.score_QB[request][kept].tolist() == pytest.approx([score for score, _ in expected], abs=2e-4)
        assert [tuple(codes) for codes in beams.code_QBL[request][kept].tolist()] == [codes for _, codes in expected]


def test_a_mixture_of_logarithms_by_hand() -> None:
    """0.25 x log 0.5 + 0.75 x log 0.1, and a code that is not allowed."""
    log_p, log_q = torch.tensor([0.5, 0.3, 0.2]).log(), torch.tensor([0.1, 0.9, 0.5]).log()
    found = combined(log_p, log_q, torch.tensor([True, True, False]), 0.25, False)
    assert found.tolist() == pytest.approx([-1.900226, -0.380014, NEVER], abs=1e-5)


def test_a_mixture_of_probabilities_by_hand() -> None:
    """Among the two that are allowed the model has 0.625 and 0.375: 0.25 x 0.625 + 0.75 x 0.1 = 0.23125."""
    log_p, log_q = torch.tensor([0.5, 0.3, 0.2]).log(), torch.tensor([0.1, 0.9, 0.5]).log()
    found = combined(log_p, log_q, torch.tensor([True, True, False]), 0.25, True)
    assert found.exp().tolist() == pytest.approx([0.23125, 0.76875, 0.0])


def test_a_dead_state_stays_at_minus_infinity_in_both_mixtures() -> None:
    nothing = torch.tensor([False, False])
    for of_probabilities in (False, True):
        found = combined(torch.tensor([-1.0, -2.0]), torch.tensor([-1.0, NEVER]), nothing, 0.5, of_probabilities)
        assert found.tolist() == [NEVER, NEVER]


def test_what_the_scorer_knows_moves_a_note_to_the_front() -> None:
    """The model likes leaf 0 (cost 0.3); the user's neighbours know nothing but leaf 4 (cost 6 to the model)."""
    decoder, model, trie = Table([[0.1, 2.0], [0.1, 2.0], [0.1, 2.0]]), model_of("llama"), five_leaves()
    for guidance, first in ((0.9, (0, 0, 0)), (0.2, (1, 1, 0))):
        mix = Mix(shares_of([{4: 1.0}]), leaf_ranges(trie), guidance=guidance)
        beams = beam_search(decoder, asked(model, [[2]]), trie, num_beams=5, mix=mix)
        assert tuple(beams.code_QBL[0, 0].tolist()) == first


@pytest.mark.parametrize(("guidance", "background"), [(-0.1, 0.1), (1.1, 0.1), (0.5, 0.0), (0.5, 1.5), (math.nan, 0.1)])
def test_guidance_and_background_outside_their_range_are_refused(guidance: float, background: float) -> None:
    mix = Mix(shares_of([{0: 1.0}]), leaf_ranges(five_leaves()), guidance, background)
    with pytest.raises(ValueError, match="must be from 0 to 1, and background"):
        masses(mix, 1)


def test_scores_of_another_number_of_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores of 2 requests must be as many rows of places and shares; .* \(1, 3\)"):
        masses(Mix(shares_of([{0: 1.0}]), leaf_ranges(five_leaves())), 2)
