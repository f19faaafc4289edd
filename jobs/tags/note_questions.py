"""What a worker does with notes: find their picture and page, look their answer up, ask, and make rows of what is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from jobs.tags.answers import Answered, Answers, answer_key, asked
from jobs.tags.asking import Question, Teacher
from jobs.tags.budget import Purse, estimated_tokens_in
from jobs.tags.pictures import as_png, find_picture
from jobs.tags.tag_rows import answered_row, parsed_answer, unasked_row
from models.tags.chain import REPLY_SCHEMA
from models.tags.handbook import Page, page_for
from models.tags.prompt import NoteText, prompt_for, prompt_version
from schemas.tag_tables import TEACHER_TAGS

Batches = Iterator[pa.RecordBatch]
ROWS_A_CALL = 256  # notes whose pictures are in memory at once; sorted by length among themselves
NOTE_COLUMNS = ("note_id", "content_hash", "created_at", "title", "body", "category", "hashtags", "image_uris")
NOTES_DDL = (
    "note_id string, content_hash string, created_at timestamp, title string, body string, category array<string>, "
    "hashtags array<string>, image_uris array<string>"
)
PREPARED_DDL = f"{NOTES_DDL}, teacher string, prompt string, handbook string, picture string, picture_problem string"
LOOKED_UP_DDL = f"{PREPARED_DDL}, is_sampled boolean, tokens_in bigint, is_filed boolean"
ROWS_DDL = f"{TEACHER_TAGS.ddl()}, is_new boolean"
_ARROW = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}


@dataclass(frozen=True)
class Asking:
    """All that a worker needs; it travels with the task."""

    teacher: Teacher | None
    answers: Answers
    pages: Mapping[str, Page] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    prices: tuple[float, float] = (0.0, 0.0)
    calls_each: float = 1.0  # of the budget, for each note that is asked
    spare_cost_each: float = 0.0
    max_new_tokens: int = 0

    @property
    def identity(self) -> str | None:
        """The teacher's."""
        return self.teacher.identity if self.teacher else None

    def purse(self) -> Purse:
        """An empty one."""
        return Purse(0, 0, *self.prices)


def prepared(asking: Asking) -> Callable[[Batches], Batches]:
    """Notes to the columns of `PREPARED_DDL`: with what else the answer depends on."""

    def prepare(batches: Batches) -> Batches:
        for batch in batches:
            yield _batch([_prepared(row, asking) for row in batch.to_pylist()], PREPARED_DDL)

    return prepare


def _prepared(note: dict[str, Any], asking: Asking) -> dict[str, Any]:
    page = page_for(asking.pages, note["category"])
    found = find_picture(note["image_uris"], asking.roots)
    return {
        **note,
        "teacher": asking.identity,
        "prompt": prompt_version(),
        "handbook": page.version if page else "",
        "picture": found.sha256,
        "picture_problem": found.problem,
    }


def looked_up(asking: Asking) -> Callable[[Batches], Batches]:
    """Prepared notes to the columns of `LOOKED_UP_DDL`: what their question costs at most, and whether it is answered."""

    def look_up(batches: Batches) -> Batches:
        for batch in batches:
            yield _batch([_looked_up(row, asking) for row in batch.to_pylist()], LOOKED_UP_DDL)

    return look_up


def _looked_up(todo: dict[str, Any], asking: Asking) -> dict[str, Any]:
    if asking.identity is None:
        return {**todo, "tokens_in": 0, "is_filed": False}
    question, _ = question_of(todo, asking)
    is_filed = asking.answers.find(answer_key(asking.identity, question)) is not None
    return {**todo, "tokens_in": estimated_tokens_in(question.prompt), "is_filed": is_filed}


def question_of(todo: Mapping[str, Any], asking: Asking) -> tuple[Question, dict[str, Any]]:
    """The question about a prepared note, and the note with what became of its picture."""
    found = find_picture(todo["image_uris"], asking.roots)
    png, problem = as_png(found.content) if found.content is not None else (None, found.problem)
    note = NoteText(todo["title"], todo["body"], tuple(todo["category"]), tuple(todo["hashtags"]))
    page = page_for(asking.pages, todo["category"])
    prompt = prompt_for(note, page, "chain", has_picture=png is not None)
    told = {
        **todo,
        "picture": found.sha256,
        "picture_problem": problem,
        "has_picture": png is not None,
        "evidence_text": note.evidence_text(),
    }
    return Question(prompt, png, REPLY_SCHEMA), told


def asked_rows(asking: Asking) -> Callable[[Batches], Batches]:
    """Looked-up notes with their `verdict` (why nobody is asked; empty where somebody is) to the columns of `ROWS_DDL`."""

    def ask(batches: Batches) -> Batches:
        purse = asking.purse()
        for batch in batches:
            for at in range(0, len(batch), ROWS_A_CALL):
                rows = batch.slice(at, ROWS_A_CALL).to_pylist()
                yield _batch(_rows(rows, asking, purse), ROWS_DDL)

    return ask


def _rows(todo: list[dict[str, Any]], asking: Asking, purse: Purse) -> list[dict[str, Any]]:
    unasked = [{**unasked_row(row, row["verdict"]), "is_new": False} for row in todo if row["verdict"]]
    wanted = [row for row in todo if not row["verdict"]]
    if not wanted:
        return unasked
    if asking.teacher is None:
        raise ValueError("there are notes to ask about and nobody to ask: judge them first")
    for row in wanted:
        if not row["is_filed"]:
            price = purse.price(row["tokens_in"], asking.max_new_tokens)
            purse.fill(asking.calls_each, price + asking.spare_cost_each)
    pairs = [question_of(row, asking) for row in wanted]
    answers = asked(asking.teacher, [question for question, _ in pairs], asking.answers, purse)
    return unasked + [
        _row(told, answered, asking, purse) for (_, told), answered in zip(pairs, answers, strict=True)
    ]


def _row(told: dict[str, Any], answered: Answered, asking: Asking, purse: Purse) -> dict[str, Any]:
    parsed = parsed_answer(answered, told["evidence_text"], has_picture=told["has_picture"])
    cost = purse.price(answered.reply.tokens_in, answered.reply.tokens_out)
    row = answered_row(told, answered, parsed, teacher=asking.identity or "", cost=cost)
    return {**row, "is_new": answered.is_new and answered.reply.num_calls > 0}


def _batch(rows: list[dict[str, Any]], ddl: str) -> pa.RecordBatch:
    if ddl == ROWS_DDL:
        schema = TEACHER_TAGS.arrow_schema().append(pa.field("is_new", pa.bool_()))
    else:
        schema = pa.schema([(c.split(" ")[0], _ARROW[c.split(" ")[1]]) for c in ddl.split(", ")])
    return pa.RecordBatch.from_pylist(rows, schema=schema)
