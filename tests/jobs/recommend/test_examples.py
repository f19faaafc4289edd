"""What is learned from: windows hold every training answer once, and batches hold what the examples say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from jobs.lake import Lake
from jobs.recommend.batches import IGNORED, Piece, causal_batch, in_parts, pieces_of, seq2seq_batch, share_of
from jobs.recommend.compact_tokenizer import compact_tokenizer
from jobs.recommend.examples import (
    MAX_TOKENS,
    Lesson,
    Row,
    open_examples,
    save_examples,
    sentence_lesson,
    terse_lesson,
    tokenised,
    windows,
)
from jobs.recommend.instruction_rows import instruction_rows, training_histories, training_profiles
from models.recommend.prompts import Instruction, Profile
from tests.jobs.recommend.taught import DAY, publish_taught, rows_of, semantic_id

ANYONE = Profile()
WORDS = "<gender:unknown> <age:unknown> <marital:unknown> <children:unknown>"


def row(user: str, position: int, history: list[int], answer: int) -> Row:
    ids = [f"<a_{item}>" for item in history]
    return Row(
        "next_item", user, f"<a_{answer}>", position, ids, ANYONE, Instruction("", "", f"<a_{answer}>")
    )


def rows_for(user: str, items: list[int], history: int, first: int = 0) -> list[Row]:
    return [row(user, at, items[max(0, at - history) : at], items[at]) for at in range(first, len(items))]


def items_of(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"<a_(\d+)>", text)]


def test_a_short_history_is_one_window_with_all_its_answers() -> None:
    assert list(windows(rows_for("u", [7, 8, 9], 4), 4)) == [Lesson(WORDS, "<a_7><a_8><a_9>")]


def test_a_long_history_goes_on_with_half_a_window_as_what_is_known() -> None:
    found = [
        (items_of(lesson.prompt), items_of(lesson.answer))
        for lesson in windows(rows_for("u", list(range(9)), 4), 4)
    ]
    assert found == [([], [0, 1, 2, 3, 4]), ([3, 4], [5, 6, 7]), ([6, 7], [8])]


def test_where_the_first_answers_are_left_out_the_window_knows_what_came_before() -> None:
    found = list(windows(rows_for("u", list(range(6)), 4, first=4), 4))
    assert [(items_of(lesson.prompt), items_of(lesson.answer)) for lesson in found] == [([2, 3], [4, 5])]


def test_rows_that_do_not_follow_each_other_are_windows_of_their_own() -> None:
    rows = [row("u", 0, [], 1), row("u", 2, [1, 2], 3), row("v", 3, [1, 2, 3], 4), row("v", 4, [9, 9], 5)]
    found = [(items_of(lesson.prompt), items_of(lesson.answer)) for lesson in windows(rows, 4)]
    assert found == [([], [1]), ([1, 2], [3]), ([2, 3], [4]), ([9, 9], [5])]


@pytest.mark.parametrize("history", [1, 2, 5, 20])
def test_windows_cover_every_answer_once_after_what_really_came_before(history: int) -> None:
    dice = np.random.default_rng(history)
    items = {f"u{u}": dice.integers(0, 9, size=dice.integers(1, 50)).tolist() for u in range(30)}
    rows = [found for user, events in items.items() for found in rows_for(user, events, history)]
    left = [(r.history, r.semantic_id) for r in rows]
    for lesson in windows(rows, history):
        known, answers = items_of(lesson.prompt), items_of(lesson.answer)
        assert len(known) + len(answers) <= history + 1
        for answer in answers:
            real, target = left.pop(0)
            assert target == f"<a_{answer}>"
            told = [f"<a_{item}>" for item in known]
            assert told == real[len(real) - len(told) :]
            assert len(told) >= min(len(real), max(1, history // 2))
            known.append(answer)
    assert left == []


def test_rows_of_a_part_come_by_user_and_position_and_one_language_where_words_do_not_matter(
    lake: Lake, quick_publish: None
) -> None:
    rows = rows_of({"u1": ["n01", "n02", "n03", "n04", "n05"], "u0": ["n06", "n07", "n08", "n09"]})
    doubled = [{**r, "language": "zh", "instruction_id": r["instruction_id"][::-1]} for r in rows]
    publish_taught(lake, rows[::-1] + doubled)
    found = list(instruction_rows(lake, DAY, "leave_one_out", "train", ("next_item",)))
    assert [(r.user_id, r.position, r.semantic_id) for r in found] == [
        ("u0", 1, semantic_id("n07")),
        ("u1", 1, semantic_id("n02")),
        ("u1", 2, semantic_id("n03")),
    ]
    assert len(list(instruction_rows(lake, DAY, "leave_one_out", "train", ("next_item",), ("zh", "en")))) == 6
    assert len(list(instruction_rows(lake, DAY, "leave_one_out", "train", ("next_item",), ("zh",)))) == 3
    assert list(training_histories(lake, DAY, "leave_one_out")) == [["n06", "n07"], ["n01", "n02", "n03"]]
    assert training_profiles(lake, DAY) == [Profile("female", "25-34", "married", "yes"), Profile()]
    with pytest.raises(ValueError, match="no split 'by_hand'"):
        list(instruction_rows(lake, DAY, "by_hand", "train", ("next_item",)))
    with pytest.raises(ValueError, match="no part 'all'"):
        list(instruction_rows(lake, DAY, "by_date", "all", ("next_item",)))


@pytest.mark.parametrize("split", ["leave_one_out", "by_date"])
def test_no_answer_that_is_held_out_is_learned(lake: Lake, quick_publish: None, split: str) -> None:
    rows = rows_of({"u1": ["n01", "n02", "n03", "n04", "n05"], "u2": ["n06", "n07", "n08", "n09"]})
    for found in rows:  # by date the second user's last two answers come later than the first one's
        found["by_date"] = "test" if found["user_id"] == "u2" and found["position"] > 1 else "train"
    publish_taught(lake, rows)
    held_out = {r["semantic_id"] for r in rows if r[split] != "train"}
    learned = list(windows(instruction_rows(lake, DAY, split, "train", ("next_item",)), 5))
    assert len(learned) == 2
    assert len(held_out) == (4 if split == "leave_one_out" else 2)
    assert not any(text in lesson.prompt + lesson.answer for lesson in learned for text in held_out)


def test_lessons_say_what_the_row_says() -> None:
    asked = Instruction("Tell the title.", "The note's ID: <a_3>", "a tent")
    title = Row("id_to_title", None, "<a_3>", 0, [], ANYONE, asked)
    assert terse_lesson(title, 5) == Lesson("<task:id_to_title> The note's ID: <a_3>", "a tent", is_text=True)
    assert sentence_lesson(title) == Lesson("Tell the title.\nThe note's ID: <a_3>\n", "a tent", is_text=True)
    following = row("u", 2, [1, 2], 3)
    assert terse_lesson(following, 1) == Lesson(f"{WORDS} <a_2>", "<a_3>")


def test_examples_are_prompt_and_answer_and_survive_the_disk(tmp_path: Path) -> None:
    tokenizer = compact_tokenizer((4,), ["<task:x>"], ["a tent", "tents"])
    first = tokenizer.convert_tokens_to_ids("<a_0>")
    word, stop = tokenizer.convert_tokens_to_ids("<task:x>"), tokenizer.eos_token_id
    tent = tokenizer("a tent", add_special_tokens=False)["input_ids"]
    found = tokenised(tokenizer, [Lesson("<task:x> <a_1>", "<a_2>"), Lesson("<a_3>", "a tent", is_text=True)])
    assert found.token_M.tolist() == [word, first + 1, first + 2, first + 3, *tent, stop]
    assert found.learned_N.tolist() == [1, len(tent) + 1]
    assert found.lengths.tolist() == [3, len(tent) + 2]
    save_examples(tmp_path, "train", found)
    again = open_examples(tmp_path, "train")
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))
    assert isinstance(again.token_M, np.memmap)


def test_what_is_too_long_loses_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = compact_tokenizer((4,), [])
    found = tokenised(tokenizer, [Lesson("<a_0>" * MAX_TOKENS, "<a_1>")])
    assert found.token_M.tolist() == [3] * (MAX_TOKENS - 1) + [4]
    assert found.learned_N.tolist() == [1]
    assert "1 examples lost their beginning" in caplog.text


def test_batches_pad_on_the_side_their_model_needs() -> None:
    tokenizer = compact_tokenizer((9,), [])
    found = tokenised(tokenizer, [Lesson("<a_1><a_2>", "<a_3>"), Lesson("<a_4>", "<a_5><a_6>")])
    causal = causal_batch(pieces_of(found, np.array([0, 1])), pad=0)
    assert causal.token_BT.tolist() == [[4, 5, 6], [7, 8, 9]]
    assert causal.label_BA.tolist() == [[IGNORED, 6], [8, 9]]
    asked = seq2seq_batch(pieces_of(found, np.array([0, 1])), pad=0)
    assert asked.token_BT.tolist() == [[4, 5], [7, 0]]
    assert asked.mask_BT.tolist() == [[1, 1], [1, 0]]
    assert asked.label_BA.tolist() == [[6, IGNORED], [8, 9]]


def test_processes_share_a_step_in_parts_and_some_may_have_nothing() -> None:
    pieces = [Piece(np.array([n, n + 1], dtype=np.int32), 1) for n in range(5)]
    shares = [[int(piece.token_T[0]) for piece in share_of(pieces, rank, 2)] for rank in range(2)]
    assert shares == [[0, 2, 4], [1, 3]]
    assert [len(part) for part in in_parts(pieces, 3)] == [1, 2, 2]
    assert [len(part) for part in in_parts(pieces[:1], 3)] == [0, 0, 1]
    for build in (causal_batch, seq2seq_batch):
        nothing = build([], pad=0)
        assert (nothing.label_BA == IGNORED).all()
        assert (nothing.mask_BT == 1).all()  # else its softmax would be of nothing
