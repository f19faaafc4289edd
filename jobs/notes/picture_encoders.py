"""The picture encoder that a configuration names: where it lies, its identity, and vectors of pictures by it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.config import ConfigError
from jobs.lake import canonical_json
from jobs.model_folder import hashed_files, model_folder
from jobs.tags.pictures import OPTIONS

if TYPE_CHECKING:
    import numpy as np

KEY = "image_encoder"


@dataclass(frozen=True)
class PictureEncoder:
    """A picture encoder: where it lies, and the identity that binds vectors to it."""

    folder: Path
    identity: str


class _Loaded(NamedTuple):
    processor: Any
    network: Any
    has_pooler: bool


def find_picture_encoder(name: str, home: Path) -> PictureEncoder | None:
    """The encoder in a folder (relative to `home`) or under a Hugging Face id; None for the empty name: none is wanted.

    Raises `ConfigError` where it cannot be had, or comes without the settings of its image processor.
    """
    if not name:
        return None
    folder = model_folder(name, home, KEY)
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{KEY}: {folder} holds no config.json, so it is no model of transformers")
    if not any((folder / file).is_file() for file in ("preprocessor_config.json", "processor_config.json")):
        raise ConfigError(
            f"{KEY}: {folder} holds no preprocessor_config.json, which says how a picture is prepared: save the model's "
            "image processor beside it"
        )
    digest = hashlib.sha256(canonical_json([hashed_files(folder), _options(), OPTIONS]))
    return PictureEncoder(folder, f"{name.rstrip('/').rsplit('/', 1)[-1]}@{digest.hexdigest()[:12]}")


def _options() -> dict[str, int]:
    from models.notes.picture_encoder import Config

    return asdict(Config())


def embed_pictures(folder: Path, pngs: Sequence[bytes]) -> np.ndarray:
    """vectors_ND of pictures as `as_png` gives them, by the encoder in `folder`; it is loaded once a process."""
    from models.notes.picture_encoder import Config, embed

    loaded = _loaded(folder)
    return embed(loaded.network, [_prepared(loaded.processor, png) for png in pngs], Config(), loaded.has_pooler)


def _prepared(processor: Any, png: bytes) -> np.ndarray:
    """One picture at a time, so that how it is prepared cannot depend on its neighbours."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        pixels = processor(images=picture.convert("RGB"), return_tensors="np")["pixel_values"]
    if np.ndim(pixels) != 4:
        raise ConfigError(
            f"{KEY}: its image processor makes {np.ndim(pixels)}-dimensional input, not one picture of channels x height "
            "x width: name an encoder such as CLIP, SigLIP, DINOv2 or ViT"
        )
    return np.asarray(pixels[0], dtype=np.float32)


@cache
def _loaded(folder: Path) -> _Loaded:
    import torch
    from transformers import AutoImageProcessor, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)  # Spark runs one worker a core; and other bits would come out
    processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, backend="pil")
    network, report = AutoModel.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    lost = [name for name in missing if not name.startswith("pooler.")]
    if lost:
        # What a folder lacks is drawn at random, other each time.
        raise ConfigError(f"{KEY}: {folder} lacks {len(lost)} weights of its network, such as {lost[0]}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return _Loaded(processor, network.to(device).eval(), has_pooler=not missing)
