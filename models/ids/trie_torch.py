"""Decoding inside a catalogue: the trie's arrays on a device, and one step of a beam search as a few gathers.

In: the states of prefixes and the log-probabilities of the next code. Out: the same with every code that leads to no note
at minus infinity, or the best beams. Shapes depend on the level alone, never on the states: no loop over rows, and nothing
is brought to the host until `require_alive`, once a search (STATIC, arXiv 2602.22647, does the same with stored pointers).

Shapes: Q requests, B beams of a request, K codes of a level, W children that a state of the level may have, L levels, R
notes of an ID. "..." is any batch of states: B, or Q x B. A negative state is dead: it stays so, with minus infinity.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.ids.text import codes_to_text
from models.ids.trie import DeadPrefixError, DenseLevel, Level, Trie, left_at

MINUS_INFINITY = float("-inf")


class DenseRows(NamedTuple):
    """`DenseLevel` on a device, and code_K, the numbers of its columns."""

    next_SK: Tensor
    code_K: Tensor


class PackedRows(NamedTuple):
    """`PackedLevel` on a device, and offset_W: as many children are looked at as the fullest state has."""

    indptr_S1: Tensor
    code_C: Tensor
    offset_W: Tensor


class DeviceTrie(NamedTuple):
    """A trie whose arrays lie on one device; `sizes` is K of every level."""

    sizes: tuple[int, ...]
    levels: tuple[DenseRows | PackedRows, ...]
    note_indptr_S1: Tensor


class Candidates(NamedTuple):
    """What may follow each state: its codes and the states they lead to; where `is_allowed` is false there is nothing."""

    code_W: Tensor
    state_W: Tensor
    is_allowed_W: Tensor


class Beams(NamedTuple):
    """The best prefixes of each request, best first: summed log-probabilities, states, codes, and the beam each grew from.

    Of a dead beam the score is minus infinity, the state negative, and the codes mean nothing (but stay inside their level).
    """

    score_QB: Tensor
    state_QB: Tensor
    code_QBL: Tensor
    parent_QB: Tensor


def on_device(trie: Trie, device: torch.device | str = "cpu") -> DeviceTrie:
    """A copy of the trie's arrays there."""
    levels = tuple(_rows(level, device) for level in trie.levels)
    return DeviceTrie(trie.sizes, levels, torch.tensor(trie.note_indptr_S1, device=device))


def candidates(trie: DeviceTrie, depth: int, state: Tensor) -> Candidates:
    """The children of every state of length `depth`: [..., W]."""
    level = trie.levels[depth]
    is_alive = (state >= 0)[..., None]
    at = state.clamp(min=0)
    if isinstance(level, DenseRows):
        next_W = level.next_SK[at]
        return Candidates(level.code_K.expand_as(next_W), next_W, is_alive & (next_W >= 0))
    place_W = level.indptr_S1[at][..., None] + level.offset_W
    is_allowed_W = is_alive & (place_W < level.indptr_S1[at + 1][..., None])
    code_W = level.code_C[place_W.clamp(max=len(level.code_C) - 1)]
    return Candidates(code_W.long(), place_W, is_allowed_W)


def masked(trie: DeviceTrie, depth: int, state: Tensor, log_prob_K: Tensor) -> Tensor:
    """log_prob_K with every code that the catalogue does not have after the state at minus infinity: [..., K].

    Raises `ValueError` where K is not the size of the level's vocabulary.
    """
    _require_vocabulary(trie, depth, log_prob_K)
    level, size = trie.levels[depth], trie.sizes[depth]
    if isinstance(level, DenseRows):
        is_dead_K = (level.next_SK[state.clamp(min=0)] < 0) | (state < 0)[..., None]
        return log_prob_K.masked_fill(is_dead_K, MINUS_INFINITY)
    found = candidates(trie, depth, state)
    kept = log_prob_K.new_full((*log_prob_K.shape[:-1], size + 1), MINUS_INFINITY)
    column_W = found.code_W.masked_fill(~found.is_allowed_W, size)  # one more column takes what is not allowed
    return kept.scatter_(-1, column_W, log_prob_K.gather(-1, found.code_W))[..., :size]


def advance(trie: DeviceTrie, depth: int, state: Tensor, code: Tensor) -> Tensor:
    """The states after these codes; dead ones stay dead, and a code that is not allowed makes one."""
    found = candidates(trie, depth, state)
    is_it_W = found.is_allowed_W & (found.code_W == code[..., None])
    next_state = found.state_W.masked_fill(~is_it_W, -1 - depth).amax(-1)
    return torch.where(state < 0, state, next_state)


def start(num_requests: int, device: torch.device | str = "cpu") -> Beams:
    """One beam a request, at the root."""
    state_QB = torch.zeros((num_requests, 1), dtype=torch.long, device=device)
    return Beams(torch.zeros((num_requests, 1), device=device), state_QB, state_QB[..., None][..., :0], state_QB)


def constrained_topk(trie: DeviceTrie, beams: Beams, log_prob_QBK: Tensor, num_beams: int) -> Beams:
    """The best continuations of every request's beams, one code longer. Of equal scores any may come first.

    Raises `ValueError` where the beams are whole IDs, or K is not the size of the level's vocabulary.
    """
    depth = beams.code_QBL.shape[-1]
    if depth >= len(trie.levels):
        raise ValueError(f"the beams are whole IDs of {depth} codes: nothing follows them")
    _require_vocabulary(trie, depth, log_prob_QBK)
    found = candidates(trie, depth, beams.state_QB)
    return best(beams, found, allowed(trie, depth, found, log_prob_QBK), num_beams)


def allowed(trie: DeviceTrie, depth: int, found: Candidates, log_prob_K: Tensor) -> Tensor:
    """log_prob_W of the candidates, minus infinity where there is none: [..., W]."""
    is_every_code = isinstance(trie.levels[depth], DenseRows)  # in order, so that nothing need be looked up
    log_prob_W = log_prob_K if is_every_code else log_prob_K.gather(-1, found.code_W)
    return log_prob_W.masked_fill(~found.is_allowed_W, MINUS_INFINITY)


def best(beams: Beams, found: Candidates, log_prob_QBW: Tensor, num_beams: int) -> Beams:
    """The same from candidates whose log-probabilities are known (minus infinity where there is none)."""
    depth = beams.code_QBL.shape[-1]
    score_QX = (beams.score_QB[..., None] + log_prob_QBW).flatten(1)  # X = B x W
    missing = max(0, num_beams - score_QX.shape[1])
    if missing:
        score_QX = pad(score_QX, (0, missing), value=MINUS_INFINITY)
    score_QB, at_QB = score_QX.topk(num_beams, dim=1)
    is_dead_QB, width = score_QB == MINUS_INFINITY, found.code_W.shape[-1]
    at_QB = torch.where(is_dead_QB, _own_places(beams, num_beams) * width, at_QB)
    parent_QB = at_QB // width
    before_QB = beams.state_QB.gather(1, parent_QB)
    died_QB = torch.where(before_QB < 0, before_QB, -1 - depth)
    which_QB = (torch.arange(len(at_QB), device=at_QB.device)[:, None], parent_QB, at_QB % width)
    state_QB = torch.where(is_dead_QB, died_QB, found.state_W[which_QB])
    kept_QBL = beams.code_QBL.gather(1, parent_QB[..., None].expand(-1, -1, depth))
    return Beams(score_QB, state_QB, torch.cat([kept_QBL, found.code_W[which_QB][..., None]], dim=-1), parent_QB)


def require_alive(beams: Beams) -> None:
    """Wait for the device, and raise `DeadPrefixError` naming the first request without a beam inside the catalogue.

    Also where a score is not a number. Fewer beams alive than were asked for are no error: a catalogue may be small.
    """
    is_lost_Q = (beams.state_QB < 0).all(1)
    is_nan_QB = beams.score_QB.isnan()
    if not bool((is_lost_Q | is_nan_QB.any(1)).any()):
        return
    if bool(is_nan_QB.any()):
        request, beam = is_nan_QB.nonzero()[0].tolist()
        raise DeadPrefixError(f"request {request}, beam {beam}: its score is not a number: the decoder's scores are broken")
    request = int(is_lost_Q.nonzero()[0])
    state, beam = (int(found) for found in beams.state_QB[request].min(0))  # the one that came farthest
    codes = beams.code_QBL[request, beam, : left_at(state)].tolist()
    after = codes_to_text(codes) if codes else "the root"
    raise DeadPrefixError(
        f"request {request}: every beam is dead; beam {beam} died at code {left_at(state)}, after {after}: no code that the "
        "catalogue has there scores above minus infinity. Is the trie of the generation that the decoder was trained on?"
    )


def note_places(trie: DeviceTrie, leaf: Tensor, limit: int) -> Tensor:
    """The places of the first `limit` notes of every leaf by rank, -1 after the last one: [..., R]."""
    at = leaf.clamp(min=0)
    place_R = trie.note_indptr_S1[at][..., None] + torch.arange(limit, device=leaf.device)
    is_there_R = (leaf >= 0)[..., None] & (place_R < trie.note_indptr_S1[at + 1][..., None])
    return place_R.masked_fill(~is_there_R, -1)


def _own_places(beams: Beams, num_beams: int) -> Tensor:
    """A dead beam grows from the beam of its own place, so that those which died stay to be named."""
    return torch.arange(num_beams, device=beams.state_QB.device).clamp(max=beams.state_QB.shape[1] - 1)


def _rows(level: Level, device: torch.device | str) -> DenseRows | PackedRows:
    if isinstance(level, DenseLevel):
        next_SK = torch.tensor(level.next_SK, device=device)
        return DenseRows(next_SK, torch.arange(next_SK.shape[1], device=device))
    indptr_S1, code_C = (torch.tensor(array, device=device) for array in level)
    return PackedRows(indptr_S1, code_C, torch.arange(level.width, dtype=torch.int32, device=device))


def _require_vocabulary(trie: DeviceTrie, depth: int, log_prob_K: Tensor) -> None:
    if log_prob_K.shape[-1] != trie.sizes[depth]:
        raise ValueError(
            f"scores of {log_prob_K.shape[-1]} codes at level {depth}, but its vocabulary has {trie.sizes[depth]}: the "
            "trie is of another generation than the decoder, or the scores are of another level"
        )
