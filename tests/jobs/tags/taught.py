"""Notes that a teacher has tagged, in a lake of their own, and students small enough for a test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from jobs.lake import Lake
from jobs.publish_table import publish
from jobs.tags.compact_student import Sizes, as_folder, compact_student
from jobs.tags.lessons import Lesson
from models.tags.prompt import NoteText, prompt_for, prompt_version
from schemas.tag_tables import TEACHER_TAGS
from tests.jobs.lakes import note, publish_notes, stage_rows

DAY = "2026-03-02"
MATERIALS, COLOURS = ("oak", "steel", "linen", "棉"), ("red", "blue", "green")
TINY = Sizes(vocabulary=320, hidden=16, layers=1, heads=2, picture=32, vision_hidden=8, vision_layers=1)


def title(number: int) -> str:
    """The title of a note, which names its material."""
    return f"Chair {number} of {MATERIALS[number % 4]}"


def chain(number: int) -> dict[str, Any]:
    """What the teacher says of a note: its material from the text, its colour from the picture."""
    material, colour = MATERIALS[number % 4], COLOURS[number % 3]
    values = [
        {"dimension": "material", "value": material, "evidence": material},
        {"dimension": "colour", "value": colour, "evidence": "picture"},
    ]
    tags = [f"{v['dimension']}: {v['value']}" for v in values]
    dimensions = ["material", "colour"]
    return {"text": [material], "picture": colour, "dimensions": dimensions, "values": values, "tags": tags}


def picture(folder: Path, number: int) -> str:
    """A picture in the note's colour; its name."""
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (32, 24), COLOURS[number % 3]).save(folder / f"{number}.png")
    return f"{number}.png"


def tagged_note(number: int, images: Path, **other: Any) -> dict[str, Any]:
    """A row of `notes`."""
    kind = ["home"] if number % 5 else ["garden"]
    return note(f"n{number}", title(number), category=kind, image_uris=[picture(images, number)], **other)


def teacher_row(written: dict[str, Any], said: dict[str, Any], **other: Any) -> dict[str, Any]:
    """A row of `teacher_tags` on a note."""
    reply = json.dumps(said, ensure_ascii=False)
    values = said["values"]
    row = {
        "note_id": written["note_id"],
        "content_hash": written["content_hash"],
        "status": "ok",
        "problem": "",
        "dimensions": [v["dimension"] for v in values],
        "tags": [v["value"] for v in values],
        "evidence": [v["evidence"] for v in values],
        "confidences": [1.0] * len(values),
        "observed_text": said["text"],
        "observed_picture": said["picture"],
        "num_ungrounded": 0,
        "num_repeated": 0,
        "num_pictures": 1,
        "reply": reply,
        "answer": hashlib.sha256(f"{written['note_id']} {reply}".encode()).hexdigest(),
        "teacher": "teacher@1",
        "prompt": prompt_version(),
        "handbook": "",
        "tokens_in": 1,
        "tokens_out": 1,
        "num_calls": 1,
        "latency_ms": 1.0,
        "cost": 0.0,
    }
    return {**row, **other}


def publish_taught(lake: Lake, day: str, notes: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Publish notes and what the teacher said of them."""
    publish_notes(lake, day, notes)
    stage_rows(lake, TEACHER_TAGS, day, rows, {})
    publish(lake, TEACHER_TAGS, day)


def publish_numbered(lake: Lake, day: str, images: Path, numbers: Iterable[int]) -> None:
    """Publish the notes of these numbers, each tagged."""
    numbers = list(numbers)
    notes = [tagged_note(n, images) for n in numbers]
    rows = [teacher_row(written, chain(n)) for n, written in zip(numbers, notes, strict=True)]
    publish_taught(lake, day, notes, rows)


def lesson(number: int, images: Path) -> Lesson:
    """A note's lesson, without a lake."""
    said = chain(number)
    return Lesson(
        note_id=f"n{number}",
        note=NoteText(title(number), "Light and dry.", ("home",), ("tent",)),
        picture=images / picture(images, number),
        reply=json.dumps(said, ensure_ascii=False),
        dimensions=tuple(v["dimension"] for v in said["values"]),
        tags=tuple(v["value"] for v in said["values"]),
        evidence=tuple(v["evidence"] for v in said["values"]),
        answer=hashlib.sha256(str(number).encode()).hexdigest(),
        teacher="teacher@1",
        text_hash=str(number),
    )


def texts() -> list[str]:
    """What a tokenizer of these tests is learned from."""
    written = [NoteText(title(n), "Light and dry.", ("home",), ("tent",)) for n in range(8)]
    prompts = [prompt_for(w, None, "tags", has_picture=True).user for w in written]
    return [*prompts, *(json.dumps(chain(n), ensure_ascii=False) for n in range(8))]


def tiny_student(folder: Path, seed: int = 1) -> Path:
    """A real Idefics3 of some ten thousand weights, saved as a user's own student would be."""
    as_folder(compact_student(texts(), seed, TINY), folder)
    return folder


def tiny_causal(folder: Path, seed: int = 1) -> Path:
    """A real Llama of some ten thousand weights, without a chat template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = compact_student(texts(), seed, TINY).tokenizer
    torch.manual_seed(seed)
    sizes = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(sizes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
