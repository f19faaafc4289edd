"""A trained quantizer on the disk: safetensors weights, `config.json`, `card.md`, read back only as they were written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from jobs.artifact import Artifacts
from jobs.lake import LakeError, write_atomically
from jobs.staging import file_hash
from models.ids.rqvae import RQVAE, Config

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "card.md"


def save_quantizer(folder: Path, config: Config, weights: Mapping[str, Tensor], card: str) -> None:
    """Write the three files; equal weights make equal bytes."""
    write_atomically(folder / WEIGHTS, save({name: weights[name].contiguous() for name in sorted(weights)}))
    write_atomically(folder / CONFIG, json.dumps(asdict(config), indent=1, sort_keys=True).encode())
    write_atomically(folder / CARD, card.encode())


def load_quantizer(artifacts: Artifacts, generation: str) -> RQVAE:
    """The network of a generation, in float64 and ready to give codes.

    Raises `LakeError` where a file is not the one that its manifest names.
    """
    folder = artifacts.folder(generation)
    for name, written in artifacts.manifest(generation)["files"].items():
        if not (folder / name).exists() or file_hash(folder / name) != written:
            raise LakeError(f"{folder / name} is not the file that its manifest names: restore it or train again")
    known = json.loads((folder / CONFIG).read_bytes())
    model = RQVAE(Config(**{**known, "hidden_dims": tuple(known["hidden_dims"])}))
    try:
        model.load_state_dict(load((folder / WEIGHTS).read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise LakeError(f"{folder / WEIGHTS} does not fit its {CONFIG}: {error}") from None
    torch.set_num_threads(1)  # as in training: one thread, the same rounding on every machine
    return model.double().eval()


def quantizer_card(generation: str, facts: Mapping[str, Any]) -> str:
    """The model card, in Markdown."""
    figures, settings = facts["figures"], facts["settings"]
    levels = "\n".join(
        f"| {'abcdefghijklmnopqrstuvwxyz'[i]} | {level['codes_used']} | {level['perplexity']:.1f} | {level['dead_codes']} |"
        for i, level in enumerate(figures["levels"])
    )
    encoders = ", ".join(f"`{name}`" for name in facts["encoders"])
    return f"""# Quantizer {generation}

RQ-VAE as TIGER defines it (arXiv 2305.05065, section 3.1): turns a note's embedding into {settings["levels"]} codes of
{settings["codes"]} each, which are the note's semantic ID.

- Trained on `{facts["trained_on"]}`:
  {facts["num_rows"]} rows ({facts["num_contents"]} different vectors) of {facts["num_notes"]} notes.
- Encoder of the embeddings: {encoders}. Vectors of any other encoder have no meaning here.
- Seed {settings["seed"]}, {settings["epochs"]} epochs; the checkpoint of epoch {facts["epoch"]} had the best health.
- {facts["codes_note"]}

| figure on its training notes | value |
|---|---|
| notes without a full ID of their own | {figures["shared_share"]:.1%} |
| notes that share it with a note of the same vector (no quantizer separates them) | {figures["irreducible_share"]:.1%} |
| different IDs / notes | {figures["unique_rate"]:.1%} |
| different IDs / different vectors | {figures["separable_unique_rate"]:.1%} |
| notes that share the fullest ID | {figures["largest_group"]} |

| level | codes used | perplexity | dead codes |
|---|---|---|---|
{levels}

The tie-break in `semantic_ids` tells notes apart that share all their codes. Codes of new notes keep their meaning as
long as the notes resemble those of training; when the share of shared IDs climbs from day to day, train a new generation.
"""
