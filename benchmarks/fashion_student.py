"""The student of a teacher of product photographs, by the product's own code: it learns from replies and never sees gold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.fashion_products import Product
from benchmarks.fashion_shop import Arm, Shop, replies_of
from jobs.tags.asking import Question, Reply
from jobs.tags.compact_student import Sizes, as_folder, compact_student
from jobs.tags.distill_training import Training, make_deterministic
from jobs.tags.encoding import load_reader
from jobs.tags.first_sight import open_eyes
from jobs.tags.lesson_batches import Pupil, Recipe
from jobs.tags.lessons import Lesson
from jobs.tags.local_model import LocalModel
from jobs.tags.teacher_top_k import StoredTopK, TopK, tokenizer_hash, write_top_k
from models.tags.chain import parse_reply
from models.tags.prompt import NoteText

NUM_STOPPING = 96  # lessons of the transfer part that say when to stop
TOP_K = 12
STEPS = 2000
EYE_STEPS = 1000


def make_student(shop: Shop, arm: Arm, teacher: LocalModel, folder: Path, seed: int) -> LocalModel:
    """Ask the teacher about its half and the transfer part, teach a compact student, and save it."""
    made = LocalModel(folder, "student", teacher.max_new_tokens)
    if (folder / "config.json").is_file():
        return made
    products = [*shop.by_split["teacher"], *shop.by_split["transfer"]]
    questions = [shop.question(product, arm, "chain") for product in products]
    replies, _ = replies_of(teacher, questions)
    said = zip(products, [shop.note(p, arm) for p in products], questions, replies, strict=True)
    found = [(question, lesson) for p, n, question, r in said if (lesson := _lesson(p, n, r)) is not None]
    top_k = folder.parent / "top_k"
    top_k.mkdir(parents=True, exist_ok=True)
    reader = load_reader(teacher.folder, reads_pictures=True)
    told = _top_k(teacher.folder, [q for q, _ in found], [lesson for _, lesson in found])
    write_top_k(top_k / "replies.safetensors", tokenizer_hash(reader.tokenizer), told)
    return taught(shop, teacher, [lesson for _, lesson in found], top_k, folder, seed)


def taught(
    shop: Shop, teacher: LocalModel, lessons: Sequence[Lesson], top_k: Path, folder: Path, seed: int
) -> LocalModel:
    """A compact student after its lessons."""
    make_deterministic(seed)
    student = compact_student([], seed, Sizes(), str(teacher.folder))
    pupil = Pupil(student, shop.pages, StoredTopK(top_k, tokenizer_hash(student.tokenizer)))
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


@torch.inference_mode()
def _top_k(teacher: Path, questions: Sequence[Question], lessons: Sequence[Lesson]) -> dict[str, TopK]:
    """The teacher's best tokens at every step of its replies."""
    from transformers import AutoModelForImageTextToText

    network = AutoModelForImageTextToText.from_pretrained(teacher, dtype=torch.float32).eval()
    reader = load_reader(teacher, reads_pictures=True)
    found = {}
    for question, lesson in zip(questions, lessons, strict=True):
        words, pictures = reader.read(question)
        reply = reader.tokenizer(lesson.reply, add_special_tokens=False)["input_ids"] + [reader.tokenizer.eos_token_id]
        ids = torch.cat([words["input_ids"], torch.tensor([reply])], dim=1)
        logits_TV = network(input_ids=ids, **pictures, logits_to_keep=len(reply) + 1).logits[0, :-1]
        best = logits_TV.float().log_softmax(-1).topk(TOP_K)
        found[lesson.answer or ""] = TopK(np.array(reply), best.indices.numpy(), best.values.numpy())
    return found

