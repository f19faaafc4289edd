"""Tiny random models of both families, a catalogue, and every ID scored without a cache: what a search is held against."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from models.ids.trie_build import build
from models.ids.trie_torch import DeviceTrie, on_device
from models.recommend.decoding import Decoder, Prompt, causal_decoder, encoder_decoder
from models.recommend.id_tokens import IdTokens

SIZES = (6, 7, 8)
ID_TOKENS = IdTokens(7, SIZES)
WORDS = ID_TOKENS.stop + 3  # words before the codes and after them
START = 1
FAMILIES = ("t5", "t5 eager", "qwen3", "llama", "llama eager", "gpt2")
PROMPTS = [[2, 9, 15, 22], [4], [3, 8, 16], [2, 10, 14, 24, 11, 19, 27, 5]]

Codes = tuple[int, ...]


def model_of(family: str, seed: int = 3) -> Any:
    """Weights are drawn wide, so that scores of IDs are far apart."""
    torch.manual_seed(seed)
    name, *how = family.split()
    attention = {"attn_implementation": how[0] if how else "sdpa"}
    words = {"vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 6, "pad_token_id": 0}
    if name == "t5":
        buckets = {"relative_attention_num_buckets": 4, "relative_attention_max_distance": 6}
        sizes = {"d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 32, "num_layers": 2, "initializer_factor": 1.5}
        return T5ForConditionalGeneration(
            T5Config(**words, **sizes, **buckets, **attention, decoder_start_token_id=START)
        ).eval()
    if name == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(**words, **attention, n_embd=16, n_layer=2, n_head=2, n_positions=32, initializer_range=0.5)
        ).eval()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    kind, config = (Qwen3ForCausalLM, Qwen3Config) if name == "qwen3" else (LlamaForCausalLM, LlamaConfig)
    heads = {"num_key_value_heads": 2, "head_dim": 4, "initializer_range": 0.5}
    return kind(config(**words, **sizes, **heads, **attention)).eval()


def decoder_of(model: Any, among_codes: bool = False) -> Decoder:
    make = encoder_decoder if model.config.is_encoder_decoder else causal_decoder
    return make(model, ID_TOKENS, among_codes)


def prompt_of(prompts: list[list[int]], is_causal: bool, length: int = 0) -> Prompt:
    """Padded on the left for a causal model, on the right for T5; padding is a word that would matter if it were read."""
    length = max(length, *map(len, prompts))
    token_QT = torch.full((len(prompts), length), 6)
    mask_QT = torch.zeros(len(prompts), length, dtype=torch.long)
    for row, tokens in enumerate(prompts):
        at = slice(length - len(tokens), length) if is_causal else slice(0, len(tokens))
        token_QT[row, at], mask_QT[row, at] = torch.tensor(tokens), 1
    return Prompt(token_QT, mask_QT)


def asked(model: Any, prompts: list[list[int]] = PROMPTS, length: int = 0) -> Prompt:
    return prompt_of(prompts, not model.config.is_encoder_decoder, length)


def catalogue(num_ids: int, seed: int = 5) -> list[Codes]:
    space = list(product(*map(range, SIZES)))
    return sorted(space[at] for at in np.random.default_rng(seed).choice(len(space), num_ids, replace=False))


def trie_of(ids: list[Codes], sizes: tuple[int, ...] = SIZES) -> DeviceTrie:
    return on_device(build(np.array(ids), np.zeros(len(ids), dtype=int), sizes).trie)


@torch.no_grad()
def step_scores(model: Any, tokens: list[int], ids: list[Codes], among_codes: bool = False) -> Tensor:
    """log_prob[ID, level], teacher-forced: one whole forward pass, without a cache, padding or beams."""
    answer = torch.tensor(ID_TOKENS.tokens(np.array(ids)))
    prompt = torch.tensor(tokens).expand(len(ids), -1)
    if model.config.is_encoder_decoder:
        before = torch.cat([torch.full((len(ids), 1), START), answer[:, :-1]], dim=1)
        logits = model(input_ids=prompt, decoder_input_ids=before, use_cache=False).logits
    else:
        logits = model(input_ids=torch.cat([prompt, answer], dim=1), use_cache=False).logits[:, len(tokens) - 1 : -1]
    found = []
    for level, size in enumerate(SIZES):
        first = ID_TOKENS.first_of(level)
        at = slice(first, first + size) if among_codes else slice(None)
        log_prob = torch.full_like(logits[:, level], -torch.inf)
        log_prob[:, at] = logits[:, level, at].log_softmax(-1)
        found.append(log_prob.gather(1, answer[:, level : level + 1]))
    return torch.cat(found, dim=1)


def all_prefix_scores(model: Any, tokens: list[int]) -> dict[Codes, float]:
    """The summed score of every prefix that the vocabulary has."""
    space = list(product(*map(range, SIZES)))
    scores = step_scores(model, tokens, space).double().cumsum(1)
    return {codes[: length + 1]: float(scores[row, length]) for row, codes in enumerate(space) for length in range(3)}


def brute_beams(scores: dict[Codes, float], ids: list[Codes], num_beams: int) -> list[tuple[float, Codes]]:
    """A beam search in plain Python: of the prefixes that some ID has, the best `num_beams` of every length."""
    kept: set[Codes] = {()}
    for length in range(1, len(SIZES) + 1):
        prefixes = {codes[:length] for codes in ids if codes[: length - 1] in kept}
        kept = set(sorted(prefixes, key=lambda codes: -scores[codes])[:num_beams])
    return sorted(((scores[codes], codes) for codes in kept), reverse=True)


class Table:
    """A decoder by hand: code c of a level has the log-probability -cost[level][c], whatever came before."""

    among_allowed = False

    def __init__(self, costs: list[list[float]]) -> None:
        self.costs, self.id_tokens = costs, IdTokens(0, tuple(map(len, costs)))

    def begin(self, prompt: Any) -> tuple[None, torch.Tensor]:
        return None, -torch.tensor(self.costs[0]).expand(len(prompt.token_QT), -1)

    def extend(self, state: None, parent: torch.Tensor, code: torch.Tensor, depth: int) -> tuple[None, torch.Tensor]:
        return None, -torch.tensor(self.costs[depth]).expand(*code.shape, -1)
