"""A local Hugging Face model as a teacher or student: image-text-to-text, or text alone, by folder or hub id.

Weights are safetensors, code that a model brings along is not run, decoding is greedy whatever sampling the model
configures for itself. The model is loaded once a process. On a CPU it computes in float32, on a GPU in the type of its
weights; in float32 a reply depends on its company in a batch by rounding only, which moves log-probabilities by about
1e-6 and turns a token over only where two are as good as equal.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jobs.config import ConfigError
from jobs.lake import canonical_json
from jobs.model_folder import hashed_files, model_folder
from jobs.tags.asking import Question, Reply
from jobs.tags.budget import NO_BUDGET, Purse
from jobs.tags.encoding import Reader, load_reader, tokens_of
from jobs.tags.pictures import OPTIONS
from jobs.tags.teacher_top_k import ToldTopK, TopK, tokenizer_hash

if TYPE_CHECKING:
    from models.tags.decoding import Decoded

LEAST_ROOM = 16  # tokens that a reply must have left in the model's window, or the prompt is too long
PICTURE_BYTES = 512 << 20  # of decoded pictures in memory at once
_PROMPT_ERRORS = (ValueError, TypeError, KeyError, IndexError, RuntimeError, OSError, AttributeError)


@dataclass(frozen=True)
class LocalModel:
    """A model in a folder. Its identity is its name and a hash of weights and decoding options; `top_k` best tokens of
    every step come with a whole reply."""

    folder: Path
    identity: str
    max_new_tokens: int
    top_k: int = 0

    def ask(
        self, questions: Sequence[Question], tell: Callable[[int, Reply], None], purse: Purse | None = None
    ) -> None:
        """As `Teacher.ask`; a local model is never gone."""
        from models.tags.decoding_batch import Row

        loaded = _loaded(self.folder)
        rows: list[tuple[int, Row]] = []
        num_bytes = 0
        for at, question in enumerate(questions):
            row = _row(loaded, question, self.max_new_tokens)
            if isinstance(row, str):
                tell(at, Reply("failed", "", row))
                continue
            if purse is not None and not purse.take(row.length, row.max_new):
                tell(at, Reply("skipped", "", NO_BUDGET))
                continue
            rows.append((at, row))
            num_bytes += sum(t.nbytes for t in row.pictures.values())
            if num_bytes > PICTURE_BYTES:
                _answer(loaded, rows, tell, purse, self.top_k)
                rows, num_bytes = [], 0
        _answer(loaded, rows, tell, purse, self.top_k)


class _Loaded(NamedTuple):
    model: Any
    reader: Reader
    special: Any
    window: int
    tokenizer: str  # its `tokenizer_hash`


def find_local_model(name: str, home: Path, max_new_tokens: int, top_k: int = 0) -> LocalModel:
    """The model that a configuration names as a folder (relative to `home`) or a hub id.

    Raises `ConfigError` where it cannot be had.
    """
    folder = model_folder(name, home, "tags.teacher")
    if not (folder / "config.json").is_file():
        raise ConfigError(f"tags.teacher: {folder} holds no config.json, so it is no model of transformers")
    options = {"decoding": "greedy", "max_new_tokens": max_new_tokens, "picture": OPTIONS}
    digest = hashlib.sha256(canonical_json([hashed_files(folder), options])).hexdigest()
    return LocalModel(folder, f"{name.rstrip('/').rsplit('/', 1)[-1]}@{digest[:12]}", max_new_tokens, top_k)


@cache
def _loaded(folder: Path) -> _Loaded:
    import torch
    from transformers import AutoConfig
    from transformers.utils import logging

    from models.tags.decoding_batch import Special

    logging.disable_progress_bar()
    torch.set_num_threads(1)  # Spark runs one worker a core; and other bits would come out
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = _model_class(config, folder)
    model = kind.from_pretrained(
        folder,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32 if device == "cpu" else "auto",
    )
    reader = load_reader(folder, reads_pictures=kind.__name__ != "AutoModelForCausalLM")
    stop = _stop_ids(model, reader.tokenizer)
    pad = reader.tokenizer.pad_token_id
    text_config = config.get_text_config()
    window = min(
        getattr(text_config, "max_position_embeddings", None) or 1 << 30, reader.tokenizer.model_max_length
    )
    special = Special(stop, pad if pad is not None else min(stop), len(reader.tokenizer))
    return _Loaded(model.to(device).eval(), reader, special, window, tokenizer_hash(reader.tokenizer))


def _model_class(config: Any, folder: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    )

    if getattr(config, "is_encoder_decoder", False):
        raise ConfigError(f"tags.teacher: {folder} is an encoder with a decoder: name a decoder-only model")
    if type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return AutoModelForImageTextToText
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        return AutoModelForCausalLM
    raise ConfigError(
        f"tags.teacher: {folder} is a {config.model_type}, which transformers has neither as image-text-to-text nor as "
        "causal model: name another one"
    )


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Whatever ends a reply: by the model's generation config, and the tokenizer's own end."""
    found = [model.generation_config.eos_token_id, tokenizer.eos_token_id]
    return frozenset(i for ids in found if ids is not None for i in (ids if isinstance(ids, list) else [ids]))


def _row(loaded: _Loaded, question: Question, max_new_tokens: int) -> Any:
    """The question as the model reads it, or why it cannot."""
    from models.tags.decoding_batch import Row

    try:
        words, pictures = loaded.reader.read(question)
    except _PROMPT_ERRORS as error:
        return f"the model's processor cannot take it: {type(error).__name__}: {error}".splitlines()[0][:200]
    room = loaded.window - int(words["input_ids"].shape[1])
    if room < min(LEAST_ROOM, max_new_tokens):
        return (
            f"the prompt has {loaded.window - room} tokens and the model takes {loaded.window} with the reply: "
            "name a model with a larger window"
        )
    return Row(words, pictures, min(max_new_tokens, room))


def _answer(
    loaded: _Loaded,
    rows: Sequence[tuple[int, Any]],
    tell: Callable[[int, Reply], None],
    purse: Purse | None,
    top_k: int,
) -> None:
    from models.tags.decoding import Config, decode

    encoded, config = [row for _, row in rows], Config(top_k=top_k if loaded.tokenizer else 0)
    for place, done in decode(loaded.model, encoded, loaded.special, config, time.perf_counter):
        row, text = encoded[place], loaded.reader.text(done.ids)
        outcome: Any = "failed" if done.problem else "ok" if done.is_whole else "truncated"
        tokens = tokens_of(loaded.reader.tokenizer, done.ids, done.logprobs, text)
        num_in, num_out = row.length * done.num_tries, len(done.ids)
        if purse is not None:
            purse.fill(1 - done.num_tries, 0)
            purse.give_back(row.length - num_in, row.max_new - num_out)
        spent = (num_in, num_out, done.num_tries, done.seconds * 1000)
        tell(rows[place][0], Reply(outcome, text, done.problem, tokens, *spent, _top_k(loaded, done)))


def _top_k(loaded: _Loaded, done: Decoded) -> ToldTopK | None:
    """The best tokens of a whole reply, its end included, where they were asked for."""
    if done.best is None:
        return None
    tokens = np.array([*done.ids, done.end])
    return ToldTopK(loaded.tokenizer, TopK(tokens, done.best.ids.astype(np.int64), done.best.logprobs))
