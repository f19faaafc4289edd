"""A generation as the first version of the quantizer wrote it: an RQ-VAE's weights and sizes, no kind, no notes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from jobs.artifact import Artifacts
from jobs.lake import Lake
from models.ids.rqvae import RQVAE, Config
from tests.jobs.ids.embedded import DIMS, ENCODER

GENERATION = "g00000earlier"


def write_earlier(lake: Lake, day: str) -> RQVAE:
    """Write and promote it; the network."""
    torch.manual_seed(5)
    config = Config(DIMS, levels=2, codes=4, hidden_dims=(16,), latent_dim=4)
    model = RQVAE(config)
    torch.nn.init.normal_(model.codebooks_LKE)

    def build(folder: Path) -> dict[str, Any]:
        (folder / "model.safetensors").write_bytes(save(dict(model.state_dict())))
        (folder / "config.json").write_text(json.dumps(asdict(config)))
        (folder / "card.md").write_text("as it was\n")
        return {"encoders": [ENCODER], "settings": {**asdict(config), "epochs": 1, "seed": 5}}

    artifacts = Artifacts(lake, "quantizer")
    artifacts.write(GENERATION, build)
    artifacts.promote(GENERATION, day)
    return model
