"""The student of a teacher of product photographs, by the product's own code: it learns from replies and never sees gold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.fashion_products import Product
from benchmarks.fashion_shop import Arm, Shop, replies_of
from jobs.tags.asking import Reply
from jobs.tags.compact_student import Sizes, as_folder, compact_student
from jobs.tags.distill_training import Training, make_deterministic
from jobs.tags.first_sight import open_eyes
from jobs.tags.lesson_batches import Pupil, Recipe
from jobs.tags.lessons import Lesson
from jobs.tags.local_model import LocalModel
from jobs.tags.teacher_top_k import StoredTopK, tokenizer_hash, write_top_k
from models.tags.chain import parse_reply
from models.tags.prompt import NoteText

NUM_STOPPING = 96  # lessons of the transfer part that say when to stop
TOP_K = 12
STEPS = 2500
EYE_STEPS = 1600  # as many as the teacher's


def make_student(shop: Shop, arm: Arm, teacher: LocalModel, folder: Path, seed: int) -> LocalModel:
    """Ask the teacher about its half and the transfer part, teach a compact student, and save it."""
    made = LocalModel(folder, "student", teacher.max_new_tokens)
    if (folder / "config.json").is_file():
        return made
    products = [*shop.by_split["teacher"], *shop.by_split["transfer"]]
    questions = [shop.question(product, arm, "chain") for product in products]
    replies, _ = replies_of(replace(teacher, top_k=TOP_K), questions)
    said = zip(products, [shop.note(p, arm) for p in products], questions, replies, strict=True)
    found = [(lesson, r.top_k) for p, n, _, r in said if (lesson := _lesson(p, n, r)) is not None]
    top_k = folder.parent / "top_k"
    top_k.mkdir(parents=True, exist_ok=True)
    write_top_k(top_k, {lesson.answer: told for lesson, told in found if lesson.answer and told is not None})
    return taught(shop, teacher, [lesson for lesson, _ in found], top_k, folder, seed)


def taught(
    shop: Shop, teacher: LocalModel, lessons: Sequence[Lesson], top_k: Path, folder: Path, seed: int
) -> LocalModel:
    """A compact student after its lessons."""
    make_deterministic(seed)
    student = compact_student([], seed, Sizes(), str(teacher.folder))
    num_tokens = len(student.tokenizer)
    pupil = Pupil(student, shop.pages, StoredTopK(top_k, tokenizer_hash(student.tokenizer), num_tokens))
    open_eyes(student, lessons[:-NUM_STOPPING], EYE_STEPS, seed)
    Training(pupil, Recipe(STEPS, seed, has_looks=True), lessons[:-NUM_STOPPING], lessons[-NUM_STOPPING:]).run()
    folder.mkdir(parents=True, exist_ok=True)
    as_folder(student, folder)
    return LocalModel(folder, "student", teacher.max_new_tokens)


def _lesson(product: Product, note: NoteText, reply: Reply) -> Lesson | None:
    """What the teacher said of a product; None where no tag can be read from it."""
    read = parse_reply(reply.text, note.evidence_text(), has_picture=True, is_truncated=reply.outcome == "truncated")
    if reply.outcome != "ok" or read.status != "ok":
        return None
    answer = hashlib.sha256(f"{product.id} {reply.text}".encode()).hexdigest()
    columns = [tuple(getattr(tag, name) for tag in read.tags) for name in ("dimension", "value", "evidence")]
    said = (reply.text, *columns, answer, "teacher", hashlib.sha256(note.title.encode()).hexdigest())
    return Lesson(product.id, note, product.image, *said)
