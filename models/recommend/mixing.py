"""A text-free scorer's opinion at every code of a constrained search, after D3 (arXiv 2406.14900).

In: shares of a few items a request, by their leaf in the trie. The mass of a prefix is the sum over the leaves under it,
and what the scorer says of a next code is mass(child) / mass(parent). Leaves are numbered in order of their codes, so that
those under a prefix are a range, and its mass the difference of two sums over the sorted items: no loop over leaves or
prefixes. Over a whole ID the ratios telescope to the item's share.

Shapes: Q requests, M items that a request has shares of, S states (prefixes of one length), B beams, W candidates of a beam.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from models.ids.trie_torch import MINUS_INFINITY, Candidates, DenseRows, DeviceTrie

BACKGROUND = 0.01  # of all mass: an item that the scorer never met costs log(100 x leaves), not everything


class ItemScores(NamedTuple):
    """place_QM: leaves of the trie in any order, -1 where there is none; share_QM: not negative, a row sums to 1.

    A leaf may stand twice: its shares add up. A row without shares knows nothing: all leaves have the same.
    """

    place_QM: Tensor
    share_QM: Tensor


class LeafRanges(NamedTuple):
    """first_S1[length][state] is the first leaf under a prefix; under it are those before first_S1[length][state + 1]."""

    first_S1: tuple[Tensor, ...]


class Mix(NamedTuple):
    """What is mixed and how much. `guidance` is the model's share: 1 is the model alone, 0 the scorer alone.

    `of_probabilities`: not g log p + (1 - g) log q as in D3, but log(g p + (1 - g) q), with p made a distribution over
    what the catalogue allows, as q is: a code that only one of the two believes in stays possible.
    """

    scores: ItemScores
    ranges: LeafRanges
    guidance: float = 0.5
    background: float = BACKGROUND
    of_probabilities: bool = False


class Masses(NamedTuple):
    """Sorted leaves, the sums of the shares before each, and the rest of a row's mass, which all leaves share."""

    place_QM: Tensor
    before_QM1: Tensor
    background_Q1: Tensor
    num_leaves: int


def leaf_ranges(trie: DeviceTrie) -> LeafRanges:
    """Once a trie: the leaves under every state of every length, from the longest to the root."""
    first_S1 = torch.arange(len(trie.note_indptr_S1), device=trie.note_indptr_S1.device)
    found = [first_S1]
    for level in reversed(trie.levels):
        if isinstance(level, DenseRows):
            count_S = (level.next_SK >= 0).sum(1)
            child_S1 = torch.cat([count_S.new_zeros(1), count_S.cumsum(0)])
        else:
            child_S1 = level.indptr_S1.long()
        first_S1 = first_S1[child_S1]
        found.append(first_S1)
    return LeafRanges(tuple(found[::-1]))


def leaves_of(trie: DeviceTrie, place: Tensor) -> Tensor:
    """The leaves of notes by their places in the trie (`build_trie`'s order): what `ItemScores` is made of. -1 stays -1."""
    leaf = torch.searchsorted(trie.note_indptr_S1[1:], place.to(trie.note_indptr_S1.dtype), right=True)
    return leaf.masked_fill(place < 0, -1)


def masses(mix: Mix, num_requests: int) -> Masses:
    """The sums that every step reads, in float64: a small share is the difference of two near 1.

    Raises `ValueError` for a guidance or a background outside their range, or scores of another number of requests.
    """
    place_QM, share_QM = mix.scores
    if not (0 <= mix.guidance <= 1 and 0 < mix.background <= 1):
        raise ValueError(f"guidance {mix.guidance} must be from 0 to 1, and background {mix.background} above 0, to 1")
    if place_QM.shape != share_QM.shape or len(place_QM) != num_requests:
        raise ValueError(
            f"scores of {num_requests} requests must be as many rows of places and shares; their shapes are "
            f"{tuple(place_QM.shape)} and {tuple(share_QM.shape)}"
        )
    num_leaves = len(mix.ranges.first_S1[-1]) - 1
    is_there_QM = (place_QM >= 0) & (place_QM < num_leaves)
    place_QM, order_QM = place_QM.masked_fill(~is_there_QM, num_leaves).sort(dim=1)
    share_QM = share_QM.double().clamp(min=0).masked_fill(~is_there_QM, 0).gather(1, order_QM)
    total_Q1 = share_QM.sum(1, keepdim=True)
    background_Q1 = torch.full_like(total_Q1, mix.background).where(total_Q1 > 0, 1.0)
    share_QM = share_QM / torch.where(total_Q1 > 0, total_Q1, 1.0) * (1 - background_Q1)
    before_QM1 = torch.nn.functional.pad(share_QM.cumsum(1), (1, 0))
    return Masses(place_QM.contiguous(), before_QM1, background_Q1, num_leaves)


def mass(of: Masses, ranges: LeafRanges, length: int, state_QX: Tensor) -> Tensor:
    """mass_QX, float64, of prefixes of one length; that of no state (negative, or after the last) means nothing."""
    first_S1 = ranges.first_S1[length]
    state_QX = state_QX.clamp(0, len(first_S1) - 2)
    start_QX, stop_QX = first_S1[state_QX], first_S1[state_QX + 1]
    before_QX, until_QX = (
        of.before_QM1.gather(1, torch.searchsorted(of.place_QM, leaf_QX)) for leaf_QX in (start_QX, stop_QX)
    )
    return (until_QX - before_QX).clamp(min=0) + of.background_Q1 * (stop_QX - start_QX) / of.num_leaves


def mixed(
    mix: Mix, of: Masses, depth: int, state_QB: Tensor, found: Candidates, log_prob_QBW: Tensor
) -> Tensor:
    """The model's log-probabilities of the candidates with the scorer's opinion in them, [Q, B, W]."""
    mass_QBW = mass(of, mix.ranges, depth + 1, found.state_W.flatten(1)).view(found.state_W.shape)
    log_ratio_QBW = (mass_QBW / mass(of, mix.ranges, depth, state_QB)[..., None]).log().to(log_prob_QBW.dtype)
    return combined(log_prob_QBW, log_ratio_QBW, found.is_allowed_W, mix.guidance, mix.of_probabilities)


def combined(
    log_p_W: Tensor, log_q_W: Tensor, is_allowed_W: Tensor, guidance: float, of_probabilities: bool
) -> Tensor:
    """One mixture of two opinions over what is allowed: [..., W], elsewhere minus infinity."""
    log_p_W = log_p_W.masked_fill(~is_allowed_W, MINUS_INFINITY)
    if guidance == 1:
        return log_p_W
    log_q_W = log_q_W.masked_fill(~is_allowed_W, MINUS_INFINITY)
    if guidance == 0:
        return log_q_W
    if not of_probabilities:
        return guidance * log_p_W + (1 - guidance) * log_q_W
    found_W = torch.logaddexp(log_p_W.log_softmax(-1) + math.log(guidance), log_q_W + math.log1p(-guidance))
    return found_W.masked_fill(~is_allowed_W, MINUS_INFINITY)
