"""How well a lazy network under training ranks held-out answers, decoded as it will be: what says when to stop.

The loss of an answer is no such sign: it is at its least long before the ranking is at its best, as the network grows too
sure of itself where it errs (on Amazon Scientific at epoch 4, NDCG@10 after epoch 15).

Shapes: Q rows, B beams, S places of a history, L levels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jobs.recommend.batches import pieces_of, seq2seq_batch
from jobs.recommend.examples import Examples
from models.ids.trie_build import build
from models.ids.trie_torch import DeviceTrie, on_device
from models.recommend.decoding import Prompt, beam_search
from models.recommend.lazy import Lazy
from models.recommend.lazy_decoder import lazy_decoder
from models.recommend.prefixes import catalogue_of

JUDGED = 2048  # answers, evenly spread over the validation rows
BEAMS, TOP = 20, 10
ROWS_A_CALL = 256


class Judge:
    """Fixed rows, and the catalogue of the training as a trie."""

    def __init__(self, network: Lazy, valid: Examples, pad: int) -> None:
        self.network, self.valid, self.pad = network, valid, pad
        count = len(valid.learned_N)
        self.row_Q: NDArray[np.int64] = np.arange(min(count, JUDGED)) * count // max(1, min(count, JUDGED))
        keys = [network.get_buffer(f"key_{level}") for level in range(network.id_tokens.num_levels)]
        ids_NL = catalogue_of(keys, network.id_tokens.sizes)
        self.trie = build(ids_NL, np.zeros(len(ids_NL), dtype=np.int64), network.id_tokens.sizes).trie

    def ndcg_sum(self, rank: int, processes: int) -> float:
        """The NDCG@10 of this process's share of the rows, added; divided by the rows it is the mean."""
        device = self.network.words_VD.device
        mine, trie, total = self.row_Q[rank::processes], on_device(self.trie, device), 0.0
        for start in range(0, len(mine), ROWS_A_CALL):
            total += float(self._gains(mine[start : start + ROWS_A_CALL], trie, device).double().sum())
        return total

    def _gains(self, row_Q: NDArray[np.int64], trie: DeviceTrie, device: torch.device) -> Tensor:
        asked = seq2seq_batch(pieces_of(self.valid, row_Q), self.pad).to(device)
        beams = beam_search(lazy_decoder(self.network), Prompt(asked.token_BT, asked.mask_BT), trie, BEAMS)
        answer_QL = asked.label_BA - self.network.first_L
        seen_QSL = self.network.notes(asked.token_BT, asked.mask_BT)
        code_QBL = beams.code_QBL.masked_fill(beams.state_QB[..., None] < 0, -2)
        return gains(code_QBL, answer_QL, seen_QSL)


def gains(code_QBL: Tensor, answer_QL: Tensor, seen_QSL: Tensor) -> Tensor:
    """gain_Q: 1 / log2(1 + place) where the answer is among the first ten that are not of the history, else 0."""
    is_hit_QB = (code_QBL == answer_QL[:, None]).all(-1)
    is_seen_QB = (code_QBL[:, :, None] == seen_QSL[:, None]).all(-1).any(-1)
    place_QB = (~is_seen_QB).long().cumsum(1) - (~is_seen_QB).long() + 1
    gain_QB = 1 / (place_QB + 1).double().log2()
    return gain_QB.masked_fill(~is_hit_QB | (place_QB > TOP), 0.0).sum(1)
