"""Decoding inside the catalogue: it finds what a look at every note finds, and says which request it lost."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from models.ids import trie_build
from models.ids.trie import DeadPrefixError, left_at
from models.ids.trie_build import build
from models.ids.trie_torch import (
    Beams,
    DeviceTrie,
    PackedRows,
    advance,
    candidates,
    constrained_topk,
    masked,
    note_places,
    on_device,
    require_alive,
    start,
)

SIZES = (4, 5, 6, 7)
NEVER = -math.inf


def catalogue(num_ids: int, seed: int, sizes: tuple[int, ...] = SIZES) -> list[tuple[int, ...]]:
    space = list(product(*map(range, sizes)))
    drawn = np.random.default_rng(seed).choice(len(space), num_ids, replace=False)
    return [space[at] for at in drawn]


def trie_of(ids: list[tuple[int, ...]], sizes: tuple[int, ...] = SIZES) -> DeviceTrie:
    return on_device(build(np.array(ids), np.zeros(len(ids), dtype=int), sizes).trie)


def scores(num_requests: int, depth: int, seed: int, sizes: tuple[int, ...] = SIZES) -> torch.Tensor:
    """log_prob[request, codes before, code], a full table of the space: a decoder whose scores depend on the prefix."""
    generator = torch.Generator().manual_seed(seed * 10 + depth)
    drawn = torch.randn(num_requests, *sizes[: depth + 1], generator=generator, dtype=torch.float64)
    return drawn.log_softmax(-1)


def searched(trie: DeviceTrie, num_requests: int, num_beams: int, seed: int) -> Beams:
    beams = start(num_requests)
    for depth, size in enumerate(trie.sizes):
        table = scores(num_requests, depth, seed, trie.sizes)
        at = [beams.code_QBL[..., before] for before in range(depth)]
        request = torch.arange(num_requests)[:, None].expand(beams.state_QB.shape)
        beams = constrained_topk(trie, beams, table[(request, *at)].reshape(*beams.state_QB.shape, size), num_beams)
    return beams


def brute_force(ids: list[tuple[int, ...]], request: int, seed: int) -> list[tuple[float, tuple[int, ...]]]:
    tables = [scores(3, depth, seed) for depth in range(len(SIZES))]
    totals = [(sum(float(t[(request, *i[: d + 1])]) for d, t in enumerate(tables)), i) for i in ids]
    return sorted(totals, reverse=True)


# A beam as wide as the catalogue loses nothing, so that the search must end exactly where brute force does.
@pytest.mark.parametrize("is_dense", [True, False])
@pytest.mark.parametrize(("num_ids", "seed"), [(1, 1), (3, 2), (60, 3), (200, 4)])
def test_a_wide_beam_search_ranks_every_note_as_brute_force_does(
    num_ids: int, seed: int, is_dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_dense:
        monkeypatch.setattr(trie_build, "DENSE_LEVELS", 0)
    ids = catalogue(num_ids, seed)
    trie = trie_of(ids)
    beams = searched(trie, 3, 210, seed)
    require_alive(beams)
    for request in range(3):
        expected = brute_force(ids, request, seed)
        assert [tuple(codes) for codes in beams.code_QBL[request, :num_ids].tolist()] == [codes for _, codes in expected]
        assert beams.score_QB[request, :num_ids].tolist() == pytest.approx([total for total, _ in expected])
        assert beams.score_QB[request, num_ids:].eq(NEVER).all()
        assert (beams.state_QB[request, num_ids:] < 0).all()
    places = note_places(trie, beams.state_QB, 1)[..., 0]
    found = [sorted(ids)[place] for place in places[0, :num_ids].tolist()]
    assert found == [tuple(codes) for codes in beams.code_QBL[0, :num_ids].tolist()]


def test_a_narrow_beam_stays_inside_the_catalogue_and_knows_where_each_beam_came_from() -> None:
    ids = catalogue(50, 7)
    trie = trie_of(ids)
    beams = start(2)
    for depth, size in enumerate(SIZES):
        before = beams
        drawn = torch.randn(*beams.state_QB.shape, size, generator=torch.Generator().manual_seed(depth))
        beams = constrained_topk(trie, beams, drawn.log_softmax(-1), 5)
        rows = torch.arange(2)[:, None]
        is_alive = beams.state_QB >= 0
        assert torch.equal(before.code_QBL[rows, beams.parent_QB][is_alive], beams.code_QBL[..., :-1][is_alive])
        prefixes = {codes[: depth + 1] for codes in ids}
        assert all(tuple(codes) in prefixes for codes in beams.code_QBL[is_alive].tolist())
        assert beams.score_QB.shape == beams.state_QB.shape == (2, 5)
    require_alive(beams)


def two_ids() -> DeviceTrie:
    """0-1-2 with three notes, and 0-1-0, 3-0-1 with one."""
    codes = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 0], [3, 0, 1]])
    return on_device(build(codes, np.array([0, 1, 2, 0, 0]), (4, 2, 3)).trie)


def test_candidates_of_a_packed_level_by_hand() -> None:
    trie = two_ids()
    assert isinstance(trie.levels[2], PackedRows)
    found = candidates(trie, 2, torch.tensor([0, 1, -1]))
    assert found.is_allowed_W.tolist() == [[True, True], [True, False], [False, False]]
    assert found.code_W[found.is_allowed_W].tolist() == [0, 2, 1]
    assert found.state_W[found.is_allowed_W].tolist() == [0, 1, 2]


def test_masked_scores_by_hand() -> None:
    trie = two_ids()
    flat = torch.tensor([-1.0, -2.0, -3.0])
    assert masked(trie, 2, torch.tensor([0, 1, -2]), flat.repeat(3, 1)).tolist() == [
        [-1.0, NEVER, -3.0],
        [NEVER, -2.0, NEVER],
        [NEVER, NEVER, NEVER],
    ]
    wide = torch.tensor([[-1.0, -2.0, -3.0, -4.0]])
    assert masked(trie, 0, torch.tensor([0]), wide).tolist() == [[-1.0, NEVER, NEVER, -4.0]]


def test_nothing_follows_a_dead_state_in_a_dense_level_either() -> None:
    dead = torch.tensor([-1])
    assert not candidates(two_ids(), 1, dead).is_allowed_W.any()
    assert masked(two_ids(), 1, dead, torch.zeros(1, 2)).tolist() == [[NEVER, NEVER]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_masked_scores_allow_just_what_the_trie_allows_at_any_state(dtype: torch.dtype) -> None:
    ids = catalogue(60, 11)
    built = build(np.array(ids), np.zeros(60, dtype=int), SIZES).trie
    for depth in range(4):
        prefixes = sorted({codes[:depth] for codes in ids})
        state = torch.tensor(built.walk(np.array(prefixes, dtype=int).reshape(len(prefixes), depth)))
        kept = masked(on_device(built), depth, state, torch.zeros(len(prefixes), SIZES[depth], dtype=dtype))
        assert kept.dtype == dtype
        assert [row.nonzero()[:, 0].tolist() for row in kept.eq(0)] == [built.allowed(p) for p in prefixes]


def test_forced_codes_move_a_state_or_kill_it_for_good() -> None:
    trie = two_ids()
    state = torch.zeros(4, dtype=torch.long)
    codes = torch.tensor([[0, 1, 2], [0, 1, 1], [3, 1, 1], [1, 0, 1]])
    for depth in range(3):
        state = advance(trie, depth, state, codes[:, depth])
    assert state.tolist() == [1, -3, -2, -1]
    assert [left_at(dead) for dead in state[1:].tolist()] == [2, 1, 0]


def test_notes_of_a_leaf_come_by_rank_up_to_a_limit() -> None:
    leaf = torch.tensor([[1, 0, -1]])
    assert note_places(two_ids(), leaf, 2).tolist() == [[[1, 2], [0, -1], [-1, -1]]]


def extended(trie: DeviceTrie, rows: list[list[list[float]]], num_beams: int) -> Beams:
    beams = start(2)
    for row in rows:
        log_prob = torch.tensor(row)[:, None].expand(-1, beams.state_QB.shape[1], -1)
        beams = constrained_topk(trie, beams, log_prob, num_beams)
    return beams


def test_a_search_that_leaves_the_catalogue_names_the_request_and_the_prefix() -> None:
    good, wrong = [-1.0, -2.0, -9.0, -3.0], [NEVER, -2.0, -9.0, -3.0]
    only_code_one = [NEVER, -1.0]  # request 1 has only beams under 3, where 0 alone may follow
    beams = extended(two_ids(), [[good, wrong], [only_code_one] * 2, [[-1.0] * 3] * 2], 2)
    assert beams.state_QB[1].tolist() == [-2, -1]
    message = r"request 1: every beam is dead; beam 0 died at code 1, after <a_3>: no code that the catalogue has there"
    with pytest.raises(DeadPrefixError, match=message):
        require_alive(beams)


def test_a_request_without_any_score_is_dead_at_the_root() -> None:
    with pytest.raises(DeadPrefixError, match="request 0: every beam is dead; beam 0 died at code 0, after the root"):
        require_alive(extended(two_ids(), [[[NEVER] * 4, [-1.0] * 4]], 3))


def test_scores_that_are_no_numbers_are_an_error_where_they_are_allowed_and_ignored_where_not() -> None:
    require_alive(extended(two_ids(), [[[-1.0, math.nan, math.nan, -1.0]] * 2], 2))
    with pytest.raises(DeadPrefixError, match="request 1, beam 0: its score is not a number"):
        require_alive(extended(two_ids(), [[[-1.0] * 4, [math.nan] * 4]], 2))


def test_scores_of_another_vocabulary_are_refused() -> None:
    trie = two_ids()
    message = "scores of 3 codes at level 0, but its vocabulary has 4: the trie is of another generation"
    with pytest.raises(ValueError, match=message):
        constrained_topk(trie, start(1), torch.zeros(1, 1, 3), 2)
    with pytest.raises(ValueError, match=message):
        masked(trie, 0, torch.zeros(1, dtype=torch.long), torch.zeros(1, 3))


def test_nothing_follows_a_whole_id() -> None:
    whole = extended(two_ids(), [[[-1.0] * size] * 2 for size in (4, 2, 3)], 2)
    with pytest.raises(ValueError, match="the beams are whole IDs of 3 codes"):
        constrained_topk(two_ids(), whole, torch.zeros(2, 2, 3), 2)


def test_shapes_depend_on_the_level_alone() -> None:
    trie = two_ids()
    for depth, width in enumerate((4, 2, 2)):
        shapes = {tuple(candidates(trie, depth, torch.full((5,), s)).code_W.shape) for s in (0, -1)}
        assert shapes == {(5, width)}


def test_no_step_brings_a_number_to_the_host() -> None:
    trie = two_ids()
    with FakeTensorMode(allow_non_fake_inputs=True):  # tensors without numbers: to ask for one is an error
        beams = start(2)
        for depth, size in enumerate(trie.sizes):
            log_prob = torch.zeros(*beams.state_QB.shape, size)
            advance(trie, depth, beams.state_QB, masked(trie, depth, beams.state_QB, log_prob).argmax(-1))
            beams = constrained_topk(trie, beams, log_prob, 3)
        assert note_places(trie, beams.state_QB, 2).shape == (2, 3, 2)
        with pytest.raises(DataDependentOutputException):
            require_alive(beams)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_a_device_finds_what_the_processor_finds() -> None:
    ids = catalogue(200, 4)
    here = trie_of(ids)
    there = DeviceTrie(
        here.sizes, tuple(type(level)(*(t.cuda() for t in level)) for level in here.levels), here.note_indptr_S1.cuda()
    )
    one, other = start(3), start(3, "cuda")
    for depth, size in enumerate(SIZES):
        drawn = torch.randn(*one.state_QB.shape, size, generator=torch.Generator().manual_seed(depth)).log_softmax(-1)
        one, other = constrained_topk(here, one, drawn, 20), constrained_topk(there, other, drawn.cuda(), 20)
    is_alive = one.state_QB >= 0
    assert torch.equal(one.state_QB[is_alive], other.state_QB.cpu()[is_alive])
