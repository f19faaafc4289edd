"""A tiny lazy network over a few IDs, its prompts, and the log-probability of every ID by a whole pass each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.recommend.answer_loss import IGNORED
from models.recommend.id_tokens import IdTokens
from models.recommend.lazy import Config, Lazy
from models.recommend.prefixes import prefix_keys

SIZES = (4, 5, 6)
IDS = IdTokens(3, SIZES)
AGE, SEX = IDS.stop, IDS.stop + 1
CATALOGUE = [(0, 1, 2), (0, 1, 3), (0, 4, 2), (2, 0, 0), (2, 4, 1), (2, 4, 5), (3, 3, 3)]
NEW = (1, 1, 1)  # what nobody had in training, of codes that no node has
SMALL = Config(places=6, dim=16, heads=2, dropout=0.3)
HISTORIES = [[(0, 1, 2), (2, 4, 5)], [], [(3, 3, 3)], [(0, 4, 2), (0, 1, 3), (2, 0, 0), (0, 1, 2)]]


def lazy(seed: int = 5, config: Config = SMALL, wide: float = 20.0) -> Lazy:
    """Weights are drawn wide, so that scores of IDs are far apart."""
    torch.manual_seed(seed)
    model = Lazy(IDS, IDS.stop + 2, prefix_keys(np.array(CATALOGUE), SIZES), config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() > 1 and not name.startswith("blocks"):
                value.mul_(wide)
        for bias in model.biases:
            bias.normal_()
    return model


def rows(histories: list[list[tuple[int, ...]]], length: int = 0) -> tuple[Tensor, Tensor]:
    """token_BT and mask_BT of a profile of two words and the notes, padded on the left with a word that would matter."""
    lists = [[AGE, SEX, *IDS.tokens(np.array(notes).reshape(-1, 3)).ravel().tolist()] for notes in histories]
    length = max(length, *map(len, lists))
    token_BT = torch.tensor([[AGE] * (length - len(tokens)) + tokens for tokens in lists])
    mask_BT = torch.tensor([[0] * (length - len(tokens)) + [1] * len(tokens) for tokens in lists])
    return token_BT, mask_BT


def labels(token_BT: Tensor, counts: list[int]) -> Tensor:
    """The last `counts` notes of each row are learned."""
    label_BA = token_BT[:, -3 * max(counts) :].clone()
    for row, count in enumerate(counts):
        label_BA[row, : label_BA.shape[1] - 3 * count] = IGNORED
    return label_BA


@torch.no_grad()
def log_prob(model: Lazy, history: list[tuple[int, ...]], ids: list[tuple[int, ...]]) -> Tensor:
    """log_prob_NL of the codes of each ID after the history: what it costs to learn it there."""
    token_BT, mask_BT = rows([[*history, one] for one in ids])
    found: Tensor = -model(token_BT, mask_BT, labels(token_BT, [1] * len(ids)))
    return found
