"""New words of a language model: rows added to its embeddings, in and out.

In: a transformers causal language model. Out: the same one, knowing more tokens.

A new row is the mean of the old ones with a little noise: a random row far from all others would stand out in every
softmax, and rows that are all the same would learn the same (Hewitt 2021, "Initializing new word embeddings").

Shapes: V tokens, E dimensions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NOISE = 0.1  # of the old rows' own deviation


def with_words(network: Any, first: int, stop: int, seed: int) -> Any:
    """The network with rows for the tokens from `first` up to `stop`; a vocabulary padded beyond its words stays as wide
    where that is enough.

    Raises `ValueError` where a token before `first` has no row yet: it would have no meaning.
    """
    rows = network.get_input_embeddings().weight.shape[0]
    if rows < first:
        raise ValueError(
            f"the network has {rows} rows and the tokenizer {first} words: they are not of one model"
        )
    if rows < stop:
        network.resize_token_embeddings(stop, mean_resizing=False)
    begin_rows(network.get_input_embeddings().weight, first, stop, seed)
    head = network.get_output_embeddings()
    if head is not None and head.weight is not network.get_input_embeddings().weight:
        begin_rows(head.weight, first, stop, seed + 1)
    return network


@torch.no_grad()
def begin_rows(weight_VE: Tensor, first: int, stop: int, seed: int) -> None:
    """Set the rows from `first` up to `stop` to the mean of those before `first` with noise."""
    old_VE = weight_VE[:first].float()
    dice = torch.Generator().manual_seed(seed)
    noise = torch.randn((stop - first, weight_VE.shape[1]), generator=dice)
    scale_E = NOISE * old_VE.std(0, correction=0).cpu()
    weight_VE[first:stop] = (old_VE.mean(0).cpu() + noise * scale_E).to(weight_VE)
