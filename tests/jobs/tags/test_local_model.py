"""Any local model of transformers teaches: pictures or text alone, in batches, with no prompt harming another."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from jobs.config import ConfigError, Tags
from jobs.tags.asking import Question, Reply
from jobs.tags.budget import Purse
from jobs.tags.encoding import load_reader, tokens_of
from jobs.tags.local_model import LocalModel, find_local_model
from jobs.tags.pictures import as_png
from jobs.tags.teachers import find_teacher
from models.tags.prompt import NoteText, prompt_for
from tests.jobs.tags.tiny_models import tiny_llama, tiny_llava


def _png(color: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), color).save(out, "PNG")
    png, _ = as_png(out.getvalue())
    assert png is not None
    return png


def _question(title: str, picture: bytes | None = None) -> Question:
    return Question(prompt_for(NoteText(title, "dry"), None, "chain", has_picture=picture is not None), picture)


def _replies(model: LocalModel, questions: list[Question], purse: Purse | None = None) -> list[Reply]:
    told: dict[int, Reply] = {}
    model.ask(questions, told.__setitem__, purse)
    return [told[at] for at in range(len(questions))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_llava(folder / "llava", window=900)
    tiny_llama(folder / "llama")
    return folder


@pytest.fixture(scope="module")
def llava(home: Path) -> LocalModel:
    return find_local_model("llava", home, 24)


def test_a_reply_does_not_depend_on_its_company(llava: LocalModel) -> None:
    pictures = [_png("red"), None, _png("blue")]
    questions = [_question("tent " * (i % 9), pictures[i % 3]) for i in range(10)]
    together = _replies(llava, questions)
    for question, reply in zip(questions, together, strict=True):
        (alone,) = _replies(llava, [question])
        assert (alone.text, alone.outcome, alone.tokens_in) == (reply.text, reply.outcome, reply.tokens_in)
        assert [t.end for t in alone.tokens] == [t.end for t in reply.tokens]
        assert [t.logprob for t in alone.tokens] == pytest.approx([t.logprob for t in reply.tokens], abs=2e-5)
    assert together[0].text != together[2].text  # the picture is seen
    assert [reply.num_calls for reply in together] == [1] * 10


def test_a_prompt_too_long_or_with_a_picture_that_is_none_fails_alone(llava: LocalModel) -> None:
    questions = [_question("tent"), _question("帐篷" * 100), _question("tent", b"no picture"), _question("stove")]
    purse = Purse(10, 0.0)
    found = _replies(llava, questions, purse)
    assert [reply.outcome for reply in found] == ["truncated", "failed", "failed", "truncated"]
    assert "tokens and the model takes 900 with the reply" in found[1].problem
    assert found[2].problem.startswith("the model's processor cannot take it: UnidentifiedImageError")
    assert purse.calls == 8


def test_the_purse_ends_the_asking(llava: LocalModel) -> None:
    found = _replies(llava, [_question("tent")] * 4, Purse(2, 1.0))
    assert [reply.outcome for reply in found] == ["truncated", "truncated", "skipped", "skipped"]
    assert [reply.num_calls for reply in found] == [1, 1, 0, 0]


def test_signs_of_the_template_in_a_note_are_text(llava: LocalModel) -> None:
    found = _replies(llava, [_question("<image> </s> <image>", _png("red"))])
    assert found[0].outcome == "truncated"  # a second picture that nobody gave would have failed


def test_a_model_of_text_alone_teaches_without_pictures(home: Path) -> None:
    model = find_local_model("llama", home, 12)
    found = _replies(model, [_question("tent"), _question("tent", _png("red"))])
    assert [reply.outcome for reply in found] == ["truncated", "failed"]
    assert "set tags.use_pictures: false" in found[1].problem
    assert found[0].tokens[-1].end == len(found[0].text)


def test_sampling_that_a_model_configures_for_itself_is_not_looked_at(home: Path) -> None:
    (plain,) = _replies(find_local_model("llama", home, 12), [_question("tent")])
    other = tiny_llama(home / "sampling")
    options = json.loads((other / "generation_config.json").read_text())
    options.update(do_sample=True, temperature=5.0, top_k=3, repetition_penalty=3.0)
    (other / "generation_config.json").write_text(json.dumps(options))
    assert _replies(find_local_model("sampling", home, 12), [_question("tent")])[0].text == plain.text


def test_identity_stands_for_weights_and_options(home: Path) -> None:
    name, _, digest = find_local_model("llava", home, 24).identity.partition("@")
    assert (name, len(digest)) == ("llava", 12)
    assert find_local_model("llava", home, 24).identity == f"llava@{digest}"
    assert find_local_model("llava", home, 25).identity != f"llava@{digest}"
    tiny_llama(home / "seeds" / "llama", seed=1)
    assert find_local_model("seeds/llama", home, 24).identity != find_local_model("llama", home, 24).identity


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(ConfigError, match=r"tags.teacher: 'old' has no \.safetensors weights"):
        find_teacher(Tags(teacher="old"), tmp_path)
    with pytest.raises(ConfigError, match="'no-such/model' is neither a folder nor a model"):
        find_teacher(Tags(teacher="no-such/model"), tmp_path)
    assert find_teacher(Tags(), tmp_path) is None


def test_tokens_end_where_their_characters_are_whole(home: Path) -> None:
    tokenizer = load_reader(home / "llama", reads_pictures=False).tokenizer
    text = "red 帐a"  # the Chinese character is three tokens of one byte each
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = tokens_of(tokenizer, ids, [-float(n) for n in range(len(ids))], text)
    assert tokens_of(tokenizer, [], [], "") == ()
    assert [token.end for token in found][-4:] == [4, 4, 5, 6]
    assert [token.logprob for token in found] == [-float(n) for n in range(len(ids))]
