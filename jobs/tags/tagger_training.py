"""One generation of the tagger: the student is opened or made, trained, judged on the frozen notes, and written whole."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.config import Config
from jobs.lake import Lake, write_atomically
from jobs.staging import code_hash
from jobs.tags.compact_student import Sizes, as_folder, compact_student
from jobs.tags.distill_training import Best, Training, make_deterministic
from jobs.tags.first_sight import open_eyes
from jobs.tags.lesson_batches import Pupil, Recipe
from jobs.tags.lessons import Lesson, Lessons, clicked_notes, lessons_hash
from jobs.tags.lora import merged, rank_for, with_lora
from jobs.tags.student import KIND, load_folder
from jobs.tags.student_model import StudentModel, open_student
from jobs.tags.tagger_card import tagger_card, write_curves
from jobs.tags.tagger_gate import MAX_JUDGED, gate_figures, judge
from jobs.tags.tagger_inputs import Inputs, compact_after, folder_of
from jobs.tags.teacher_top_k import StoredTopK, tokenizer_hash, top_k_room
from models.tags.handbook import Page, page_for
from models.tags.prompt import prompt_for, prompt_version

TOKENIZER_LESSONS = 20_000  # of these a new tokenizer learns
EYE_STEPS_SHARE = 0.5  # of the steps with text, by which a compact student sees first
MAX_STOPPING = 128  # notes looked at after every round to say when to stop
log = logging.getLogger("notemill")


def train(
    lake: Lake, config: Config, generation: str, inputs: Inputs, lessons: Lessons, folder: Path
) -> dict[str, Any]:
    """Train into `folder` and return the facts for the manifest."""
    settings = config.tags
    state = lake.root / "artifacts" / KIND / f".{generation}.training" / "state.safetensors"
    is_compact = not settings.student
    recipe = Recipe(settings.distill_steps, settings.seed, settings.rationale_weight, has_looks=is_compact)
    make_deterministic(settings.seed)
    student = new_student(config, lessons.training, inputs.pages)
    if is_compact:
        eye_steps, kept = round(recipe.steps * EYE_STEPS_SHARE), state.with_name("eyes.safetensors")
        open_eyes(student, lessons.training, eye_steps, settings.seed, kept)
    rank = rank_for(student.network.num_parameters(), settings.lora_rank)
    num_tokens = student.network.get_input_embeddings().num_embeddings
    top_k_of = StoredTopK(top_k_room(lake), tokenizer_hash(student.tokenizer), num_tokens)
    num_top_k = sum(lesson.answer in top_k_of.shard_of for lesson in lessons.training)
    log.info(
        "tagger %s: %d parameters learn from %d notes, %d of them with the teacher's probabilities; %d lost their picture, "
        "%d say what a frozen note says",
        generation, student.network.num_parameters(), len(lessons.training), num_top_k, lessons.num_lost, lessons.num_copies,
    )  # fmt: skip
    training = Training(
        Pupil(with_lora(student, rank), inputs.pages, top_k_of),
        recipe,
        lessons.training,
        lessons.stopping[:MAX_STOPPING],
    )
    best = training.run(state)
    as_folder(merged(training.pupil.student), folder)
    facts = {
        **_learned(recipe, training, best),
        **_depends(inputs, lessons),
        "lora_rank": rank,
        "num_top_k": num_top_k,
        "num_parameters": student.network.num_parameters(),
        "figures": judged_figures(lake, config, inputs, lessons.frozen[:MAX_JUDGED], folder),
    }
    write_curves(folder, training.curve, best.step)
    write_atomically(folder / "card.md", tagger_card(generation, facts).encode())
    return facts


def new_student(config: Config, lessons: Sequence[Lesson], pages: Mapping[str, Page]) -> StudentModel:
    """The student before it learns: the configured one, else a compact one."""
    if config.tags.student:
        return open_student(folder_of(config.tags.student, config.home))
    return compact_student(_texts(lessons, pages), config.tags.seed, Sizes(), compact_after(config))


def _texts(lessons: Sequence[Lesson], pages: Mapping[str, Page]) -> Iterator[str]:
    """What a tokenizer learns from: prompts as they will be, replies, and tags by themselves."""
    for lesson in lessons[:TOKENIZER_LESSONS]:
        page = page_for(pages, lesson.note.category)
        prompt = prompt_for(lesson.note, page, "chain", has_picture=lesson.picture is not None)
        yield from (prompt.user, lesson.reply, *lesson.tags)


def judged_figures(
    lake: Lake, config: Config, inputs: Inputs, frozen: Sequence[Lesson], folder: Path
) -> dict[str, Any]:
    """The gate's figures of the student as it was written, not as it stands in memory."""
    found = judge(load_folder(folder, "candidate", config.tags.max_new_tokens), frozen, inputs.pages)
    clicked = clicked_notes(lake, inputs.reads, [lesson.note_id for lesson in frozen])
    return gate_figures(frozen, found, clicked)


def _learned(recipe: Recipe, training: Training, best: Best) -> dict[str, Any]:
    return {
        "settings": dataclasses.asdict(recipe),
        "seed": recipe.seed,
        "steps": training.step,
        "stopped_early": training.is_stopped,
        "best_step": best.step,
        "held_out": {"wrong_share": best.score[0], "loss": best.score[1]},
    }


def _depends(inputs: Inputs, lessons: Lessons) -> dict[str, Any]:
    everyone = [*lessons.training, *lessons.stopping, *lessons.frozen]
    return {
        "depends_on": {
            "reads": dict(inputs.reads),
            "code": code_hash(),
            "top_k": dict(inputs.top_k),
            "pages": {name: page.version for name, page in sorted(inputs.pages.items())},
        },
        "prompt": prompt_version(),
        "started_from": inputs.started_from,
        "teachers": sorted({lesson.teacher for lesson in everyone}),
        "num_training": len(lessons.training),
        "num_stopping": len(lessons.stopping),
        "num_frozen": len(lessons.frozen),
        "frozen": lessons_hash(lessons.frozen),
        "num_lost_pictures": lessons.num_lost,
        "num_copies_of_frozen": lessons.num_copies,
    }
