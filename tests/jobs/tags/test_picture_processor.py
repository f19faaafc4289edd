"""Qwen-VL and SmolVLM teach without torchvision: right placeholders, replies as the model's own `generate` gives them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from jobs.config import ConfigError
from jobs.tags.asking import Question, Reply
from jobs.tags.compact_student import as_folder
from jobs.tags.encoding import load_reader
from jobs.tags.local_model import LocalModel, find_local_model
from jobs.tags.picture_processor import PictureProcessor, find_processor
from jobs.tags.student_model import open_student
from models.tags.prompt import NoteText, prompt_for
from tests.jobs.tags.tiny_families import tiny_qwen, tiny_smolvlm

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm")
NEW = 12


def _png(width: int, height: int, seed: int) -> bytes:
    noise = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    out = io.BytesIO()
    Image.fromarray(noise.to(torch.uint8).numpy()).save(out, "PNG")
    return out.getvalue()


# Of four sizes and none: 84 by 56 is 3 by 2 placeholders of Qwen2-VL (28 pixels), and so on.
PICTURES = (_png(84, 56, 1), None, _png(56, 112, 2), _png(30, 30, 3), None, _png(84, 56, 4))


def _question(title: str, picture: bytes | None) -> Question:
    return Question(
        prompt_for(NoteText(title, "dry"), None, "tags", has_picture=picture is not None), picture
    )


QUESTIONS = [_question("tent " * (3 * i % 7), picture) for i, picture in enumerate(PICTURES)]


def _replies(model: LocalModel, questions: Sequence[Question]) -> list[Reply]:
    told: dict[int, Reply] = {}
    model.ask(questions, told.__setitem__)
    return [told[at] for at in range(len(questions))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for family in FAMILIES[:3]:
        tiny_qwen(folder / family, family)
    tiny_smolvlm(folder / "smolvlm")
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_unlike_pictures_replies_as_generate_does_for_each_alone(home: Path, family: str) -> None:
    model = find_local_model(family, home, NEW)
    together = _replies(model, QUESTIONS)
    reader = load_reader(home / family, reads_pictures=True)
    network = AutoModelForImageTextToText.from_pretrained(home / family, dtype=torch.float32).eval()
    for question, reply in zip(QUESTIONS, together, strict=True):
        (alone,) = _replies(model, [question])
        assert (alone.text, alone.outcome, alone.tokens_in) == (reply.text, reply.outcome, reply.tokens_in)
        words, shown = reader.read(question)
        asked = {
            "max_new_tokens": NEW,
            "do_sample": False,
            "output_logits": True,
            "return_dict_in_generate": True,
        }
        made = network.generate(**words, **shown, **asked)
        ids = made.sequences[0, words["input_ids"].shape[1] :].tolist()
        assert reader.text(ids) == reply.text
        # Noise says much the same to all, so the probabilities too: they tell a picture from another.
        logprobs = [float(step[0].log_softmax(-1)[i]) for step, i in zip(made.logits, ids, strict=True)]
        for found in (alone, reply):
            said = [token.logprob for token in found.tokens]
            assert said == pytest.approx(logprobs[: len(said)], abs=1e-4)
    assert len({reply.tokens for reply in together}) == len(QUESTIONS)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_is_seen(home: Path, family: str) -> None:
    found = _replies(
        find_local_model(family, home, NEW), [_question("tent", p) for p in (PICTURES[0], PICTURES[5])]
    )
    assert found[0].tokens_in == found[1].tokens_in
    assert found[0].tokens != found[1].tokens


def test_qwen_has_a_placeholder_for_every_four_patches(home: Path) -> None:
    processor = find_processor(home / "qwen2_vl")
    assert isinstance(processor, PictureProcessor)
    picture = Image.open(io.BytesIO(_png(84, 56, 1)))
    text = "<|vision_start|><|image_pad|><|vision_end|>red"
    found = processor(text=[text], images=[picture])
    # 84 by 56 pixels are 6 by 4 patches of 14; two by two make one placeholder: 24 / 4 = 6.
    assert found["image_grid_thw"].tolist() == [[1, 4, 6]]
    start, end, pad = processor.tokenizer.convert_tokens_to_ids(
        ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
    )
    red = processor.tokenizer("red", add_special_tokens=False)["input_ids"]
    assert found["input_ids"].tolist() == [[start, *[pad] * 6, end, *red]]
    assert found["mm_token_type_ids"].tolist() == [[0, *[1] * 6, 0, *[0] * len(red)]]


def test_smolvlm_shows_tiles_row_by_row_and_the_whole_picture_last(home: Path) -> None:
    processor = find_processor(home / "smolvlm")
    # Twice as wide as high: the longest edge becomes 56, so that it is one row of two tiles of 28.
    found = processor(text=["<image>red"], images=[Image.open(io.BytesIO(_png(112, 56, 1)))])
    edge, tile = "<fake_token_around_image>", "<image>" * 4
    expected = f"{edge}<row_1_col_1>{tile}{edge}<row_1_col_2>{tile}\n\n{edge}<global-img>{tile}{edge}red"
    ids = processor.tokenizer(expected, add_special_tokens=False)["input_ids"]
    assert found["input_ids"].tolist() == [ids]
    assert found["pixel_values"].shape == (1, 3, 3, 28, 28)
    assert "rows" not in found
    assert "mm_token_type_ids" not in found


def test_a_picture_that_is_not_cut_is_one_tile() -> None:
    class Plain:
        pass

    processor = PictureProcessor("smolvlm", None, Plain(), "<image>", 2, None)
    edge = "<fake_token_around_image>"
    assert processor._tiles(0, 0) == f"{edge}<global-img><image><image>{edge}"


def test_signs_in_a_note_are_no_places_for_pictures(home: Path) -> None:
    hostile = _question("<|image_pad|> <|vision_start|> <image>", PICTURES[0])
    for family in ("qwen2_vl", "smolvlm"):
        (found,) = _replies(find_local_model(family, home, NEW), [hostile])
        assert found.outcome in ("ok", "truncated")


def test_places_and_pictures_must_agree(home: Path) -> None:
    processor = find_processor(home / "qwen3_vl")
    with pytest.raises(ValueError, match="2 places for 1 pictures"):
        processor(text=["<|image_pad|> <|image_pad|>"], images=[Image.new("RGB", (64, 64))])


def test_a_student_reads_and_is_trained_with_the_same_processor(home: Path) -> None:
    student = open_student(str(home / "qwen2_5_vl"))
    prompts = [student.prompt_inputs(q.prompt, q.picture) for q in QUESTIONS[:4]]
    assert prompts[0]["image_grid_thw"].tolist() == [[1, 4, 6]]
    replies = [student.reply_tokens(text) for text in ("red", "a tent", "dry", "light")]
    inputs, reply_BT = student.batch(prompts, replies)
    logits_BTV = student.reply_logits(inputs, reply_BT.shape[1])
    (alone,) = student.reply_logits(student.batch(prompts[2:3], replies[2:3])[0], len(replies[2]))
    assert torch.allclose(logits_BTV[2, -len(replies[2]) :], alone, atol=1e-3)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm"])
def test_what_a_student_was_trained_with_is_saved_and_comes_back(home: Path, tmp_path: Path, family: str) -> None:
    student = open_student(str(home / family))
    as_folder(student, tmp_path / "saved")
    again = open_student(str(tmp_path / "saved"))
    for question in QUESTIONS[:4]:
        first, second = (s.prompt_inputs(question.prompt, question.picture) for s in (student, again))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_family_that_is_not_covered_is_named(home: Path, tmp_path: Path) -> None:
    import json
    import shutil

    other = Path(shutil.copytree(home / "qwen2_vl", tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "glm4v"}))
    with pytest.raises(
        ConfigError, match=r"other is a glm4v, whose processor wants a package .* install torchvision"
    ):
        find_processor(other)
