"""The teacher's folder: made whole or not at all, and found again under a hash of everything that made it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import torch

from demo.teacher.lessons import draw_lessons, open_school
from demo.teacher.network import Size, make_network, make_processor
from demo.teacher.tokenizer import train_tokenizer
from demo.teacher.training import Course, Encoder, Progress, train

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFEST = "manifest.json"
_CODE = (
    "demo/*.py",
    "demo/teacher/*.py",
    "models/tags/chain.py",
    "models/tags/handbook.py",
    "models/tags/initial.py",
    "models/tags/prompt.py",
)
_PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "pillow")
_APART = 0x7EAC4E5  # between the seed of a world and that of the world its teacher was trained on


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a teacher is, beside the code and the versions of the packages."""

    world_seed: int  # of the world that it will read
    num_notes: int = 6000  # of the world that it is trained on
    num_pieces: int = 1500
    num_stretches: int = 2500
    num_replies: int = 500  # that the tokenizer is trained on
    size: Size = field(default_factory=Size)
    course: Course = field(default_factory=Course)

    @property
    def seed(self) -> int:
        """The seed of the training world and of the weights: never that of the world to be read."""
        return self.world_seed ^ _APART

    def identity(self) -> str:
        """Twelve hexadecimal digits: the same ones, the same teacher."""
        facts = {**asdict(self), "packages": _versions(), "machine": platform.machine()}
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for path in sorted(path for pattern in _CODE for path in ROOT.glob(pattern)):
            digest.update(f"\n{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
        return digest.hexdigest()[:12]


def make_teacher(recipe: Recipe, out: Path, tell: Callable[[Progress], None]) -> tuple[Path, bool]:
    """The folder of the recipe's teacher under `out`, and whether it had to be made.

    It is filled beside its place and renamed once complete: killed at any moment, it is there whole or not at all.
    """
    identity = recipe.identity()
    final = out.resolve() / f"teacher-{identity}"
    if (final / MANIFEST).is_file():
        return final, False
    half = final.parent / f".{final.name}.{os.getpid()}.unfinished"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        losses = _fill(recipe, half, tell)
        _write_manifest(recipe, identity, half, losses)
        if not final.exists():  # else another process was quicker, with the same content
            half.rename(final)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return final, True


def _fill(recipe: Recipe, folder: Path, tell: Callable[[Progress], None]) -> list[float]:
    school = open_school(recipe.seed, recipe.num_notes)
    replies = [lesson.reply for lesson in islice(draw_lessons(school, 0), recipe.num_replies)]
    tokenizer = train_tokenizer(
        school.texts, replies, num_pieces=recipe.num_pieces, num_stretches=recipe.num_stretches
    )
    processor = make_processor(tokenizer)
    network = make_network(tokenizer, recipe.size, recipe.seed)
    losses = train(network, Encoder(school, processor), recipe.course, recipe.seed, tell)
    if not losses or not torch.isfinite(torch.tensor(losses)).all():
        raise RuntimeError("the teacher's loss is no number: train it with a lower rate, or with is_half off")
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return losses


def _write_manifest(recipe: Recipe, identity: str, folder: Path, losses: list[float]) -> None:
    (folder / "README.md").write_text(_card(recipe, losses), encoding="utf-8")
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}
    facts = {
        "identity": identity,
        "recipe": asdict(
            replace(recipe, course=replace(recipe.course, seconds=_finite(recipe.course.seconds)))
        ),
        "training_seed": recipe.seed,
        "packages": _versions(),
        "steps": len(losses),
        "losses": [round(loss, 4) for loss in losses[::10]],
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _finite(seconds: float) -> float:
    return seconds if seconds < float("inf") else 0.0


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


def _card(recipe: Recipe, losses: list[float]) -> str:
    return f"""# The teacher of the demo

A small image-text model (the architecture Idefics3 of `transformers`) that tags the notes of a generated world.
It is **for the demo only**. It was trained from nothing, on this machine, on {recipe.num_notes:,} generated notes
and their pictures, with chains written from what the generator knows; it has seen no real note, no photograph and no
language but the generator's few hundred sentences in English and Chinese. On real notes its answers mean nothing:
name a real model in the configuration instead.

- Trained on the world of seed {recipe.seed}, in memory; the world that it reads has seed {recipe.world_seed}.
- {len(losses)} steps of {recipe.course.batch} lessons, last loss {losses[-1]:.3f}; `manifest.json` has everything else.
- It answers the prompt of `models/tags/prompt.py` in the form of `models/tags/chain.py`, greedily.
- Loads with `AutoProcessor` and `AutoModelForImageTextToText`; needs no network and no torchvision.
"""
