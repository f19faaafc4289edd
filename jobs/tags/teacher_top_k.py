"""A local teacher's best tokens at every step of a reply, stored so that a student can learn from their probabilities.

    <lake>/teacher_top_k/{hash}.safetensors   one shard, named by its content: written whole, never changed

For every answer, under the hash that it is filed under: `{answer}.tokens` (T, int32: the reply's tokens, its end
included), `{answer}.ids` (T x K, int32) and `{answer}.logprobs` (T x K, float16: natural logarithms). The metadata's
`format` ends with the hash of the tokenizer, by which a student knows that the token ids mean the same to it. An answer
without probabilities is fine, and so are probabilities of an answer that was lost. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jobs.lake import Lake, LakeError, canonical_json, write_atomically
from jobs.staging import file_hash

FORMAT = "notemill teacher top-k 1"
PARTS = ("tokens", "ids", "logprobs")


class TopK(NamedTuple):
    """One answer: tokens_T, and at each step the best ids_TK with their natural log-probabilities logprobs_TK."""

    tokens: NDArray[np.int64]
    ids_TK: NDArray[np.int64]
    logprobs_TK: NDArray[np.float32]


class ToldTopK(NamedTuple):
    """What comes with a local teacher's reply: the `tokenizer_hash` that says what the ids mean, and the tokens."""

    tokenizer: str
    top_k: TopK


def top_k_room(lake: Lake) -> Path:
    """Where the shards lie."""
    return lake.root / "teacher_top_k"


def tokenizer_hash(tokenizer: Any) -> str:
    """What a token id means: vocabulary, merges, how text is cut. Settings of padding and tokens added behind are left out,
    so that a student may add its own. `""` for a tokenizer that cannot say."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ""
    known = json.loads(backend.to_str())
    parts = {name: known[name] for name in ("model", "pre_tokenizer", "normalizer")}
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def write_top_k(room: Path, answers: Mapping[str, ToldTopK]) -> list[Path]:
    """Write a shard for every tokenizer among the answers, which are by the hash that they are filed under."""
    return [
        _write_shard(room, tokenizer, {a: told.top_k for a, told in answers.items() if told.tokenizer == tokenizer})
        for tokenizer in sorted({told.tokenizer for told in answers.values()})
    ]


def _write_shard(room: Path, tokenizer: str, answers: Mapping[str, TopK]) -> Path:
    tensors = {}
    for answer, top in sorted(answers.items()):
        tensors[f"{answer}.tokens"] = top.tokens.astype(np.int32)
        tensors[f"{answer}.ids"] = top.ids_TK.astype(np.int32)
        tensors[f"{answer}.logprobs"] = top.logprobs_TK.astype(np.float16)
    content = save(tensors, {"format": f"{FORMAT} {tokenizer}"})  # one entry: several come in an order by chance
    path = room / f"{hashlib.sha256(content).hexdigest()[:32]}.safetensors"
    write_atomically(path, content)
    return path


class StoredTopK:
    """The shards of a folder that speak a given tokenizer's ids; a student reads so many different tokens of it."""

    def __init__(self, folder: Path, tokenizer: str, num_tokens: int | None = None) -> None:
        """Raises `LakeError` where a file is no shard."""
        self.num_tokens = num_tokens
        self.shard_of: dict[str, Path] = {}
        self.hashes: dict[str, str] = {}
        for path in sorted(folder.glob("*.safetensors")) if tokenizer else []:
            try:
                with safe_open(path, "np") as file:
                    facts, names = file.metadata() or {}, list(file.keys())
            except (SafetensorError, OSError) as error:
                raise LakeError(
                    f"{path} is no shard of a teacher's top-k tokens ({error}): remove it"
                ) from None
            if facts.get("format") != f"{FORMAT} {tokenizer}":
                continue
            self.hashes[path.name] = file_hash(path)
            self.shard_of |= {n.removesuffix(".tokens"): path for n in names if n.endswith(".tokens")}

    def __call__(self, answer: str) -> TopK | None:
        """The answer's tokens and probabilities; None where there are none, or one that the student does not have: a
        teacher may have tokens added behind. Raises `LakeError` where they do not fit."""
        path = self.shard_of.get(answer)
        if path is None:
            return None
        with safe_open(path, "np") as file:
            tokens, ids, logprobs = (file.get_tensor(f"{answer}.{part}") for part in PARTS)
        if tokens.ndim != 1 or ids.shape != logprobs.shape or ids.ndim != 2 or len(ids) != len(tokens):
            raise LakeError(
                f"{path}: answer {answer} has {len(tokens)} tokens and probabilities of {ids.shape}: remove it"
            )
        if self.num_tokens is not None and max(tokens.max(initial=0), ids.max(initial=0)) >= self.num_tokens:
            return None
        return TopK(tokens.astype(np.int64), ids.astype(np.int64), logprobs.astype(np.float32))
