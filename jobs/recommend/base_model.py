"""What a recommender starts from: a compact network made on the spot, or a language model that learns the ID words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.config import Config, ConfigError
from jobs.model_folder import hashed_files, model_folder
from jobs.recommend.compact_tokenizer import compact_tokenizer
from jobs.recommend.settings import Recommend
from models.recommend import lazy
from models.recommend.id_tokens import IdTokens, id_words
from models.recommend.networks import FAMILIES, compact_network, sizes_of
from models.recommend.new_words import with_words
from models.recommend.prefixes import prefix_keys

LAZY, CAUSAL = "lazy", "causal"


class Base(NamedTuple):
    """A network before it learns, with its tokenizer."""

    network: Any
    tokenizer: Any
    id_tokens: IdTokens
    style: str  # of prompts

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether prompt and answer are read by two stacks."""
        return bool(getattr(self.network.config, "is_encoder_decoder", False))


def is_compact(settings: Recommend) -> bool:
    """Whether the configured model is made on the spot."""
    return settings.model in (LAZY, *FAMILIES)


def base_folder_of(config: Config) -> Path | None:
    """The folder of the configured language model; None for a compact one."""
    if is_compact(config.recommend):
        return None
    return model_folder(config.recommend.model, config.home, "recommend.model")


def base_files(folder: Path | None) -> list[list[str]]:
    """Name and hash of every file of the language model that training starts from; none for a compact one."""
    return hashed_files(folder) if folder else []


def compact_base(
    settings: Recommend, sizes: tuple[int, ...], words: Iterable[str], titles: Iterable[str]
) -> Base:
    """A compact model that knows these IDs, words and, where titles are given, text like them."""
    tokenizer = compact_tokenizer(sizes, words, titles)
    lengths = sizes_of(settings.model)
    lengths = replace(lengths, dropout=settings.dropout or lengths.dropout)
    network = compact_network(
        settings.model, len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id, lengths, settings.seed
    )
    return Base(network, tokenizer, id_tokens_of(tokenizer, sizes), "terse")


def lazy_base(
    settings: Recommend, sizes: tuple[int, ...], words: Iterable[str], codes_NL: NDArray[np.integer[Any]]
) -> Base:
    """The lazy network (models/recommend/lazy.py) that knows these words, and which IDs the catalogue has."""
    tokenizer = compact_tokenizer(sizes, words)
    id_tokens = id_tokens_of(tokenizer, sizes)
    # A window has one note more than a history, and the profile stands before both.
    lengths = replace(lazy.LAZY, places=settings.history + 2, dropout=settings.dropout or lazy.LAZY.dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = lazy.Lazy(id_tokens, len(tokenizer), prefix_keys(codes_NL, sizes), lengths)
    return Base(network, tokenizer, id_tokens, "terse")


def language_model_base(folder: Path, sizes: tuple[int, ...], seed: int) -> Base:
    """The causal language model in a folder, with the ID words as new tokens.

    Raises `ConfigError` where the folder holds no causal language model that can be read without code of its own.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        network = AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, use_safetensors=True, dtype="float32"
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"recommend.model: {folder} is no causal language model: {error}") from None
    if not tokenizer.is_fast:
        raise ConfigError(f"recommend.model: {folder} has no fast tokenizer (tokenizer.json): convert it")
    if tokenizer.eos_token_id is None:
        raise ConfigError(f"recommend.model: the tokenizer of {folder} has no end-of-text token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return Base(*with_id_words(network, tokenizer, sizes, seed), "sentence")


def with_id_words(
    network: Any, tokenizer: Any, sizes: tuple[int, ...], seed: int
) -> tuple[Any, Any, IdTokens]:
    """Network and tokenizer with the ID words as one block of tokens behind all others; words that are known stay."""
    from tokenizers import AddedToken

    words = id_words(sizes)
    known = tokenizer.get_vocab()
    if not any(word in known for word in words):
        tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])
        id_tokens = id_tokens_of(tokenizer, sizes)
        return with_words(network, id_tokens.first, id_tokens.stop, seed), tokenizer, id_tokens
    return network, tokenizer, id_tokens_of(tokenizer, sizes)


def id_tokens_of(tokenizer: Any, sizes: tuple[int, ...]) -> IdTokens:
    """Where the tokenizer has the ID words. Raises `ConfigError` where they are not one block in their order."""
    words = id_words(sizes)
    places = tokenizer.convert_tokens_to_ids(words)
    first = places[0]
    if places != list(range(first, first + len(words))):
        raise ConfigError(
            f"the tokenizer does not have the {len(words)} words {words[0]} to {words[-1]} as one block: it was made for "
            "IDs of other sizes"
        )
    return IdTokens(first, sizes)
