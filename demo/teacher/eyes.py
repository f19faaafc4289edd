"""Teaches the encoder of pictures to see before the network learns to speak, as image-text models are made.

What only a picture shows (colour, pattern, form) is read from the mean of the vectors that the language model gets of
it, by linear layers that are thrown away afterwards. A step costs a fraction of one with text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Idefics3ForConditionalGeneration

from demo.teacher.chains import LOOKS
from demo.teacher.lessons import School

BATCH, RATE = 32, 3e-3


def open_eyes(
    network: Idefics3ForConditionalGeneration,
    picture: Callable[[int], Tensor],
    school: School,
    steps: int,
    seed: int,
) -> Iterator[tuple[float, float]]:
    """Train encoder and connector in place; yields every step's loss and the seconds since the first began.

    `picture` gives the pixels of a note's picture, (1, 3, side, side).
    """
    started = time.monotonic()
    rng = np.random.default_rng([seed, 4])
    torch.manual_seed(seed)
    readers = nn.ModuleList(nn.Linear(network.config.text_config.hidden_size, len(w)) for w in LOOKS.values())
    true_N3 = torch.tensor(np.stack([getattr(school.notes, look) for look in LOOKS], axis=1).astype(np.int64))
    seeing = [*network.model.vision_model.parameters(), *network.model.connector.parameters()]
    optimizer = torch.optim.AdamW([*seeing, *readers.parameters()], lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 2), pct_start=0.1)
    for _ in range(steps):
        notes = rng.integers(0, len(true_N3), BATCH).tolist()
        pixels_B = torch.stack([picture(note) for note in notes])
        patches = network.model.vision_model(pixel_values=pixels_B[:, 0]).last_hidden_state
        seen_BPD = network.model.connector(patches)
        mean_BD = seen_BPD.mean(1)
        losses = [
            nn.functional.cross_entropy(reader(mean_BD), true_N3[notes, at])
            for at, reader in enumerate(readers)
        ]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield loss.item(), time.monotonic() - started
