"""One process of a training: reads a prepared folder, trains, and the first of them leaves what was learned in it.

    base/                     the network before it learns, as transformers saves it
    train.*.npy, valid.*.npy  examples as arrays, mapped by every process
    recipe.json
    state.safetensors         between steps; state.before.safetensors is the one before
    learned.safetensors       the best weights of what was trained; written last

Several processes are started by torchrun with this file and the folder as its argument.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jobs.lake import LakeError
from jobs.recommend.adapters import with_adapters
from jobs.recommend.examples import open_examples
from jobs.recommend.lazy_files import is_lazy, open_lazy
from jobs.recommend.recipe import Recipe, recipe_from
from jobs.recommend.training import Training
from jobs.recommend.training_state import State, load_state, save_state

BASE, RECIPE, STATE, LEARNED = "base", "recipe.json", "state.safetensors", "learned.safetensors"
log = logging.getLogger("notemill")


def learn(folder: Path) -> None:
    """Train what the folder holds, unless it is learned already."""
    recipe = read_recipe(folder)
    if load_state(folder / LEARNED, recipe.as_json()) is not None:
        return
    began = time.monotonic()
    accelerator = accelerator_for(recipe)
    network = with_adapters(open_network(folder / BASE, recipe.is_encoder_decoder), recipe)
    training = Training(
        network, recipe, open_examples(folder, "train"), open_examples(folder, "valid"), accelerator
    )
    best = training.run(folder / STATE)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        facts = {
            "recipe": recipe.as_json(),
            "curve": training.curve,
            "best_epoch": best.epoch,
            "best_loss": best.loss,
            "steps": training.step,
            "is_stopped": training.is_stopped,
            "num_processes": accelerator.num_processes,
            "device": accelerator.device.type,
            "clock": {**asdict(training.train.clock), "waited_share": training.train.clock.waited_share},
            "seconds": time.monotonic() - began,
        }
        save_state(folder / LEARNED, State(best.weights, facts))
    accelerator.end_training()


def accelerator_for(recipe: Recipe) -> Any:
    """Accelerate's view of this process among the others.

    Raises `LakeError` where there are not as many as the recipe says: each would learn everything alone, unnoticed.
    """
    import torch
    from accelerate import Accelerator

    num_devices = torch.cuda.device_count()
    if 0 < num_devices < recipe.processes:
        raise LakeError(
            f"recommend.processes is {recipe.processes}: this machine has {num_devices} accelerators"
        )
    if recipe.precision == "fp16" and num_devices == 0:
        raise LakeError("recommend.precision is fp16, which takes an accelerator, and there is none: write no or bf16")
    # Without an accelerator Accelerate must be told so, or it lets every process train by itself.
    found = Accelerator(mixed_precision=recipe.precision, cpu=num_devices == 0)
    if found.num_processes != recipe.processes:
        raise LakeError(f"{found.num_processes} processes train together, {recipe.processes} were asked for")
    return found


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a prepared folder."""
    return recipe_from(json.loads((folder / RECIPE).read_bytes()))


def open_network(folder: Path, is_encoder_decoder: bool) -> Any:
    """A network from weights as transformers saves them, or as `lazy_files` does, in float32."""
    if is_lazy(folder):
        return open_lazy(folder)
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # in a log it is but noise
    family = AutoModelForSeq2SeqLM if is_encoder_decoder else AutoModelForCausalLM
    return family.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, use_safetensors=True, dtype="float32"
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout, force=True)
    log.setLevel(logging.INFO)
    learn(Path(sys.argv[1]))
