"""Beam search over semantic IDs: inside the catalogue's trie, or free of it to see what a model says unasked.

In: a decoder (`decoders.py`), prompts, and the trie on the decoder's device. Out: the best IDs of every request with their
summed log-probabilities, in float32. A search is deterministic: it never samples. There is one turn a level and no
number is brought to the host, except by `trie_torch.require_alive` at the end.

Shapes: Q requests, B beams, L levels, K codes of a level, W candidates of a beam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.ids.trie_torch import (
    MINUS_INFINITY,
    Beams,
    DeviceTrie,
    advance,
    allowed,
    best,
    candidates,
    require_alive,
    start,
)
from models.recommend.decoders import Decoder, Prompt, State, causal_decoder, encoder_decoder
from models.recommend.mixing import Mix, masses, mixed

__all__ = [
    "Decoder",
    "FreeBeams",
    "Prompt",
    "State",
    "beam_search",
    "catalogue_states",
    "causal_decoder",
    "encoder_decoder",
    "free_beam_search",
]

Step = Callable[[int, Beams, Tensor], Beams]


class FreeBeams(NamedTuple):
    """The best codes of each request, best first, whether or not a note has them: [Q, B] and [Q, B, L].

    Fewer IDs than beams exist: the rest have a score of minus infinity.
    """

    score_QB: Tensor
    code_QBL: Tensor


def beam_search(
    decoder: Decoder,
    prompt: Prompt,
    trie: DeviceTrie,
    num_beams: int = 20,
    mix: Mix | None = None,
    length_penalty: float = 0.0,
    score_forced: bool = True,
) -> Beams:
    """The best leaves of each request. With `mix` a second opinion counts at every code (`mixing.py`).

    A code that is the only one its prefix allows is forced. A final score is divided by the number of codes that were not
    forced to the power of `length_penalty`: 0 is none, as D3 asks (arXiv 2406.14900, section 3), so that codes
    which the trie gives away lift no score. Without `score_forced` such a code costs nothing either; nor does it where
    the decoder asks for probabilities among what is allowed.

    Raises `ValueError` where the trie is of other vocabularies than the decoder, `DeadPrefixError` (of
    `trie_torch.require_alive`) for a request without any beam inside the catalogue.
    """
    _require(decoder, num_beams, trie)
    of = masses(mix, len(prompt.token_QT)) if mix is not None else None

    def step(depth: int, beams: Beams, log_prob_QBK: Tensor) -> Beams:
        found = candidates(trie, depth, beams.state_QB)
        log_prob_QBW = allowed(trie, depth, found, log_prob_QBK)
        if decoder.among_allowed:
            log_prob_QBW = _among_allowed(log_prob_QBW)
        if not score_forced:
            is_forced_QB1 = found.is_allowed_W.sum(-1, keepdim=True) == 1
            log_prob_QBW = log_prob_QBW.masked_fill(is_forced_QB1 & found.is_allowed_W, 0.0)
        if mix is not None and of is not None:
            log_prob_QBW = mixed(mix, of, depth, beams.state_QB, found, log_prob_QBW)
        return best(beams, found, log_prob_QBW, num_beams)

    beams = _search(decoder, prompt, step)
    require_alive(beams)
    return _by_length(trie, beams, length_penalty) if length_penalty else beams


def free_beam_search(decoder: Decoder, prompt: Prompt, num_beams: int = 20) -> FreeBeams:
    """The same without a trie: at every level all codes of its vocabulary, as TIGER decodes (arXiv 2305.05065)."""
    _require(decoder, num_beams)

    def step(depth: int, beams: Beams, log_prob_QBK: Tensor) -> Beams:
        score_QX = (beams.score_QB[..., None] + log_prob_QBK).flatten(1)  # X = B x K
        if (missing := num_beams - score_QX.shape[1]) > 0:
            score_QX = pad(score_QX, (0, missing), value=MINUS_INFINITY)
        score_QB, at_QB = score_QX.topk(num_beams, dim=1)
        size = log_prob_QBK.shape[-1]
        parent_QB = (at_QB // size).clamp(max=beams.score_QB.shape[1] - 1)
        kept_QBL = beams.code_QBL.gather(1, parent_QB[..., None].expand(-1, -1, depth))
        code_QBL = torch.cat([kept_QBL, (at_QB % size)[..., None]], dim=-1)
        return Beams(score_QB, parent_QB, code_QBL, parent_QB)  # of a search without a trie there are no states

    beams = _search(decoder, prompt, step)
    return FreeBeams(beams.score_QB, beams.code_QBL)


def catalogue_states(trie: DeviceTrie, code_QBL: Tensor) -> Tensor:
    """state_QB: the leaf of every ID, negative where no note has it (`trie.left_at` says from which code on)."""
    state_QB = torch.zeros(code_QBL.shape[:-1], dtype=torch.long, device=code_QBL.device)
    for depth in range(len(trie.levels)):
        state_QB = advance(trie, depth, state_QB, code_QBL[..., depth])
    return state_QB


@torch.no_grad()
def _search(decoder: Decoder, prompt: Prompt, step: Step) -> Beams:
    beams = start(len(prompt.token_QT), prompt.token_QT.device)
    state, log_prob_QK = decoder.begin(prompt)
    beams = step(0, beams, log_prob_QK[:, None])
    for depth in range(1, decoder.id_tokens.num_levels):
        state, log_prob_QBK = decoder.extend(state, beams.parent_QB, beams.code_QBL[..., -1], depth)
        beams = step(depth, beams, log_prob_QBK)
    return beams


def _among_allowed(log_prob_QBW: Tensor) -> Tensor:
    """The same divided by what all that is allowed has; a dead beam's stay minus infinity."""
    all_QB1 = log_prob_QBW.logsumexp(-1, keepdim=True)
    return log_prob_QBW - all_QB1.masked_fill(all_QB1 == MINUS_INFINITY, 0.0)


def _by_length(trie: DeviceTrie, beams: Beams, penalty: float) -> Beams:
    """The beams by score over length, which is the number of codes that their prefixes left a choice of."""
    state_QB, length_QB = torch.zeros_like(beams.state_QB), torch.zeros_like(beams.state_QB)
    for depth in range(len(trie.levels)):
        length_QB += candidates(trie, depth, state_QB).is_allowed_W.sum(-1) > 1
        state_QB = advance(trie, depth, state_QB, beams.code_QBL[..., depth])
    score_QB = beams.score_QB / length_QB.clamp(min=1) ** penalty
    score_QB, order_QB = score_QB.sort(dim=1, descending=True, stable=True)
    code_QBL = beams.code_QBL.gather(1, order_QB[..., None].expand_as(beams.code_QBL))
    return Beams(score_QB, beams.state_QB.gather(1, order_QB), code_QBL, beams.parent_QB.gather(1, order_QB))


def _require(decoder: Decoder, num_beams: int, trie: DeviceTrie | None = None) -> None:
    if num_beams < 1:
        raise ValueError(f"a search of {num_beams} beams finds nothing: ask for at least 1")
    if trie is not None and trie.sizes != decoder.id_tokens.sizes:
        raise ValueError(
            f"the trie has levels of {trie.sizes} codes, the decoder's vocabulary {decoder.id_tokens.sizes}: they are of "
            "different quantizers; load the trie of the generation that the model was trained on"
        )
