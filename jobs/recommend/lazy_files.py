"""The lazy recommender in a folder: `config.json`, which names the family and its sizes, and `model.safetensors`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from jobs.lake import LakeError, write_atomically
from models.recommend.id_tokens import IdTokens
from models.recommend.lazy import Config, Lazy

FAMILY = "lazy"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_network(network: Any, folder: Path) -> None:
    """Write a network: lazy ones so, all others as transformers does."""
    if not isinstance(network, Lazy):
        network.save_pretrained(folder)
        return
    ids = network.id_tokens
    words = {"first": ids.first, "sizes": list(ids.sizes), "num_tokens": network.num_tokens}
    facts = {"family": FAMILY, **words, "config": asdict(network.config)}
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_atomically(folder / WEIGHTS, save(tensors))
    write_atomically(folder / CONFIG, (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode())


def is_lazy(folder: Path) -> bool:
    """Whether the network in a folder is a lazy one."""
    path = folder / CONFIG
    return path.exists() and json.loads(path.read_bytes()).get("family") == FAMILY


def open_lazy(folder: Path) -> Lazy:
    """The network. Raises `LakeError` where the files do not fit each other."""
    facts = json.loads((folder / CONFIG).read_bytes())
    ids = IdTokens(facts["first"], tuple(facts["sizes"]))
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        keys = [tensors[f"key_{level}"] for level in range(ids.num_levels)]
        network = Lazy(ids, facts["num_tokens"], keys, Config(**facts["config"]))
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise LakeError(f"{folder} holds no lazy recommender of its {CONFIG}: {error}; train again") from None
    return network
