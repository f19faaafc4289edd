"""The lazy recommender: one place for a note of the history, and a small head that tells the next note's codes in turn.

In: prompts as tokens (profile words, then the codes of notes). Out: a loss for every code of the answers, or scores of the
next code. A decoder over codes reads L places a note and spends its layers on codes that follow from each other; here a
note is one place, as in models over items (SASRec, and RPG, arXiv 2506.05781), the history is read once, and only
the answer is told code after code, by a light head, as OneRec-V2's lazy decoder does (arXiv 2508.20900).
Codes are TIGER's (arXiv 2305.05065).

Every prefix of codes that the catalogue had in training is a node with a vector of its own beside its last code's: what
a code means depends on the codes before it. The vectors going in and coming out are the same. After a prefix only its
children in the catalogue compete, so that nothing is spent on codes which decoding does not allow. A prefix that nobody
had in training has its codes' vectors alone: notes that came later are read and told by them.

Shapes: B rows, T tokens, S places (0 the profile, then the notes), L levels, K codes of a level, N nodes of a level, W
children that a node may have, C answers of a row, M answers that are learned, D width, V words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.recommend import sasrec
from models.recommend.answer_loss import IGNORED, levels_of
from models.recommend.id_tokens import IdTokens
from models.recommend.lazy_inputs import notes_of, without_some

INITIAL_STD = 0.02  # GPT-2 and its followers
# A product with all nodes of a level is cheaper than gathering each prefix's children, up to so many nodes, or so many
# times the most children that one has.
FEW_NODES, FEW_TIMES = 4096, 32


@dataclass(frozen=True)
class Config:
    """By NDCG@10 on the validation answers of Amazon Scientific; `places` is the profile's and one a note."""

    places: int = 22
    dim: int = 128
    layers: int = 2
    heads: int = 2
    dropout: float = 0.5
    note_dropout: float = 0.2  # of the notes of every other history, in training


LAZY = Config()


class Children(NamedTuple):
    """The children of nodes: what their own vectors score, and their codes; where `is_there` is false there is none."""

    own_MW: Tensor
    code_MW: Tensor
    is_there_MW: Tensor


class Lazy(nn.Module):
    """The network over `num_tokens` words; `keys` are `prefix_keys` of the catalogue it is trained on."""

    level_V: Tensor
    first_L: Tensor

    def __init__(
        self, id_tokens: IdTokens, num_tokens: int, keys: Sequence[Tensor], config: Config = LAZY
    ) -> None:
        super().__init__()
        self.id_tokens, self.num_tokens, self.config = id_tokens, num_tokens, config
        dim, levels = config.dim, range(id_tokens.num_levels)
        self.words_VD = _normal(num_tokens, dim)
        self.places_SD = _normal(config.places, dim)
        self.nodes = nn.ParameterList(_normal(len(key_N), dim) for key_N in keys)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(len(key_N))) for key_N in keys)
        block = sasrec.Config(config.places, dim, config.layers, config.heads, config.dropout)
        self.blocks = nn.ModuleList(sasrec.Block(block) for _ in range(config.layers))
        self.norm, self.drop = nn.LayerNorm(dim), nn.Dropout(config.dropout)
        self.steps = nn.ModuleList(_step(dim, config.dropout) for _ in levels[1:])
        for linear in (module for module in self.modules() if isinstance(module, nn.Linear)):
            nn.init.normal_(linear.weight, std=INITIAL_STD)
        for level, key_N in enumerate(keys):
            self.register_buffer(f"key_{level}", key_N)
        self.register_buffer("level_V", levels_of(id_tokens, num_tokens), persistent=False)
        first_L = torch.tensor([id_tokens.first_of(level) for level in levels])
        self.register_buffer("first_L", first_L, persistent=False)
        for level, key_N in enumerate(keys):
            num_before = len(keys[level - 1]) if level else 1
            edge_N1 = torch.arange(num_before + 1) * id_tokens.sizes[level]
            self.register_buffer(f"indptr_{level}", torch.searchsorted(key_N, edge_N1), persistent=False)
        self.widths = [int(self._indptr(level).diff().max()) for level in levels]

    def num_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(value.numel() for value in self.parameters())

    def forward(self, token_BT: Tensor, mask_BT: Tensor, label_BA: Tensor) -> Tensor:
        """loss_BA of the learned tokens, which are the last whole notes of each row; 0 where the label is `IGNORED`.

        Also 0 for codes that the catalogue did not have.
        """
        num_levels, num_labels = self.id_tokens.num_levels, label_BA.shape[1]
        label_BA = pad(label_BA, (-num_labels % num_levels, 0), value=IGNORED)
        label_BCL = label_BA.unflatten(1, (-1, num_levels))
        is_due_BC = (label_BCL != IGNORED).all(-1)
        code_BSL = self.notes(token_BT, mask_BT)
        place_BS, kept_BSL = without_some(code_BSL, self.config.note_dropout if self.training else 0.0)
        hidden_BSD = self.history(kept_BSL, self._profile(token_BT, mask_BT))
        num_notes_B1 = (code_BSL[..., 0] >= 0).sum(1, keepdim=True)
        num_answers = label_BCL.shape[1]
        before_BC = num_notes_B1 - num_answers + torch.arange(num_answers, device=token_BT.device)
        before_BC = place_BS.gather(1, before_BC.clamp(min=0))
        hidden_BCD = hidden_BSD.gather(1, before_BC[..., None].expand(-1, -1, self.config.dim))
        loss_ML = self._loss(hidden_BCD[is_due_BC], (label_BCL - self.first_L)[is_due_BC])
        loss_BCL = torch.zeros(label_BCL.shape, device=token_BT.device)
        return loss_BCL.masked_scatter(is_due_BC[..., None], loss_ML).flatten(1)[:, -num_labels:]

    def notes(self, token_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """code_BSL of the notes of each row (`lazy_inputs.notes_of`)."""
        return notes_of(token_BT, mask_BT, self.level_V, self.first_L)

    def last(self, token_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """hidden_BD after the last note of each row, or after the profile where there is none."""
        code_BSL = self.notes(token_BT, mask_BT)
        hidden_BSD = self.history(code_BSL, self._profile(token_BT, mask_BT))
        last_B = (code_BSL[..., 0] >= 0).sum(1)
        return hidden_BSD.gather(1, last_B[:, None, None].expand(-1, 1, self.config.dim))[:, 0]

    def history(self, code_BSL: Tensor, profile_BD: Tensor) -> Tensor:
        """hidden_BSD: what every place and those before it tell of the next note."""
        vector_BSD, node_BS = torch.zeros(()), torch.zeros_like(code_BSL[..., 0])
        for level, code_BS in enumerate(code_BSL.clamp(min=0).unbind(-1)):
            node_BS = self.node(level, node_BS, code_BS)
            vector_BSD = vector_BSD + self.vector(level, code_BS, node_BS)
        vector_BSD = vector_BSD * (code_BSL[..., :1] >= 0)
        vector_BSD = torch.cat([profile_BD[:, None], vector_BSD[:, 1:]], dim=1)
        length = code_BSL.shape[1]
        place_S = torch.arange(length, device=code_BSL.device).clamp(max=self.config.places - 1)
        hidden_BSD = self.drop(vector_BSD * self.config.dim**0.5 + self.places_SD[place_S])
        before_11SS = torch.ones(1, 1, length, length, dtype=torch.bool, device=code_BSL.device).tril()
        for block in self.blocks:  # padded places come last, so that no note looks at one
            hidden_BSD = block(hidden_BSD, before_11SS)
        normal_BSD: Tensor = self.norm(hidden_BSD)
        return normal_BSD

    def step(self, level: int, hidden: Tensor, code: Tensor, node: Tensor) -> Tensor:
        """The hidden state [..., D] after the code of a level, which led to a node, was told."""
        vector = self.drop(self.vector(level, code, node)) * self.config.dim**0.5
        found: Tensor = hidden + self.steps[level](torch.cat([hidden, vector], dim=-1))
        return found

    def node(self, level: int, before: Tensor, code: Tensor) -> Tensor:
        """The node of a prefix [...] from the node before it (0 at the root) and the code; -1 where nobody had it."""
        key_N = self._key(level)
        key = before * self.id_tokens.sizes[level] + code
        at = torch.searchsorted(key_N, key).clamp(max=len(key_N) - 1)
        return torch.where((before >= 0) & (key_N[at] == key), at, -1)

    def vector(self, level: int, code: Tensor, node: Tensor) -> Tensor:
        """The vectors [..., D] of a code of a level and of the node it leads to, added; without a node the code's."""
        own = self.nodes[level][node.clamp(min=0)] * (node >= 0)[..., None]
        return self.words_VD[self.id_tokens.first_of(level) + code] + own

    def children_of(self, level: int, hidden_MD: Tensor, before_M: Tensor) -> Children:
        """The nodes of a level that follow those before it; of a node before that is -1 there are none."""
        key_N, nodes_ND = self._key(level), self.nodes[level]
        start_M, stop_M = (self._indptr(level)[before_M.clamp(min=0) + shift] for shift in (0, 1))
        node_MW = start_M[:, None] + torch.arange(self.widths[level], device=hidden_MD.device)
        is_there_MW = (node_MW < stop_M[:, None]) & (before_M >= 0)[:, None]
        node_MW = node_MW.clamp(max=len(key_N) - 1)
        if len(key_N) <= max(FEW_NODES, FEW_TIMES * self.widths[level]):
            own_MW = (hidden_MD @ nodes_ND.T).gather(1, node_MW)
        else:
            own_MW = (nodes_ND[node_MW] @ hidden_MD[..., None]).squeeze(-1)
        code_MW = key_N[node_MW] % self.id_tokens.sizes[level]
        return Children(own_MW.float() + self.biases[level][node_MW], code_MW, is_there_MW)

    def codes(self, level: int, hidden_MD: Tensor) -> Tensor:
        """score_MK: what the vectors of all codes of a level score."""
        first = self.id_tokens.first_of(level)
        return (hidden_MD @ self.words_VD[first : first + self.id_tokens.sizes[level]].T).float()

    def _loss(self, hidden_MD: Tensor, code_ML: Tensor) -> Tensor:
        """loss_ML of codes among the children of the codes before them."""
        found, node_M = [], torch.zeros_like(code_ML[:, 0])
        for level, code_M in enumerate(code_ML.unbind(1)):
            own_MW, code_MW, is_there_MW = self.children_of(level, hidden_MD, node_M)
            score_MW = self.codes(level, hidden_MD).gather(1, code_MW) + own_MW
            score_MW = score_MW.masked_fill(~is_there_MW, torch.finfo(torch.float32).min)
            before_M, node_M = node_M, self.node(level, node_M, code_M)
            at_M = (node_M - self._indptr(level)[before_M.clamp(min=0)]).clamp(min=0)
            loss_M = score_MW.logsumexp(1) - score_MW.gather(1, at_M[:, None])[:, 0]
            found.append(loss_M.masked_fill(node_M < 0, 0.0))
            if level + 1 < self.id_tokens.num_levels:
                hidden_MD = self.step(level, hidden_MD, code_M, node_M)
        return torch.stack(found, dim=1)

    def _profile(self, token_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """profile_BD: the words that are no codes, added."""
        is_word_BT = (self.level_V[token_BT] < 0) & (mask_BT != 0)
        return (self.words_VD[token_BT] * is_word_BT[..., None]).sum(1)

    def _key(self, level: int) -> Tensor:
        return self.get_buffer(f"key_{level}")

    def _indptr(self, level: int) -> Tensor:
        return self.get_buffer(f"indptr_{level}")


def _normal(*shape: int) -> nn.Parameter:
    return nn.Parameter(INITIAL_STD * torch.randn(*shape))


def _step(dim: int, dropout: float) -> nn.Module:
    """What a code that was told changes: a feed-forward layer over the state and the code's vector."""
    return nn.Sequential(
        nn.LayerNorm(2 * dim),
        nn.Linear(2 * dim, 2 * dim),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(2 * dim, dim),
    )
