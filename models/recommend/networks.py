"""Compact networks of the recommender, trained from scratch: `t5` as TIGER's (arXiv 2305.05065), `causal` decoder-only.

In: sizes. Out: a transformers model with random weights, the same for the same sizes and seed.

`causal` is GPT-NeoX's block, one after the other: it has dropout on embeddings and residuals, without which so few data
are learned by heart, and rotary places, so that padding on the left changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

FAMILIES = ("causal", "t5")


@dataclass(frozen=True)
class Config:
    """Sizes of a network. The defaults are TIGER's (section 4, implementation details)."""

    hidden: int = 128
    layers: int = 4  # of the encoder and of the decoder
    heads: int = 6
    head_width: int = 64
    feed_forward: int = 1024
    dropout: float = 0.2
    initial_std: float = 0.02  # GPT-2 and its followers


TIGER = Config()
CAUSAL = Config(heads=4, head_width=32, feed_forward=512)


def sizes_of(family: str) -> Config:
    """The default sizes. Raises `ValueError` for a family that is not compact."""
    if family not in FAMILIES:
        raise ValueError(f"{family!r} is no compact family: it may be {', '.join(FAMILIES)}")
    return TIGER if family == "t5" else CAUSAL


def compact_network(family: str, num_tokens: int, pad: int, stop: int, config: Config, seed: int) -> Any:
    """A network that reads and writes `num_tokens` tokens; `pad` and `stop` are two of them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return (
            _t5(num_tokens, pad, stop, config) if family == "t5" else _causal(num_tokens, pad, stop, config)
        )


def _t5(num_tokens: int, pad: int, stop: int, config: Config) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = T5Config(
        vocab_size=num_tokens,
        d_model=config.hidden,
        d_kv=config.head_width,
        d_ff=config.feed_forward,
        num_layers=config.layers,
        num_decoder_layers=config.layers,
        num_heads=config.heads,
        feed_forward_proj="relu",
        dropout_rate=config.dropout,
        pad_token_id=pad,
        eos_token_id=stop,
        decoder_start_token_id=pad,
    )
    return T5ForConditionalGeneration(sizes)


def _causal(num_tokens: int, pad: int, stop: int, config: Config) -> Any:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    if config.heads * config.head_width != config.hidden:
        raise ValueError(f"{config.heads} heads of {config.head_width} are not {config.hidden} wide")
    sizes = GPTNeoXConfig(
        vocab_size=num_tokens,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.feed_forward,
        attention_dropout=config.dropout,
        hidden_dropout=config.dropout,
        initializer_range=config.initial_std,
        use_parallel_residual=False,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 1.0},
        pad_token_id=pad,
        eos_token_id=stop,
        bos_token_id=None,
    )
    return GPTNeoXForCausalLM(sizes)
