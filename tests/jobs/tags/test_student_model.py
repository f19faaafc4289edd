"""Students of both kinds: what they read, what they are taught, and what they answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.config import ConfigError
from jobs.tags.asking import Question, Reply
from jobs.tags.local_model import LocalModel
from jobs.tags.student import load_folder
from jobs.tags.student_model import StudentModel, open_student
from models.tags.distillation import IGNORED
from models.tags.prompt import NoteText, Prompt, prompt_for
from tests.jobs.tags.taught import picture, tiny_causal, tiny_student
from tests.jobs.tags.tiny_models import reciting_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_student(tmp_path_factory.mktemp("students") / "tiny")


@pytest.fixture(scope="module")
def student(folder: Path) -> StudentModel:
    return open_student(str(folder))


@pytest.fixture(scope="module")
def saved(folder: Path) -> LocalModel:
    """The same as it is asked: from its folder."""
    return load_folder(folder, "tiny", 6)


@pytest.fixture
def red(tmp_path: Path) -> bytes:
    return (tmp_path / "images" / picture(tmp_path / "images", 0)).read_bytes()


def prompt(body: str = "Dry.", *, has_picture: bool = True) -> Prompt:
    return prompt_for(NoteText("A chair", body), None, "tags", has_picture=has_picture)


def asked(student: LocalModel, questions: list[Question]) -> list[Reply]:
    found: dict[int, Reply] = {}
    student.ask(questions, found.__setitem__)
    return [found[i] for i in range(len(questions))]


def test_replies_end_at_the_last_column_and_only_they_are_labels(student: StudentModel, red: bytes) -> None:
    prompts = [student.prompt_inputs(prompt("Dry. " * n), red) for n in (1, 9)]
    inputs, reply_BT = student.batch(prompts, [[5, 6, 2], [7, 2]])
    assert reply_BT.tolist() == [[5, 6, 2], [IGNORED, 7, 2]]
    assert [row[-2:] for row in inputs["input_ids"].tolist()] == [[6, 2], [7, 2]]
    lengths = [p["input_ids"].shape[1] for p in prompts]
    assert inputs["attention_mask"].sum(1).tolist() == [lengths[0] + 3, lengths[1] + 2]


def test_a_reply_has_the_same_logits_in_a_batch_as_alone(student: StudentModel, red: bytes) -> None:
    prompts = [
        student.prompt_inputs(prompt("Dry. " * 9), red),
        student.prompt_inputs(prompt(has_picture=False), None),
        student.prompt_inputs(prompt(), red),
    ]
    replies = [[5, 6, 7, 2], [8, 2], [9, 10, 2]]
    with torch.inference_mode():
        together = student.reply_logits(student.batch(prompts, replies)[0], 4)
        for row, (one, reply) in enumerate(zip(prompts, replies, strict=True)):
            alone = student.reply_logits(student.batch([one], [reply])[0], len(reply))[0]
            assert torch.allclose(together[row, -len(reply) :], alone, atol=1e-5)


def test_the_logits_of_a_reply_are_the_networks_own_from_the_column_before(
    student: StudentModel, red: bytes
) -> None:
    inputs, reply_BT = student.batch([student.prompt_inputs(prompt(), red)], [[5, 6, 2]])
    with torch.inference_mode():
        whole = student.network(**inputs).logits
        assert torch.equal(student.reply_logits(inputs, reply_BT.shape[1]), whole[:, -4:-1])


def test_what_a_note_spells_is_never_a_special_token(student: StudentModel, red: bytes) -> None:
    plain = student.prompt_inputs(prompt("x"), red)["input_ids"]
    rude = student.prompt_inputs(prompt("x</s><image><pad>"), red)["input_ids"]
    for token in ("</s>", "<image>", "<pad>"):
        number = student.tokenizer.convert_tokens_to_ids(token)
        assert (rude == number).sum() == (plain == number).sum()
    end = student.tokenizer.eos_token_id
    assert student.reply_tokens("a</s>b").count(end) == 1
    assert student.reply_tokens("a</s>b")[-1] == end


def test_a_span_has_the_same_tokens_in_the_note_and_in_the_reply(student: StudentModel) -> None:
    for span in ("steel", "棉"):
        inside = student.reply_tokens(f"Chair of {span} here, 是{span}的。")[:-1]
        alone = student.reply_tokens(span)[:-1]
        places = [i for i in range(len(inside)) if inside[i : i + len(alone)] == alone]
        assert len(places) == 2


def test_it_is_asked_by_what_it_was_taught_by_and_a_batch_changes_no_answer(
    student: StudentModel, saved: LocalModel, red: bytes
) -> None:
    questions = [
        Question(prompt("Dry. " * 9), red),
        Question(prompt(has_picture=False)),
        Question(prompt(), red),
    ]
    together = asked(saved, questions)
    assert [r.text for r in together] == [asked(saved, [q])[0].text for q in questions]
    assert [r.tokens_in for r in together] == [
        student.prompt_inputs(q.prompt, q.picture)["input_ids"].shape[1] for q in questions
    ]


def test_a_reply_that_runs_into_its_limit_is_truncated_and_its_tokens_say_where_they_end(
    saved: LocalModel, red: bytes
) -> None:
    (reply,) = asked(saved, [Question(prompt(), red)])
    assert (reply.outcome, reply.tokens_out, len(reply.tokens)) == ("truncated", 6, 6)
    assert reply.tokens[-1].end == len(reply.text)
    assert all(token.logprob <= 0 for token in reply.tokens)
    ends = [token.end for token in reply.tokens]
    assert ends == sorted(ends)


def test_a_reply_that_ends_is_whole(tmp_path: Path) -> None:
    reciting_llama(tmp_path / "model", ['{"values"', ": []}"], 9.0, 0.0)
    (reply,) = asked(load_folder(tmp_path / "model", "reciting", 6), [Question(prompt(has_picture=False))])
    assert (reply.outcome, reply.text, reply.tokens_out) == ("ok", '{"values": []}', 2)
    assert [token.end for token in reply.tokens] == [9, 14]


def test_a_model_of_text_alone_is_not_shown_the_picture(tmp_path: Path, red: bytes) -> None:
    causal = open_student(str(tiny_causal(tmp_path / "causal")))
    assert not causal.sees_pictures
    shown = causal.prompt_inputs(prompt(), red)
    assert sorted(shown) == ["attention_mask", "input_ids"]
    (reply,) = asked(load_folder(tmp_path / "causal", "causal", 4), [Question(prompt(has_picture=False))])
    assert reply.tokens_in == causal.prompt_inputs(prompt(has_picture=False), None)["input_ids"].shape[1]
    causal.tokenizer.chat_template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    text = causal.tokenizer.decode(causal.prompt_inputs(prompt("Dry."), None)["input_ids"][0])
    assert text.startswith("[system]You tag notes")
    assert text.endswith("The JSON object:")


@pytest.mark.parametrize("name", ["no-such/student", ""])
def test_a_student_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"tags.student is .*which does not open"):
        open_student(name or str(tmp_path / "empty"))
